"""A backtest's files: tables as Parquet, figures as JSON, the report; and reading them back.

Money stands as text in both, as the Decimal writes itself: a product of price and size has more
digits than decimal128 holds, and its zeros would change; from text each Decimal comes back as it
was. Equity is float64, as it was measured.
"""

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from chandler.core.trading.events import OrderFilled
from chandler.replay.metrics import Metrics
from chandler.replay.report import Run, page
from chandler.replay.report.payload import curves
from chandler.replay.result import Result, Trade
from services.layers import ConfigurationError
from services.showing.runs import (
    CURVES,
    RESULT,
    TRADES_JSON,
    Curve,
    Kept,
    kept_in,
    trades_in,
    unreadable,
)

TRADES, FILLS = "trades.parquet", "fills.parquet"
EQUITY, REPORT = "equity.parquet", "report.html"
# What a narrow window shows of a table comes first, ids last; the other columns lie between.
TRADES_FIRST = (
    "symbol", "side", "agent", "opened_ms", "closed_ms", "entered", "exited", "size", "pnl",
)  # fmt: skip
TRADES_LAST = ("leverage", "adds", "source", "reason", "id", "order")
FILLS_FIRST = ("at", "symbol", "side", "agent", "action", "leg", "price", "size", "fee")
FILLS_LAST = ("source", "account", "position", "id", "trade")


def check_writable(folder: Path) -> None:
    """Makes the folder; ConfigurationError where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"--out {folder}: nothing can be written there ({error.strerror}): name another folder"
        ) from None


def write(result: Result, metrics: Metrics, folder: Path) -> list[Path]:
    """Writes all files of a result into `folder`, which is made; each is whole or not there.

    trades.parquet and trades.json (the fields of `Trade`, and pnl), fills.parquet (of
    `OrderFilled`), equity.parquet (at_ms, equity.<agent>, exposure.<agent>, benchmark.<name>),
    curves.json (`Curve`: the same thinned, as the report draws it), result.json (`Kept`),
    report.html. result.json comes last: where it is, the others are too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    rows = [_row(trade) for trade in result.trades]
    makers: dict[str, Callable[[Path], object]] = {
        TRADES: lambda path: _parquet(
            _ordered(_table(Trade, rows, pnl=pa.string()), TRADES_FIRST, TRADES_LAST), path
        ),
        TRADES_JSON: lambda path: path.write_bytes(msgspec.json.encode(rows)),
        FILLS: lambda path: _parquet(
            _ordered(_table(OrderFilled, map(_plain, result.fills)), FILLS_FIRST, FILLS_LAST), path
        ),
        EQUITY: lambda path: _parquet(_equity(result), path),
        CURVES: lambda path: path.write_bytes(msgspec.json.encode(_curves(result))),
        REPORT: lambda path: path.write_text(page(result, metrics), encoding="utf-8"),
        RESULT: lambda path: path.write_bytes(
            msgspec.json.format(msgspec.json.encode(_kept(result, metrics)), indent=2)
        ),
    }
    for name, make in makers.items():
        fresh = folder / f".{name}.new"
        try:
            make(fresh)
            fresh.replace(folder / name)
        finally:
            fresh.unlink(missing_ok=True)
    return [folder / name for name in makers]


def read(folder: Path) -> Run:
    """What a comparison needs of the files in `folder`; ConfigurationError says what is wrong."""
    kept, trades = kept_in(folder), trades_in(folder)
    try:
        table = pyarrow.parquet.read_table(folder / EQUITY)
        at_ms = table["at_ms"].to_numpy()
        curves = [table[f"equity.{agent}"].to_numpy() for agent in kept.starts]
    except (KeyError, OSError, pa.ArrowException) as error:
        raise unreadable(folder, error) from None
    none = np.zeros(len(at_ms))
    return Run(
        name=folder.name or str(folder),
        origin=kept.origin,
        from_ms=kept.from_ms,
        to_ms=kept.to_ms,
        metrics=kept.metrics,
        trades=trades,
        at_ms=at_ms,
        equity=sum(curves, none) if curves else none + 1.0,
        start=float(sum(kept.starts.values())) if curves else 1.0,
    )


def _kept(result: Result, metrics: Metrics) -> Kept:
    return Kept(
        origin=result.origin,
        from_ms=result.from_ms,
        to_ms=result.to_ms,
        starts={name: curve.start for name, curve in result.curves.items()},
        balances={name: curve.balance for name, curve in result.curves.items()},
        metrics=metrics,
        refusals=result.refusals,
        signals=result.signals,
        notes=result.notes,
        timings=result.timings,
    )


def _curves(result: Result) -> list[Curve]:
    keys = ("name", "kind", "start", "t", "v")
    return [Curve(**{key: each[key] for key in keys}) for each in curves(result, [])]


def _plain(event: Trade | OrderFilled) -> dict[str, Any]:
    """Its fields; Decimals as text."""
    found: dict[str, Any] = msgspec.to_builtins(event)
    return found


def _row(trade: Trade) -> dict[str, Any]:
    return _plain(trade) | {"pnl": str(trade.pnl)}


def _table(kind: type[msgspec.Struct], rows: Any, **more: pa.DataType) -> pa.Table:
    """The schema follows from the types: it is the same where there is no row."""
    known = {int: pa.int64(), bool: pa.bool_(), list[Decimal]: pa.list_(pa.string())}
    fields = [
        (each.name, known.get(each.type, pa.string())) for each in msgspec.structs.fields(kind)
    ]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([*fields, *more.items()]))


def _ordered(table: pa.Table, first: tuple[str, ...], last: tuple[str, ...]) -> pa.Table:
    between = [name for name in table.column_names if name not in first + last]
    return table.select([*first, *between, *last])


def _equity(result: Result) -> pa.Table:
    columns: dict[str, Any] = {"at_ms": result.at_ms}
    for name, curve in result.curves.items():
        columns |= {f"equity.{name}": curve.equity, f"exposure.{name}": curve.exposure}
    columns |= {f"benchmark.{name}": values for name, values in result.benchmarks.items()}
    return pa.table(columns)


def _parquet(table: pa.Table, path: Path) -> None:
    pyarrow.parquet.write_table(table, path, compression="zstd")
