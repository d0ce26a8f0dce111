"""Candle files as others write them, made of the tests' candles."""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

from chandler.core.events import CandleSealed

PRICES = ("open", "high", "low", "close")
Candles = Sequence[CandleSealed]
Write = Callable[[Path, Candles], Path]


def own(candles: Candles) -> "pa.Table":
    """As `candles export` writes it."""
    names = ("symbol", *PRICES, "volume", "quote_volume")
    columns: dict[str, list[Any]] = {
        name: [getattr(each, name) for each in candles] for name in names
    }
    return pa.table({**columns, "open_time": [each.open_ms for each in candles]})


def parquet(folder: Path, candles: Candles) -> Path:
    file = folder / "anything.dat"
    pyarrow.parquet.write_table(own(candles), file)
    return file


def own_csv(folder: Path, candles: Candles) -> Path:
    file = folder / "export.csv"
    pyarrow.csv.write_csv(own(candles), file)
    return file


def recording(folder: Path, candles: Candles) -> Path:
    """As the simulator plays it: no quote volume."""
    file = folder / "recording.parquet"
    pyarrow.parquet.write_table(own(candles).drop_columns(["quote_volume"]), file)
    return file


def freqtrade_table(candles: Candles) -> "pa.Table":
    dates = pa.array([each.open_ms for each in candles], pa.timestamp("ms", tz="UTC"))
    columns = {name: [getattr(each, name) for each in candles] for name in (*PRICES, "volume")}
    return pa.table({"date": dates, **columns})


def freqtrade_feather(folder: Path, candles: Candles) -> Path:
    file = folder / "BTC_USDT_USDT-5m-futures.feather"
    pyarrow.feather.write_feather(freqtrade_table(candles), file)
    return file


def freqtrade_json(folder: Path, candles: Candles) -> Path:
    file = folder / "BTC_USDT-5m.json"
    rows = [[each.open_ms, *_prices(each), each.volume] for each in candles]
    file.write_bytes(msgspec.json.encode(rows))
    return file


def arrow_stream(folder: Path, candles: Candles) -> Path:
    file = folder / "stream.arrows"
    table = own(candles)
    with pa.ipc.new_stream(str(file), table.schema) as writer:
        writer.write_table(table)
    return file


def binance_text(candles: Candles, factor: int = 1) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for each in candles:
        close = (each.close_ms * factor) - 1
        quote = repr(each.quote_volume)
        row = [each.open_ms * factor, *map(repr, (*_prices(each), each.volume)), close, quote]
        writer.writerow([*row, 12, "1.5", "3.5", 0])
    return text.getvalue()


def binance_csv(folder: Path, candles: Candles) -> Path:
    file = folder / "BTCUSDT-5m-2024-01.csv"
    file.write_text(binance_text(candles))
    return file


def binance_zip(folder: Path, candles: Candles) -> Path:
    """Since 2025 they are in microseconds."""
    file = folder / "BTCUSDT-5m-2024-01.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("BTCUSDT-5m-2024-01.csv", binance_text(candles, 1_000))
    return file


def semicolons(folder: Path, candles: Candles) -> Path:
    file = folder / "BTCUSDT.txt"
    lines = ["Date;Open;High;Low;Close;Volume"]
    for each in candles:
        date = pa.scalar(each.open_ms, pa.timestamp("ms")).as_py().isoformat(sep=" ")
        lines.append(";".join([date, *map(repr, (*_prices(each), each.volume))]))
    file.write_text("\n".join(lines))
    return file


def _prices(candle: CandleSealed) -> tuple[float, float, float, float]:
    return candle.open, candle.high, candle.low, candle.close


WITH_QUOTE = (parquet, own_csv, arrow_stream, binance_csv, binance_zip)
WITHOUT_QUOTE = (recording, freqtrade_feather, freqtrade_json, semicolons)
