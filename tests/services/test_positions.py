"""positions on Kafka: paper in the order of things, live by arrival, restarts, figures."""

import asyncio
import logging
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chandler.core.events import Event, Ticker
from chandler.core.hashing import digest
from chandler.core.positions.state import SymbolPositions, marked, opened
from chandler.core.positions.state import figures as figures_of
from chandler.core.trading.agents import AccountConfig, AgentConfig
from chandler.core.trading.events import (
    ExitRequested,
    ExitsOut,
    OrdersOut,
    PositionClosed,
    PositionOpened,
    TickersOut,
)
from chandler.core.trading.modes import prices_of
from chandler.streams.catalogue import BY_NAME
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.exact.restore import read_states
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.telemetry.parts import Parts
from services.declaration import Context, Health
from services.positions.figures import FORGET_S, Figures
from services.positions.service import SERVICE, exits_out, run
from services.profile import Profile
from tests.core.positions.playing import BTC, START_MS, fill, order, ticker
from tests.streams.exact_cluster import read

DEADLINE_S = 60.0
TOPICS = ("tickers", "orders", "positions", "exits", "notices", "dead-letters")
STATES = ("state.positions", "state.positions_live")
T = START_MS

PAPER = Profile(agents={"anna": AgentConfig(), "ben": AgentConfig(trading_mode="trailing")})
LIVE = Profile(
    agents={"anna": AgentConfig(), "carl": AgentConfig(mode="live", account="main")},
    accounts={"main": AccountConfig(demo=True)},
)


def test_its_declaration_names_topics_that_are_its_own():
    for name in SERVICE.writes:
        assert set(BY_NAME[name].writers) & {"positions", "positions_live", "all"}, name
    assert set(SERVICE.reads) <= set(BY_NAME)


def test_its_exits_are_out_as_far_ahead_as_the_latency():
    told = exits_out(250, 3, 1_000)

    assert told.topic == "exits"
    assert told.event == ExitsOut(partition=3, at=1_250)


def test_a_service_is_as_ready_as_its_least_ready_stage():
    whole = Health()
    parts = Parts(whole)
    paper, live = parts.one(), parts.one()

    paper.ready, paper.state, paper.lag = True, "running", 3
    before = (whole.ready, whole.state)
    live.ready, live.state, live.lag = True, "running", 4

    assert before == (False, "starting")
    assert (whole.ready, whole.state, whole.lag) == (True, "running", 7)


def test_open_positions_and_exits_are_counted_by_agent_and_kind():
    metrics, now = Metrics("positions", SERVICE.metrics), [0.0]
    figures = Figures(metrics, lambda: now[0])
    opened = opened_at("p1")

    figures.tell([opened, opened_at("p2")])
    first = metrics.text().decode()
    now[0] = FORGET_S + 1
    figures.tell(
        [
            PositionClosed(
                position=opened.position, symbol=BTC, reason="stop", exit_notional=Decimal(0), at=T
            )
        ]
    )
    second = metrics.text().decode()

    assert 'chandler_positions_open{agent="anna"} 2.0' in first
    assert 'chandler_positions_unrealised{agent="anna"} 6.0' in first
    assert 'chandler_positions_open{agent="anna"} 0.0' in second
    assert 'chandler_positions_closed_total{reason="stop"} 1.0' in second


def opened_at(name) -> PositionOpened:
    prices = prices_of(ticker(T + 1, "103"))
    assert prices is not None
    position = marked(opened(fill(T, "100", position=name), {}), prices)
    return PositionOpened(position=figures_of(position), symbol=BTC, at=T)


# On Kafka


def context_of(installation, profile) -> Context:
    return Context(
        installation=installation,
        profile=profile,
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger("positions"),
        code="code",
    )


@asynccontextmanager
async def running(installation, profile):
    """The service while the block runs."""
    context = context_of(installation, profile)
    task = asyncio.create_task(run(context))
    try:
        yield context
        if task.done():
            await task
    finally:
        context.stop.set()
        await task


async def publish(installation, *events: Event) -> None:
    async with producer(installation) as client:
        for event in events:
            topic = "tickers" if isinstance(event, Ticker | TickersOut) else "orders"
            out = isinstance(event, TickersOut | OrdersOut)
            await client.send_and_wait(
                topic_name(installation, topic),
                encode(event),
                key=b"@out" if out else BTC.encode(),
                partition=0 if out else None,
            )


def out(at) -> tuple[Event, Event]:
    """Both inputs are out up to `at`."""
    return TickersOut(shard=0, shards=1, at=at), OrdersOut(shard=0, shards=1, at=at)


