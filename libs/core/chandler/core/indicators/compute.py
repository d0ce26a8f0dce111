"""Computes a list of indicators over one symbol's candles of one granularity, candle by candle.

What the live stage runs. Knows nothing of topics; `advance` is pure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from chandler.core.events import CandleSealed
from chandler.core.indicators.spec import Bars, Indicator

PRICE_MAX = 1e30  # quote coin; with it no sum or square in a state can overflow
VOLUME_MAX = 1e30  # base coin

# Takes an indicator that can't do its work, and why; the others go on.
OnFault = Callable[[Indicator, BaseException], None]


class Series(msgspec.Struct, frozen=True):
    """The bars that the indicators may look back on, and each indicator's state."""

    bars: Bars  # the newest ones, at most the largest lookback + 1
    states: dict[str, Any]  # indicator key → its state: a NamedTuple, or as decoded from JSON
    open_ms: int | None = None  # of the newest candle; None before the first


def start(indicators: Sequence[Indicator]) -> Series:
    """Before the first candle."""
    return Series(Bars([], [], [], [], [], []), {one.key: one.start for one in indicators})


def advance(
    indicators: Sequence[Indicator],
    series: Series,
    candle: CandleSealed,
    on_fault: OnFault | None = None,
) -> Series:
    """The series with the candle taken in; ValueError if it is impossible or not newer.

    An indicator that the series doesn't hold starts with this candle; one that isn't asked for
    any more is dropped. A state that came out of JSON is thawed. One that raises, or whose state
    would not survive JSON, is told to `on_fault` and starts anew; without it, it raises.
    """
    if series.open_ms is not None and candle.open_ms <= series.open_ms:
        raise ValueError(f"expected a candle after {series.open_ms}, found {candle.open_ms}")
    check(candle.open, candle.high, candle.low, candle.close, candle.volume)
    keep = max([one.lookback for one in indicators], default=0)
    cut = len(series.bars.close) - keep
    bars = series.bars
    if cut > 0:
        bars = Bars(
            bars.open_ms[cut:],
            bars.open[cut:],
            bars.high[cut:],
            bars.low[cut:],
            bars.close[cut:],
            bars.volume[cut:],
        )
    bars = Bars(
        [*bars.open_ms, candle.open_ms],
        [*bars.open, candle.open],
        [*bars.high, candle.high],
        [*bars.low, candle.low],
        [*bars.close, candle.close],
        [*bars.volume, candle.volume],
    )
    newest = len(bars.close) - 1
    states = {}
    for one in indicators:
        try:
            state = one.step(_state(one, series), bars, newest, *one.params)
            if not _shipped(one):
                _thawed(one.start, state)
        except (Exception, SystemExit) as error:
            if on_fault is None:
                raise
            on_fault(one, error)
            state = one.start
        states[_key(one)] = state
    return Series(bars, states, candle.open_ms)


def values(
    indicators: Sequence[Indicator], series: Series, on_fault: OnFault | None = None
) -> dict[str, float]:
    """All values as one flat row: "rsi(14)", "macd(12,26,9).signal".

    What isn't ready, isn't finite, or is told to `on_fault`, is absent.
    """
    row: dict[str, float] = {}
    for one in indicators:
        try:
            row.update(_named(one, _state(one, series)))
        except (Exception, SystemExit) as error:
            if on_fault is None:
                raise
            on_fault(one, error)
    return row


def _state(one: Indicator, series: Series) -> Any:
    state = series.states.get(_key(one), one.start)
    return _thawed(one.start, state) if type(state) is list else state


def _named(one: Indicator, state: Any) -> dict[str, float]:
    """The indicator's values by their keys; what isn't ready or isn't finite is absent."""
    if not one.ready(state, *one.params):
        return {}
    value = one.value(state, *one.params)
    if not one.fields:
        number = float(value)
        return {_key(one): number} if math.isfinite(number) else {}
    named = zip(_field_keys(one), map(float, value), strict=True)
    return {name: number for name, number in named if math.isfinite(number)}


def argument(indicator: Indicator, values: Mapping[str, float]) -> Any:
    """What an evaluator receives, out of a flat row: a float or the indicator's NamedTuple.

    None where it, or one of its fields, is absent.
    """
    if not indicator.fields:
        return values.get(_key(indicator))
    numbers = [values.get(key) for key in _field_keys(indicator)]
    if None in numbers:
        return None
    return indicator.record(*numbers)


def argument_keys(indicator: Indicator) -> tuple[str, ...]:
    """The keys of a flat row that `argument` reads for this indicator."""
    return _field_keys(indicator) or (_key(indicator),)


def thaw(indicators: Sequence[Indicator], series: Series) -> Series:
    """A series that came out of JSON, with its states as NamedTuples again."""
    states = {}
    for one in indicators:
        key = _key(one)
        if key in series.states:
            states[key] = _thawed(one.start, series.states[key])
    return Series(series.bars, states, series.open_ms)


def history(indicator: Indicator, bars: Bars) -> list[Any]:
    """The indicator's value at each bar, None where it isn't ready: the plain fold.

    ValueError for an impossible bar.
    """
    state = indicator.start
    found: list[Any] = []
    for i in range(len(bars.close)):
        check(bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i])
        state = indicator.step(state, bars, i, *indicator.params)
        ready = indicator.ready(state, *indicator.params)
        found.append(indicator.value(state, *indicator.params) if ready else None)
    return found


def check(open_: float, high: float, low: float, close: float, volume: float) -> None:
    """ValueError unless the numbers can be a candle's: what the folds' guards rest on."""
    # Each comparison is False for NaN too.
    if not (
        0.0 < low <= high <= PRICE_MAX
        and low <= open_ <= high
        and low <= close <= high
        and 0.0 <= volume <= VOLUME_MAX
    ):
        raise ValueError(
            f"impossible candle: open {open_} high {high} low {low} close {close} volume {volume}"
        )


def _thawed(shape: Any, plain: Any) -> Any:
    """`plain` in the types of `shape`; ValueError where they can't be the same thing."""
    if isinstance(shape, tuple):
        if not isinstance(plain, (list, tuple)) or len(plain) != len(shape):
            raise ValueError(f"a state {plain!r}, expected {len(shape)} parts as in {shape!r}")
        parts = (_thawed(a, b) for a, b in zip(shape, plain, strict=True))
        return type(shape)(*parts) if hasattr(shape, "_fields") else tuple(parts)
    if type(plain) is not type(shape):
        raise ValueError(f"a state with {plain!r}, expected a {type(shape).__name__}")
    if type(plain) is float and not math.isfinite(plain):
        raise ValueError(f"a state with {plain}, expected finite numbers")
    return plain


@cache
def _shipped(indicator: Indicator) -> bool:
    """Whether its states are known to be sound, by our tests; a plug-in's are looked at."""
    return str(getattr(indicator.step, "__module__", "")).startswith("chandler.core.")


@cache
def _key(indicator: Indicator) -> str:
    return indicator.key


@cache
def _field_keys(indicator: Indicator) -> tuple[str, ...]:
    return tuple(f"{indicator.key}.{field}" for field in indicator.fields)
