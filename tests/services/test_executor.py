"""The executor with a venue: each intent is sent once, and its end is always found out."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chandler.core.desk.config import Desk, resolve
from chandler.core.desk.live import questions, replies
from chandler.core.events import Event, Symbol
from chandler.core.stage import Output
from chandler.core.trading.agents import AccountConfig, AgentConfig, PumpConfig
from chandler.core.trading.broker import (
    BrokerError,
    Push,
    Refused,
    Reply,
    StreamBroken,
    Unknown,
)
from chandler.core.trading.events import (
    Command,
    NoticeAsked,
    OrderAccepted,
    OrderExpired,
    OrderFilled,
    OrderRequested,
    OrderUnknown,
    Refusal,
)
from chandler.core.trading.paper import Rules
from chandler.exchanges.paper.broker import PaperBroker
from chandler.strategies.modes import fixed
from chandler.streams.catalogue import BY_NAME
from chandler.streams.settings import Installation
from services.declaration import Context, Health
from services.executor import venue as venue_module
from services.executor.service import SERVICE, live, open_of
from services.executor.venue import Venue
from services.profile import Profile
from services.watchdog.recovery import Recovery, telling
from tests.streams.desk.cluster import desk_cluster, instrument, publish_events, signal, ticker
from tests.streams.exact_cluster import DEADLINE_S, START_MS, read

SYMBOL = "AUSDT"
ACCOUNTS = {"demo": AccountConfig(on_simulator=True)}
AGENTS = {"anna": AgentConfig(mode="live", account="demo", size=Decimal(1_000))}
LOG = logging.getLogger("executor")


def test_its_declaration_names_topics_that_are_its_own():
    for name in SERVICE.writes:
        assert set(BY_NAME[name].writers) & {"executor", "all"}, name
    assert set(SERVICE.reads) <= set(BY_NAME)


def told_to(told: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda kind, detail: told.append((kind, detail))


def desk() -> Desk:
    found = resolve(
        AGENTS,
        modes={"fixed": fixed},
        engines=["engine"],
        accounts=ACCOUNTS,
        pump=PumpConfig(enabled=False),
    )
    return found[1]


class Moody(PaperBroker):
    """A venue that answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(Decimal(10_000), [instrument(SYMBOL)], Rules())
        self.mood = "well"
        self.asked: list[str] = []
        self.hangs = asyncio.Event()

    async def place(self, request: OrderRequested) -> Reply:
        self.asked.append(request.id)
        if self.mood == "dies":
            self.hangs.set()
            await asyncio.Event().wait()
        if self.mood == "silent":
            return Unknown(id=request.id, reason="timeout", at=self._at)
        reply = await super().place(request)
        if self.mood == "took it and timed out":
            return Unknown(id=request.id, reason="timeout", at=self._at)
        return reply

    async def quote(self, symbol: Symbol, **given: Any) -> Any:
        if self.mood == "no quotes":
            raise BrokerError("too busy")
        return await super().quote(symbol, **given)


class Cut(Moody):
    """Its order stream is cut three times, the second time while it can't be opened again."""

    async def stream(self) -> AsyncIterator[Push]:
        for back, reason in (
            (True, "subscribed"),
            (False, "reset"),
            (False, "cannot connect"),
            (True, "subscribed"),
            (False, "too late"),
        ):
            yield StreamBroken(back=back, reason=reason)
        self.hangs.set()
        await asyncio.Event().wait()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are refused by the venue after 1.5 s, not after half a minute."""
    for module in (questions, replies, venue_module):
        monkeypatch.setattr(module, "VALID_MS", 1_500)
    monkeypatch.setattr(venue_module, "DOUBT_MS", 0)
    monkeypatch.setattr(venue_module, "LOOK_UP_S", 0.05)
    monkeypatch.setattr(venue_module, "LOOK_UP_AGAIN_S", 0.1)


@pytest.fixture
async def cluster(installation: Installation) -> Installation:
    return await desk_cluster(installation, "x")


@asynccontextmanager
async def executing(
    cluster: Installation, broker: Moody, recovery: Recovery | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """The live shard while the block runs."""
    recovery = recovery or Recovery("executor", 1)
    restored = recovery.part("1", open_of)
    context = Context(
        installation=cluster,
        profile=Profile(agents=AGENTS, accounts=ACCOUNTS, pump=PumpConfig(enabled=False)),
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=LOG,
        code="code",
    )
    venue = Venue(desk(), lambda: broker, reconcile_s=60.0, log=LOG, tell=context.tell)
    task = asyncio.create_task(live(desk(), venue, context, context.health, restored))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not context.health.ready:
                await asyncio.sleep(0.02)
        yield task
    finally:
        context.stop.set()
        if not task.cancelled():
            await asyncio.wait([task])


async def tick(cluster: Installation, broker: Moody, at: int, price: str = "100") -> None:
    one = ticker(SYMBOL, at, price)
    broker.feed(one)
    await publish_events(cluster, [("tickers", one)])


async def orders(cluster: Installation, kind: type[Event], number: int = 1) -> list[Any]:
    """The events of a kind as soon as there are so many."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = [each for each in await read(cluster, "orders") if isinstance(each, kind)]
            if len(found) >= number:
                return found
            await asyncio.sleep(0.05)


