"""For notebooks and scripts, from the repository's folder: `from services.past import …`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from chandler.core.granularity import parse_granularity
from chandler.replay.backtest import backtest as run
from chandler.replay.result import Result
from chandler.streams.columns import read_candles
from services.layers import ConfigurationError
from services.past.setting import chosen
from services.past.sources import Period, of_files
from services.runner import installed


def backtest(
    profile: str,
    candles: str | Path | Sequence[str | Path],
    *,
    symbols: Sequence[str] = (),
    agents: Sequence[str] = (),
    changes: Sequence[str] = (),
) -> Result:
    """Tries a profile (its name or file) on candle files; `changes` as --set: "a.b=value".

    `chandler.replay.report.frames(result)` gives equity and trades as DataFrames.
    ConfigurationError says in one line what is wrong.
    """
    files = [candles] if isinstance(candles, str | Path) else list(candles)
    tried = chosen(installed(), profile, agents=agents, changes=changes)
    read = of_files([Path(each) for each in files], tried.setting, Period(), symbols)
    result = run(tried.setting, read.past)
    return msgspec.structs.replace(result, notes=read.told(tried.notes, result.notes))


def candles(symbol: str, granularity: str, last: int = 500) -> pd.DataFrame:
    """The newest sealed candles of the topics (or of their cache), oldest first.

    Columns: open high low close volume quote_volume, float64; index: open time, UTC. What the venue
    lacks is left out. ConfigurationError where there are none.
    """
    reading = read_candles(installed(), [parse_granularity(granularity)], [symbol])
    found: Any = next(iter(reading.columns.values()), None)
    if found is None:
        raise ConfigurationError(
            f"there are no {granularity} candles of {symbol} in the topics: run ./chandler up, or "
            "./chandler candles import FILE"
        )
    names = ["open", "high", "low", "close", "volume", "quote_volume"]
    index = pd.to_datetime(found.open_ms, unit="ms", utc=True).rename("open_time")
    frame = pd.DataFrame({name: getattr(found, name) for name in names}, index=index)
    return frame[~found.missing].tail(last)
