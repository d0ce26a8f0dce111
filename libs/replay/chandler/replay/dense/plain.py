"""The interpreted way, for what can't be compiled: the live functions, bar by bar.

An indicator that raises, or whose state is unsound, starts anew; an evaluator that raises gives no
note. Both as in the live folds.
"""

from typing import Any

import numpy as np

from chandler.core.engine import ResolvedEvaluator
from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.core.indicators.compute import advance, argument_keys, start, values
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.notes import note
from chandler.replay.dense.engines import Column, Notes
from chandler.replay.dense.indicators import History


def history(indicator: Indicator, bars: Bars) -> History:
    """The indicator's values at each bar."""
    keys = argument_keys(indicator)
    out = np.zeros((len(keys), len(bars.close)))
    known = np.zeros(len(bars.close), np.bool_)
    series = start([indicator])
    columns = [np.asarray(column).tolist() for column in bars]
    for i, (open_ms, open_, high, low, close, volume) in enumerate(zip(*columns, strict=True)):
        candle = CandleSealed(
            symbol=Symbol(""),
            granularity=Granularity("1m"),
            open_ms=open_ms,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=0.0,
        )
        series = advance([indicator], series, candle, _ignored)
        found = values([indicator], series, _ignored)
        if len(found) == len(keys):
            known[i] = True
            out[:, i] = [found[key] for key in keys]
    return History(out, known)


def _ignored(indicator: Indicator, error: BaseException) -> None:
    """Told in the live system, where the row stands; here the values are absent."""


def evaluate(resolved: ResolvedEvaluator, columns: tuple[Column, ...], bars: int) -> Notes:
    """The evaluator's notes; `columns` in the order of its inputs."""
    notes = np.zeros(bars)
    known = np.zeros(bars, np.bool_)
    inputs = resolved.evaluator.inputs
    for i in range(bars):
        found: dict[str, Any] = {}
        for (parameter, indicator), column in zip(inputs.items(), columns, strict=True):
            row = int(column.rows[i])
            if row >= 0 and column.history.known[row]:
                numbers = column.history.values[:, row].tolist()
                found[parameter] = indicator.record(*numbers) if indicator.fields else numbers[0]
        made = note(resolved.evaluator, found, resolved.tunables)
        if made.value is not None:
            known[i] = True
            notes[i] = made.value
    return Notes(notes, known)