async def events_when(installation, topic, holds) -> list[Event]:
    """A topic's events as soon as `holds` of them."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await read(installation, topic)
            if holds(found):
                return found
            await asyncio.sleep(0.1)


def exits_of(events):
    return [event for event in events if isinstance(event, ExitRequested)]


def is_out(at):
    return lambda events: any(isinstance(event, ExitsOut) and event.at >= at for event in events)


def has_exits(number):
    return lambda events: len(exits_of(events)) >= number


@pytest.fixture
async def cluster(installation, topics):
    await topics((*TOPICS, *STATES), partitions=1)
    return installation


@pytest.mark.kafka
async def test_paper_positions_are_judged_in_the_order_of_things(cluster):
    """The fill is published after tickers that are newer: they wait for it, and then fire."""
    async with running(cluster, PAPER):
        await publish(cluster, ticker(T - 1, "99"), ticker(T + 1, "97"), ticker(T + 2, "103"))
        await publish(cluster, TickersOut(shard=0, shards=1, at=T + 2))
        await publish(cluster, fill(T, "100", stop="98"), *out(T + 2))

        found = await events_when(cluster, "exits", is_out(T + 2 + 250))

    (request,) = exits_of(found)
    assert (request.id, request.at) == (digest("p1", "stop"), T + 1)
    assert request.due_ms == T + 251
    assert await read(cluster, "dead-letters") == []


@pytest.mark.kafka
async def test_positions_are_there_again_after_a_restart_with_their_stops_and_peaks(cluster):
    entry = fill(T, "100", agent="ben", stop="98")
    async with running(cluster, PAPER):
        await publish(cluster, entry, ticker(T + 1, "110"), *out(T + 1))
        await events_when(cluster, "exits", is_out(T + 1))
    async with running(cluster, PAPER):
        await publish(cluster, ticker(T + 2, "109.5"), ticker(T + 3, "109.4"), *out(T + 3))
        found = await events_when(cluster, "exits", has_exits(1))
        request = exits_of(found)[0]
        sent = order(request, Decimal(1))
        closing = fill(
            T + 300,
            "109.4",
            action="close",
            leg=request.leg,
            order=sent.id,
            agent="ben",
            source=request.kind,
        )
        await publish(cluster, sent, ticker(T + 300, "109.4"), closing, *out(T + 300))
        await events_when(cluster, "exits", is_out(T + 300))
    async with running(cluster, PAPER):
        await publish(cluster, ticker(T + 400, "50"), *out(T + 400))
        found = await events_when(cluster, "exits", is_out(T + 400))

    notices: list[Any] = list(await read(cluster, "notices"))
    assert notices[0].text.startswith("recovered: 1 watched position, ")
    assert [(each.kind, each.at) for each in exits_of(found)] == [("trailing", T + 3)]
    told: list[Any] = list(await read(cluster, "positions"))
    assert [type(each).__name__ for each in told] == [
        "PositionOpened",
        "PositionUpdated",
        "PositionClosed",
    ]
    assert told[1].position.stop == Decimal("109.45")
    assert told[2].position.peak == Decimal(110)
    assert told[2].position.realised == Decimal("9.4")


@pytest.mark.kafka
async def test_live_positions_are_judged_by_arrival_and_paper_ones_wait(cluster):
    live = msgspec.structs.replace(fill(T, "100", agent="carl", stop="98"), account="main")
    paper = fill(T, "100", agent="anna", position="p2", stop="98")
    async with running(cluster, LIVE):
        await publish(cluster, ticker(T + 1, "97"), ticker(T + 2, "99"))
        await until_live_took(cluster, T + 2)
        await publish(cluster, live, paper)
        first = await events_when(cluster, "exits", has_exits(1))
        await publish(cluster, *out(T + 2))
        both = await events_when(cluster, "exits", has_exits(2))

    assert [(each.agent, each.at, each.due_ms) for each in exits_of(first)] == [
        ("carl", T + 1, T + 1)
    ]
    assert [(each.agent, each.at, each.due_ms) for each in exits_of(both)] == [
        ("carl", T + 1, T + 1),
        ("anna", T + 1, T + 251),
    ]


async def until_live_took(cluster, at) -> None:
    """Until the live stage has kept the ticker of that time."""
    name = topic_name(cluster, "state.positions_live")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            raw = (await read_states(cluster, name, [0]))[0].states.get(BTC, b"")
            if raw and msgspec.json.decode(raw, type=SymbolPositions).newest_ms >= at:
                return
            await asyncio.sleep(0.1)


async def test_without_agents_it_says_so_and_waits(installation):
    async with running(installation, Profile()) as context:
        await asyncio.sleep(0)
        state = (context.health.ready, context.health.state)

    assert state == (True, "no agents")