async def opened(cluster: Installation, broker: Moody) -> None:
    """The market is there and the account is open."""
    await publish_events(cluster, [("instruments", instrument(SYMBOL))])
    await tick(cluster, broker, 1_000)
    async with asyncio.timeout(DEADLINE_S):
        while "beyond the agents" not in str(await read(cluster, "notices")):
            await asyncio.sleep(0.05)


async def wish(cluster: Installation, at: int = 2_000, **changed: Any) -> None:
    one = msgspec.structs.replace(signal(SYMBOL, at), stop=95.0, **changed)
    await publish_events(cluster, [("signals", one)])


@pytest.mark.kafka
async def test_an_intent_is_sent_once_and_its_fill_gets_a_stop_at_the_venue(cluster):
    broker = Moody()
    async with executing(cluster, broker):
        await opened(cluster, broker)
        await wish(cluster)
        (made,) = await orders(cluster, OrderRequested)
        await orders(cluster, OrderAccepted)
        await tick(cluster, broker, 3_000)
        (fill,) = await orders(cluster, OrderFilled)
        async with asyncio.timeout(DEADLINE_S):
            while not (stops := await broker.stops()):
                await asyncio.sleep(0.05)

    assert broker.asked == [made.id] == [fill.id]
    assert made.sent_ms > 0
    assert [stop.trigger for stop in stops] == [Decimal("95.0")]


@pytest.mark.kafka
async def test_an_order_that_the_venue_took_and_did_not_confirm_is_found_and_booked_once(
    cluster, short
):
    broker = Moody()
    async with executing(cluster, broker):
        await opened(cluster, broker)
        broker.mood = "took it and timed out"
        await wish(cluster)
        await orders(cluster, OrderAccepted)  # by the push
        await tick(cluster, broker, 3_000)
        await orders(cluster, OrderFilled)
        await tick(cluster, broker, 4_000)
    fills = await orders(cluster, OrderFilled)
    ours = await broker.positions()

    assert len(broker.asked) == len(fills) == 1
    assert [position.size for position in ours] == [fills[0].size]


@pytest.mark.kafka
async def test_an_intent_that_never_reached_the_venue_expires_and_is_not_sent_again(cluster, short):
    broker = Moody()
    async with executing(cluster, broker):
        await opened(cluster, broker)
        broker.mood = "silent"
        await wish(cluster)
        (made,) = await orders(cluster, OrderRequested)
        (expired,) = await orders(cluster, OrderExpired)

    assert broker.asked == [made.id] == [expired.id]
    assert await broker.positions() == []


@pytest.mark.kafka
async def test_after_a_death_between_commit_and_reply_nothing_is_sent_twice(cluster, short):
    broker = Moody()
    async with executing(cluster, broker) as task:
        await opened(cluster, broker)
        broker.mood = "dies"
        await wish(cluster)
        await broker.hangs.wait()
        task.cancel()
    broker.mood = "well"
    async with executing(cluster, broker):
        await orders(cluster, OrderUnknown)
        (expired,) = await orders(cluster, OrderExpired)
        await tick(cluster, broker, 4_000)
        await wish(cluster, 5_000, id="next")
        await orders(cluster, OrderAccepted)

    assert broker.asked[0] == expired.id
    assert len(broker.asked) == len(set(broker.asked)) == 2


@pytest.mark.kafka
async def test_without_a_quote_nothing_is_ordered(cluster):
    broker = Moody()
    async with executing(cluster, broker):
        await opened(cluster, broker)
        broker.mood = "no quotes"
        await wish(cluster)
        (refusal,) = await orders(cluster, Refusal)

    assert refusal.reason == "impact"
    assert broker.asked == []


