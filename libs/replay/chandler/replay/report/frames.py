"""A result as pandas frames, for notebooks."""

from typing import Any, NamedTuple

import pandas as pd

from chandler.replay.metrics.measure import portfolio
from chandler.replay.result import Result, Trade

MONEY = ("entered", "exited", "size", "realised", "fees", "funding", "pnl")
TRADE_COLUMNS = (  # what a narrow window shows comes first, ids last
    "symbol", "side", "agent", "opened_at", "closed_at", "entered", "exited", "size", "pnl",
    "realised", "fees", "funding", "leverage", "adds", "source", "reason", "id", "order",
)  # fmt: skip


class Frames(NamedTuple):
    """`equity` by time, `trades` one a row."""

    equity: pd.DataFrame
    trades: pd.DataFrame


def frames(result: Result) -> Frames:
    """Both frames; times are UTC timestamps, money is float64 (exact money is in `Result`).

    equity: index `at`; "portfolio" and each agent's equity in quote coin, "exposure.<agent>", and
    "benchmark.<name>", the value of 1.0 held from the start. trades: TRADE_COLUMNS; `closed_at` is
    NaT while one is open.
    """
    whole, _, _ = portfolio(result)
    columns = {"portfolio": whole}
    columns |= {name: curve.equity for name, curve in result.curves.items()}
    columns |= {f"exposure.{name}": curve.exposure for name, curve in result.curves.items()}
    columns |= {f"benchmark.{name}": values for name, values in result.benchmarks.items()}
    index = pd.DatetimeIndex(pd.to_datetime(result.at_ms, unit="ms", utc=True), name="at")
    return Frames(pd.DataFrame(columns, index=index), _trades(result.trades))


def _trades(trades: list[Trade]) -> pd.DataFrame:
    rows: dict[str, list[Any]] = {
        name: [getattr(each, name, None) for each in trades] for name in TRADE_COLUMNS
    }
    for name in MONEY:
        rows[name] = [float(value) for value in rows[name]]
    frame = pd.DataFrame(rows, columns=list(TRADE_COLUMNS))
    opened = [each.opened_ms for each in trades]
    closed = [each.closed_ms or None for each in trades]
    frame["opened_at"] = pd.to_datetime(pd.Series(opened, dtype="Int64"), unit="ms", utc=True)
    frame["closed_at"] = pd.to_datetime(pd.Series(closed, dtype="Int64"), unit="ms", utc=True)
    return frame
