"""`candles`: export into a Parquet or CSV file; import and fetch are in services.cli.history."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from chandler.core.events import CandleSealed
from chandler.core.granularity import parse_granularity
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.history.fetching import fetch
from services.cli.history.importing import import_
from services.cli.records.reading import reading

COLUMNS = ("symbol", "open_time", "open", "high", "low", "close", "volume", "quote_volume")
SUFFIXES = (".parquet", ".csv")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def candles() -> None:
    """Sealed candles: into files, and from files or the venue's history into the topics."""


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="a .parquet or .csv file")],
    granularity: Annotated[str, typer.Option(help="5m, 1H, …")] = "5m",
    symbol: Annotated[str, typer.Option(help="only this one")] = "",
) -> int:
    """Writes symbol, open_time (ms), open, high, low, close, volume, quote_volume."""
    if out.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"--out {out}: expected a name that ends in .parquet or .csv")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"--out {out}: the folder {out.parent} isn't there, make it first")
    try:
        parse_granularity(granularity)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with reading() as installation:
        rows = asyncio.run(_rows(installation, granularity, symbol.upper()))
    if not rows:
        of = f" of {symbol.upper()}" if symbol else ""
        typer.echo(
            f"chandler: candles.{granularity} holds no candle{of}: {out} is left as it was, "
            "see what there is with ./chandler topics",
            err=True,
        )
        return 1
    _write(out, rows)
    symbols = len({row[0] for row in rows})
    typer.echo(f"candles={len(rows)} symbols={symbols} granularity={granularity} file={out}")
    return 0


app.command("import")(import_)
app.command("fetch")(fetch)


async def _rows(
    installation: Installation, granularity: str, symbol: str
) -> list[tuple[str | int | float, ...]]:
    rows = []
    async for record in read_topics(installation, [f"candles.{granularity}"]):
        candle = record.event
        if not isinstance(candle, CandleSealed) or (symbol and candle.symbol != symbol):
            continue
        prices = (candle.open, candle.high, candle.low, candle.close)
        volumes = (candle.volume, candle.quote_volume)
        rows.append((candle.symbol, candle.open_ms, *prices, *volumes))
    return sorted(rows)


def _write(out: Path, rows: list[tuple[str | int | float, ...]]) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    columns = list(zip(*rows, strict=True))
    types = [pa.string(), pa.int64(), *[pa.float64()] * 6]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    table = pa.table(arrays, names=list(COLUMNS))
    fresh = out.with_name(f".{out.name}.new")
    try:
        if out.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(table, fresh)
        else:
            pyarrow.parquet.write_table(table, fresh)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