@pytest.mark.kafka
async def test_a_start_says_what_it_found_and_its_journal_knows_nothing_of_it(cluster, short):
    broker = Moody()
    first, second = Recovery("executor", 1), Recovery("executor", 1)
    async with executing(cluster, broker, first) as task:
        await opened(cluster, broker)
        await wish(cluster)
        await orders(cluster, OrderAccepted)
        await tick(cluster, broker, 3_000)
        await orders(cluster, OrderFilled)
        broker.mood = "dies"
        closing = Command(id="c", who="cli", what="close", agent="anna", at=START_MS + 4_000)
        await publish_events(cluster, [("commands", closing)])
        async with asyncio.timeout(DEADLINE_S):
            await broker.hangs.wait()
        task.cancel()
    before = await read(cluster, "desk")
    broker.mood = "silent"
    async with telling(cluster, second), executing(cluster, broker, second):
        found = await second.notice
        async with asyncio.timeout(DEADLINE_S):
            while found not in await read(cluster, "notices"):
                await asyncio.sleep(0.05)
    after = await read(cluster, "desk")

    assert first.notice.result() is None
    assert isinstance(found, NoticeAsked)
    assert found.text.startswith("recovered: 1 position, 1 unresolved order, ")
    assert "recovered" not in str(after[len(before) :])


@pytest.mark.kafka
async def test_what_the_venue_has_not_answered_at_the_stop_is_unknown_and_on_record(
    cluster, short, monkeypatch
):
    """A request that hung kept the drain for longer than a service has: it was cancelled."""
    monkeypatch.setattr(venue_module, "DRAIN_S_MAX", 0.2)
    broker = Moody()
    async with executing(cluster, broker):
        await opened(cluster, broker)
        broker.mood = "dies"
        await wish(cluster)
        async with asyncio.timeout(DEADLINE_S):
            await broker.hangs.wait()
    (made,) = await orders(cluster, OrderRequested)
    (unknown,) = await orders(cluster, OrderUnknown)

    assert broker.asked == [made.id] == [unknown.id]
    assert "before the venue answered" in unknown.reason


async def test_from_the_stop_on_no_entry_is_sent_and_a_close_still_is(monkeypatch):
    """Signals of the drain's seconds became entries."""
    monkeypatch.setattr(venue_module, "DRAIN_S_MAX", 0.5)
    broker = Moody()
    broker.mood = "dies"
    venue = Venue(desk(), lambda: broker, reconcile_s=60.0, log=LOG, tell=told_to([]))
    stop = asyncio.Event()
    task = asyncio.create_task(venue.run(stop))
    venue.committed({}, [Output("orders", SYMBOL, request("first"))])
    async with asyncio.timeout(DEADLINE_S):
        await broker.hangs.wait()

    stop.set()
    broker.mood = "silent"
    late = [request("entry"), request("exit", action="close")]
    venue.committed({}, [Output("orders", SYMBOL, each) for each in late])
    await task

    said = {each.id: each for each in venue.inbox.drain() if hasattr(each, "id")}
    assert broker.asked == ["first", "exit"]
    assert isinstance(said["entry"], Refused)
    assert said["entry"].code == "stopping"
    assert isinstance(said["first"], Unknown)


def request(name: str, action: Any = "open") -> OrderRequested:
    now_ms = time.time_ns() // 1_000_000
    return OrderRequested(
        id=name,
        shard=1,
        seq=1,
        account="demo",
        agent="anna",
        symbol=Symbol(SYMBOL),
        position="p",
        leg="entry",
        action=action,
        side="long",
        size=Decimal(1),
        leverage=1,
        price=Decimal(100),
        cause="c",
        source="engine",
        reason="test",
        at=1,
        ready_ms=1,
        sent_ms=now_ms,
    )


async def test_people_are_told_once_that_the_venue_is_lost_and_once_that_it_is_back():
    broker, stop = Cut(), asyncio.Event()
    told: list[tuple[str, str]] = []
    venue = Venue(desk(), lambda: broker, reconcile_s=60.0, log=LOG, tell=told_to(told))
    task = asyncio.create_task(venue.run(stop))
    async with asyncio.timeout(DEADLINE_S):
        await broker.hangs.wait()
    stop.set()
    await task

    assert told == [
        ("connection_lost", "account demo: the order stream is cut: reset"),
        ("connection_back", "account demo"),
        ("connection_lost", "account demo: the order stream is cut: too late"),
    ]
