"""The work that every peer does, and how it is measured.

On each candle of each symbol: EMA 12 and EMA 26 of the close (seeded with the mean of the first n
closes, as TA-Lib does) and RSI 14 (Wilder's, as TA-Lib's). A long position is entered at the next
candle's open when EMA 12 was at or below EMA 26 at the candle before, is above it now, and RSI is
below 70; it is left at the next candle's open when EMA 12 was at or above EMA 26 and is below it
now. One position a symbol, 100 quote coin each, 0.06 % fee a side, no slippage, cash that never
binds.

What is timed as the backtest begins with the candles in the peer's own form, in memory, and ends
with its list of trades. Reading the file and bringing it into that form is `seconds_load`; a first
run over few candles, which compiles, is `seconds_warm_up`. What is quick is run several times, and
the best counts.
"""

import argparse
import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

FAST, SLOW, RSI, RSI_MAX = 12, 26, 14, 70.0
QUOTE = 100.0  # for each entry
FEE = 0.0006  # of what is traded, each side
CASH = 1_000_000.0  # of each symbol
INTERVAL_MS = 300_000
WARM_UP_CANDLES, WARM_UP_SYMBOLS = 600, 2
RUNS_MAX, RUNS_SECONDS = 9, 3.0  # no further run after either

Candles = dict[str, pd.DataFrame]  # symbol → open_time (ms), open, high, low, close, volume
Entry = tuple[str, int]  # symbol, open_time of the candle at whose open it was entered
Form = TypeVar("Form")  # candles, as a peer wants them


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a peer's backtest gave."""

    entries: Callable[[], Iterable[Entry]]  # called after the clock has stopped
    pnl: float  # of all trades, fees taken off; what is open at the end counts as the peer does
    seconds_indicators: float | None = None  # with signals; None: the peer doesn't part them


def read(file: Path, symbols: int) -> Candles:
    """The candles of a Parquet file, or of its first `symbols` symbols (0: of all), by time."""
    table = pd.read_parquet(file)
    table["symbol"] = table["symbol"].astype(object)
    names = sorted(table["symbol"].unique())[: symbols or None]
    columns = ["open_time", "open", "high", "low", "close", "volume"]
    by_symbol = dict(iter(table.groupby("symbol")))
    return {
        name: by_symbol[name][columns].sort_values("open_time").reset_index(drop=True)
        for name in names
    }


def digest(entries: Iterable[Entry]) -> str:
    """Equal for equal entries, in whatever order they were found."""
    lines = "".join(f"{symbol} {at}\n" for symbol, at in sorted(entries))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def repeated(run: Callable[[Form], Found], prepared: Form) -> list[tuple[Found, float]]:
    """What each run found, and its seconds."""
    runs: list[tuple[Found, float]] = []
    while len(runs) < RUNS_MAX and sum(seconds for _, seconds in runs) < RUNS_SECONDS:
        began = time.perf_counter()
        found = run(prepared)
        runs.append((found, time.perf_counter() - began))
    return runs


def measure(
    peer: str,
    package: str,
    prepare: Callable[[Candles], Form],
    run: Callable[[Form], Found],
) -> None:
    """Reads the command line, warms up, runs once and prints one line of JSON."""
    parser = argparse.ArgumentParser(prog=peer)
    parser.add_argument("file", type=Path, help="Parquet: symbol, open_time, open … volume")
    parser.add_argument("--symbols", type=int, default=0, help="only the first N; 0: all")
    parser.add_argument("--entries", type=Path, help="writes the entries here, one a line")
    asked, _ = parser.parse_known_args()
    everything = sum(map(len, read(asked.file, 0).values()))
    candles = read(asked.file, asked.symbols)
    few = {name: candles[name].head(WARM_UP_CANDLES) for name in [*candles][:WARM_UP_SYMBOLS]}

    began = time.perf_counter()
    run(prepare(few))
    warm = time.perf_counter()
    prepared = prepare(candles)
    loaded = time.perf_counter()
    runs = repeated(run, prepared)
    found, seconds = runs[0][0], min(seconds for _, seconds in runs)
    parts = [each.seconds_indicators for each, _ in runs if each.seconds_indicators is not None]

    count = sum(map(len, candles.values()))
    last = {name: int(frame["open_time"].iloc[-1]) for name, frame in candles.items()}
    # A fill after the last candle has no candle whose open it could be.
    entries = sorted((name, at) for name, at in found.entries() if at <= last[name])
    if asked.entries:
        asked.entries.write_text("".join(f"{name} {at}\n" for name, at in entries))
    line = {
        "peer": peer,
        "version": importlib.metadata.version(package) if package else "",
        "file": asked.file.name,
        "candles": count,
        "share": round(count / everything, 4),
        "seconds_load": loaded - warm,
        "seconds_warm_up": warm - began,
        "seconds_indicators": min(parts, default=None),
        "seconds": seconds,
        "runs": len(runs),
        "candles_per_s": count / seconds,
        "trades": len(entries),
        "pnl": found.pnl,
        "entries_digest": digest(entries),
    }
    print(json.dumps(line), flush=True)
