"""`bench desk`: candle → order at the venue, by hops; decisions/s of the executor.

Real services as processes on the embedded Kafka: the simulator as venue, indicators, signals,
executor; ingest's topics are written here. Latency is the simulator's receipt of the order less
Kafka's CreateTime of the sealed candle. The venue takes ten orders a second from an account, so
all closes at once are measured with few orders, and with one in every symbol.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.desk.hops import ask, show_hops, ways, whole
from benchmarks.desk.market import FIVE_MS, Feed, silent, wishes
from benchmarks.stream import WARM, Bench, benched, place, shown
from chandler.core.events import Event
from chandler.core.trading.events import (
    Command,
    DeskTaken,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrdersOut,
    Refusal,
)
from chandler.exchanges.simulator.server import CLOCK_FILE
from chandler.streams import embedded
from chandler.streams.reader import follow, read_topics
from chandler.streams.settings import Installation, installation
from chandler.streams.writing import Outbox, Record
from services.layers import FLAGS_VARIABLE
from services.topology import Worker, http_port

ACCOUNTS = 7  # with the paper shard as many as the desk has partitions
AGENTS = 10
PARTITIONS = 8
ORDERS_MAX = 3  # of an account at once: what its budget lets out without a wait
ENGINE = "always"
STRANGERS = ("symbol_not_followed", "engine_not_followed")  # refusals that are meant
WAIT_S = 60.0
# One symbol and 21 orders at once; an order of each of 200; the executor alone.
PARTS = ("few", "all", "decisions")
ROUND_S_MAX = 30.0
PAUSE_S = 1.0  # between rounds: the budgets fill up again


def agents_of(symbols: Sequence[str], prefix: str) -> dict[str, dict[str, Any]]:
    """Ten live agents on seven accounts; each symbol belongs to one of them."""
    first = AGENTS - ACCOUNTS
    agents = {}
    for number in range(AGENTS):
        account = number % ACCOUNTS
        mine = list(symbols[account::ACCOUNTS])
        if account < first:  # two share it
            mine = mine[number // ACCOUNTS :: 2]
        agents[f"agent{number}"] = {
            "mode": "live",
            "account": f"{prefix}{account}",
            "symbols": mine,
            **_generous(len(symbols)),
        }
    return agents


def _generous(positions: int) -> dict[str, Any]:
    return {
        "engines": [ENGINE],
        "size": "100",
        "balance": "100000",
        "positions_max": positions,
        "orders_per_symbol_day_max": 10_000,
        "daily_loss_max_percent": "0",
    }


def configured(data: Path, prefix: str, flags: Mapping[str, Any]) -> dict[str, str]:
    """The profile of one part; the variables that name it."""
    profile = data / "profiles" / "bench.toml"
    profile.parent.mkdir(exist_ok=True)
    profile.write_text('name = "bench"\n')
    file = data / f"{prefix}.json"
    shared = {"pump": {"enabled": False}, "desk": {"window_s_max": WAIT_S}}
    file.write_text(json.dumps({**shared, **flags}))
    return {"CHANDLER_PROFILE": "bench", FLAGS_VARIABLE: str(file)}


class Book:
    """What the orders' topic says: what is open, what was made, what was refused."""

    def __init__(self, bench: Bench) -> None:
        self.open: dict[tuple[str, str], Decimal] = {}
        self.entries = 0  # filled, or refused where they should not be
        self.refused: Counter[str] = Counter()
        self.under_way: dict[str, str] = {}  # order → its action
        self._bench = bench
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Until it is cancelled."""
        async for record in follow(self._bench.installation, ["orders"], start="beginning"):
            self._take(record.event)
            self._changed.set()

    def _take(self, event: Event | None) -> None:
        match event:
            case OrderRequested():
                self.under_way[event.id] = event.action
            case OrderFilled():
                key = (event.agent, event.symbol)
                sign = -1 if event.action == "close" else 1
                self.open[key] = self.open.get(key, Decimal(0)) + sign * event.size
                if not self.open[key]:
                    del self.open[key]
                if event.done:
                    self._ended(event.id)
            case OrderRefused() | OrderExpired() | OrderCancelled():
                self.refused[type(event).__name__] += 1
                self._ended(event.id)
            case Refusal() if event.reason not in STRANGERS:
                self.refused[event.reason] += 1
                self.entries += event.source == ENGINE

    def _ended(self, order: str) -> None:
        self.entries += self.under_way.pop(order, "") == "open"

    async def until(self, entries: int) -> None:
        """So many entries have come to an end; says what is missing after a while."""
        if not await self._holds(lambda: self.entries >= entries):
            print(f"  {entries - self.entries} orders are missing: {self.refused}", flush=True)
            self.entries = entries

    async def close_all(self, outbox: Outbox, at: int) -> None:
        """Asks the agents to close everything, until they have."""
        for number in itertools.count():
            command = Command(id=f"close-{at}-{number}", who="cli", what="close_all", at=at)
            await outbox.write([Record("commands", command.id, command)])
            if await self._holds(lambda: not self.open and not self.under_way):
                return
            assert number < 3, f"not closed: {dict(self.open)} {self.under_way}"

    async def _holds(self, wanted: Any) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S_MAX):
                while not wanted():
                    self._changed.clear()
                    await self._changed.wait()
        return bool(wanted())


class Floor:
    """The services with a market: closes are published, orders come, all is closed again."""

    def __init__(self, bench: Bench, feed: Feed, outbox: Outbox, traded: set[str]) -> None:
        self.bench, self.feed, self.outbox, self.traded = bench, feed, outbox, traded
        self.book = Book(bench)
        self.wanted = 0

    async def close(self, indexes: Sequence[int]) -> set[tuple[str, int]]:
        """One close of the symbols; returns those that an order is expected of."""
        at = self.feed.close_ms(indexes[0])
        await ask(self.bench.installation, "clock", {"now_ms": at})
        await self.outbox.write(self.feed.tickers(indexes, at))
        await asyncio.sleep(PAUSE_S / 5)
        closes = [self.feed.history.close(index) for index in indexes]
        await self.bench.publish(closes)
        made = {(self.feed.symbols[index], at) for index in indexes} & {
            (symbol, at) for symbol in self.traded
        }
        self.wanted += len(made)
        await self.book.until(self.wanted)
        await self.book.close_all(self.outbox, at)
        return made


async def ready(bench: Bench, service: str) -> None:
    """Returns when the service answers that it is ready."""
    port = http_port(bench.installation, Worker(service, 0))
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def outbox_of(bench: Bench) -> AsyncIterator[Outbox]:
    """What ingest and people write beside the candles."""
    outbox = Outbox(bench.installation, "bench")
    await outbox.open()
    try:
        yield outbox
    finally:
        await outbox.close()


@contextlib.asynccontextmanager
async def trading(bench: Bench, feed: Feed, traded: Sequence[str]) -> AsyncIterator[Floor]:
    """Everything runs, is warm, and has traded each symbol once."""
    indexes = range(len(feed.symbols))
    for service in ("simulator", "indicators", "signals"):
        bench.start(service)
    async with outbox_of(bench) as outbox:
        await outbox.write([*feed.instruments(), *feed.no_exits(PARTITIONS)])
        for _ in range(WARM):
            closes = [feed.history.close(index) for index in indexes]
            await bench.publish(closes)
        await ready(bench, "simulator")
        at = feed.close_ms(0) - FIVE_MS
        await outbox.write(feed.tickers(indexes, at))
        bench.start("executor")
        await ready(bench, "executor")
        await asyncio.sleep(5 * PAUSE_S)  # the accounts are opened and their books read
        floor = Floor(bench, feed, outbox, set(traded))
        reader = asyncio.create_task(floor.book.read())
        try:
            await floor.close(indexes)  # sets leverages too
            yield floor
        finally:
            reader.cancel()


async def at_once(
    base: Installation, environ: dict[str, str], prefix: str, every: int, rounds: int, singles: int
) -> None:
    """Closes of all symbols together, an order in each `every`-th; then of one alone."""
    # The feed's times begin where a new simulator's do, and one goes on where the last one ended.
    (base.data / CLOCK_FILE).unlink(missing_ok=True)
    feed = Feed(200, WARM)
    count = len(feed.symbols)
    chosen = feed.symbols[::-every][: ACCOUNTS * ORDERS_MAX] if every > 1 else feed.symbols
    accounts = [f"{prefix}{number}" for number in range(ACCOUNTS)]
    flags = {
        "simulator": {"speed": 1.0, "symbols": count, "seed": 1},
        "accounts": {name: {"on_simulator": True} for name in accounts},
        "agents": agents_of(chosen, prefix),
    }
    environ = {**environ, **configured(base.data, prefix, flags)}
    together: set[tuple[str, int]] = set()
    single: set[tuple[str, int]] = set()
    async with (
        benched(base, f"{prefix}.", environ) as bench,
        trading(bench, feed, chosen) as floor,
    ):
        for _ in range(rounds):
            await asyncio.sleep(PAUSE_S)
            together |= await floor.close(range(count))
        for _ in range(singles):
            await asyncio.sleep(PAUSE_S / 2)
            single |= await floor.close([count - 1])
        found = await ways(bench.installation, accounts)
    what = f"{count} symbols at once, {len(chosen)} orders of {AGENTS} agents"
    for name, closes in (("one symbol", single), (what, together)):
        orders = [way for way in found if way.close in closes]
        if orders:
            shown(f"candle → order, {name}", whole(orders))
            show_hops(orders)
    if floor.book.refused:
        print(f"  refused: {dict(floor.book.refused)}")


async def decisions(base: Installation, environ: dict[str, str], closes: int) -> None:
    """A backlog of signals over paper agents, worked off when the last ticker is said to be out."""
    feed = Feed(200, 0)
    indexes = range(len(feed.symbols))
    agents = {f"paper{number}": _generous(20 * (number + 1)) for number in range(AGENTS)}
    simulator = {"speed": 1.0, "symbols": len(feed.symbols), "seed": 1}  # it isn't asked
    flags = {"simulator": simulator, "agents": agents}
    environ = {**environ, **configured(base.data, "decisions", flags)}
    async with benched(base, "decisions.", environ) as bench, outbox_of(bench) as outbox:
        begin = feed.close_ms(0)
        await outbox.write([*feed.instruments(), *feed.no_exits(PARTITIONS)])
        await outbox.write(feed.tickers(indexes, begin - FIVE_MS))
        # A fresh shard waits until everything is evaluated up to there.
        await outbox.write(silent(feed.symbols, begin - FIVE_MS, ENGINE))
        bench.start("executor")
        await _stands(bench, begin - FIVE_MS)
        for number in range(closes):
            at = begin + number * FIVE_MS
            await outbox.write([feed.ticker(index, at - 1_000) for index in indexes])
            await outbox.write(wishes(feed.symbols, at, ENGINE))
            await outbox.write([feed.ticker(index, at + 1_000) for index in indexes])
        await outbox.write(feed.tickers([], at + 1_000))
        await _stands(bench, at)
        await asyncio.sleep(PAUSE_S)
        await _show_rate(bench)


async def _stands(bench: Bench, at: int) -> None:
    """Returns when the executor says that all orders up to `at` are out."""
    try:
        async with asyncio.timeout(WAIT_S):
            async for record in follow(bench.installation, ["orders"], start="beginning"):
                if isinstance(record.event, OrdersOut) and record.event.at >= at:
                    return
    except TimeoutError:
        raise SystemExit(
            f"the executor has not said within {WAIT_S:g} s that orders up to {at} are out: look "
            f"at its log in {bench.installation.data / 'logs'}"
        ) from None


async def _show_rate(bench: Bench) -> None:
    stamps = []
    made: Counter[str] = Counter()
    async for record in read_topics(bench.installation, ["desk", "orders"]):
        if isinstance(record.event, DeskTaken):
            stamps.append(record.timestamp_ms)
        elif isinstance(record.event, OrderRequested | Refusal | OrderFilled):
            made[type(record.event).__name__] += 1
    seconds = (max(stamps) - min(stamps)) / 1_000
    asked = made["OrderRequested"] + made["Refusal"]
    print(
        f"decisions of the executor, {AGENTS} paper agents: {len(stamps) / seconds:,.0f} journal "
        f"records/s ({len(stamps):,} in {seconds:.1f} s), {asked / seconds:,.0f} agents' answers/s "
        f"({made['OrderRequested']:,} orders, {made['Refusal']:,} refusals, "
        f"{made['OrderFilled']:,} fills)",
        flush=True,
    )


async def measure(
    base: Installation, environ: dict[str, str], parts: Sequence[str], short: bool
) -> None:
    """These parts, one after the other."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    if "few" in parts:
        await at_once(base, environ, "few", 9, 8 if short else 40, 30 if short else 150)
    if "all" in parts:
        await at_once(base, environ, "all", 1, 5, 0)
    if "decisions" in parts:
        await decisions(base, environ, 10 if short else 40)


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench desk")
    parser.add_argument("--short", action="store_true", help="fewer rounds, and not all at once")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may repeat")
    arguments = parser.parse_args()
    parts = arguments.part or [each for each in PARTS if each != "all" or not arguments.short]
    began = time.monotonic()
    with place() as environ:
        os.environ.update(environ)
        base = installation(environ)
        with embedded.lease(base):
            asyncio.run(measure(base, environ, parts, arguments.short))
    print(f"took {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
