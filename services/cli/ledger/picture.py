"""`picture TRADE`: the candles of a trade with its fills, stop and targets, as a PNG."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from chandler.core.events import CandleSealed
from chandler.core.granularity import INTERVAL_MS, Granularity, by_length, parse_granularity
from chandler.streams.reading.ranges import candles_between
from chandler.streams.settings import Installation
from services.cli.ledger.reading import ledger
from services.cli.records.reading import reading
from services.ledger import queries
from services.ledger.errors import LedgerError

CANDLES_MAX = 400  # in a picture; then a longer granularity is taken
BEFORE_MIN, AFTER_MIN = 40, 15  # candles around the trade
AROUND = 0.3  # of the trade's own candles
GRANULARITY_DEFAULT = Granularity("5m")


def picture(
    trade: Annotated[str, typer.Argument(help="its id or the beginning of it; or an order's id")],
    out: Annotated[Path | None, typer.Option(help="a .png file")] = None,
    granularity: Annotated[str, typer.Option(help="5m, 1H, …; else the engine's")] = "",
) -> int:
    """Draws a trade: candles, entries, exits, stop and targets, with its PnL."""
    if out is not None and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"--out {out}: expected a name that ends in .png")
    if out is not None and not out.parent.is_dir():
        raise typer.BadParameter(f"--out {out}: the folder {out.parent} isn't there, make it first")
    if granularity:
        try:
            parse_granularity(granularity)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    found, fills, base = _looked_up(trade)
    wanted = Granularity(granularity) if granularity else _fitting(found, base)
    with reading() as installation:
        candles = asyncio.run(_candles(installation, found, wanted))
        os.environ.setdefault("MPLCONFIGDIR", str(installation.data / "matplotlib"))
    from services.showing.drawing import Scene, draw

    path = out or Path(f"{found['symbol']}-{found['id'][:10]}.png")
    draw(Scene(found, fills, wanted, candles), path)
    typer.echo(f"trade={found['id']} candles={len(candles)} fills={len(fills)} file={path}")
    return 0


def _looked_up(text: str) -> tuple[dict[str, Any], list[dict[str, Any]], Granularity]:
    """The trade, its fills, and the granularity of the engine that began it."""
    with ledger() as connection:
        found = queries.trade_like(connection, text)
        if not found:
            raise LedgerError(f"no trade is called {text!r}: see ./chandler ledger trades")
        if len(found) > 1:
            raise LedgerError(f"{text!r} is the beginning of several trades: say more of it")
        signal = queries.signal_of(connection, found[0]["cause"])
        fills = queries.fills_of(connection, found[0]["id"])
    base = signal["granularity"] if signal else GRANULARITY_DEFAULT
    return found[0], fills, Granularity(base if base in INTERVAL_MS else GRANULARITY_DEFAULT)


def _end_ms(trade: dict[str, Any]) -> int:
    return int(trade["closed_ms"] or trade["changed_ms"])


def _fitting(trade: dict[str, Any], base: Granularity) -> Granularity:
    """The engine's granularity, or the next longer one that isn't too many candles."""
    lasted = _end_ms(trade) - trade["opened_ms"]
    longer = [
        each for each in by_length(set(INTERVAL_MS)) if INTERVAL_MS[each] >= INTERVAL_MS[base]
    ]
    fitting = [each for each in longer if lasted / INTERVAL_MS[each] <= CANDLES_MAX]
    return fitting[0] if fitting else longer[-1]


async def _candles(
    installation: Installation, trade: dict[str, Any], granularity: Granularity
) -> list[CandleSealed]:
    step = INTERVAL_MS[granularity]
    around = int(AROUND * (_end_ms(trade) - trade["opened_ms"]) / step)
    before, after = max(BEFORE_MIN, around), max(AFTER_MIN, around)
    from_ms = trade["opened_ms"] - before * step
    until_ms = _end_ms(trade) + after * step
    candles = await candles_between(
        installation, trade["symbol"], granularity, from_ms, until_ms, near_ms=trade["written_ms"]
    )
    if not any(each.close_ms > trade["opened_ms"] - step for each in candles):
        raise LedgerError(
            f"candles.{granularity} holds no candles of {trade['symbol']} from the time of this "
            "trade: name another with --granularity, see ./chandler topics"
        )
    return candles
