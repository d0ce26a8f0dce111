"""What `bench desk` makes of the topics and the simulator's receipts: the way of each order."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import aiohttp

from chandler.core.events import CandleSealed, IndicatorRow, Signal
from chandler.core.trading.events import DeskTaken, OrderRequested
from chandler.streams.reader import read_topics
from chandler.streams.settings import PORT_SIMULATOR, Installation

Close = tuple[str, int]  # symbol and close
PLACES = (
    "candle",  # CreateTime
    "row",  # CreateTime
    "signal",  # CreateTime
    "looked",  # wall clock of the executor once it has its quotes
    "journal",  # CreateTime of the decision's record
    "receipt",  # wall clock of the simulator
)


class Way(NamedTuple):
    """Wall times of one order, ms, as in PLACES."""

    account: str
    close: Close
    times: tuple[int, ...]


async def ask(installation: Installation, path: str, body: Any = None) -> Any:
    """An answer of the simulator's own endpoints."""
    url = f"http://127.0.0.1:{installation.port(PORT_SIMULATOR)}/admin/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", url, json=body) as response,
    ):
        response.raise_for_status()
        return await response.json()


async def receipts(installation: Installation, accounts: Iterable[str]) -> dict[str, int]:
    """When the simulator received each order, by its id."""
    found: dict[str, int] = {}
    for account in accounts:
        orders = await ask(installation, f"accounts/orders?account={account}")
        for id_, truth in orders.items():
            if truth["receipts"]:
                found[id_] = truth["receipts"][0]["wall_ms"]
    return found


async def ways(installation: Installation, accounts: Iterable[str]) -> list[Way]:
    """The way of every order that a signal caused."""
    candles: dict[Close, int] = {}
    rows: dict[Close, int] = {}
    signals: dict[str, tuple[Close, int]] = {}
    journal: dict[tuple[int, int], int] = {}
    made: list[OrderRequested] = []
    names = ["candles.5m", "indicators.5m", "signals", "desk", "orders"]
    async for record in read_topics(installation, names):
        stamp = record.timestamp_ms
        match record.event:
            case CandleSealed() as event:
                candles[event.symbol, event.close_ms] = stamp
            case IndicatorRow() as event:
                rows[event.symbol, event.close_ms] = stamp
            case Signal() as event:
                signals[event.id] = ((event.symbol, event.close_ms), stamp)
            case DeskTaken() as event:
                journal[event.shard, event.seq] = stamp
            case OrderRequested() as event:
                made.append(event)
    received = await receipts(installation, accounts)
    found = []
    for each in made:
        if each.cause in signals and each.id in received:
            close, stamp = signals[each.cause]
            before = (candles[close], rows[close], stamp)
            after = (each.sent_ms, journal[each.shard, each.seq], received[each.id])
            found.append(Way(each.account, close, before + after))
    return found


def whole(chosen: Sequence[Way]) -> list[int]:
    """Milliseconds from candle to receipt, ascending."""
    return sorted(way.times[-1] - way.times[0] for way in chosen)


def show_hops(chosen: Sequence[Way]) -> None:
    """Where the time goes."""
    for number, (begin, end) in enumerate(itertools.pairwise(PLACES)):
        took = sorted(way.times[number + 1] - way.times[number] for way in chosen)
        high = took[min(len(took) - 1, int(len(took) * 0.99))]
        print(f"  {begin:>7} → {end:<8} p50={statistics.median(took):.0f} ms p99={high} ms")
