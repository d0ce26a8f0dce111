"""Recorded exits and positions against what fills and tickers make again."""

import random
from decimal import Decimal

from msgspec.structs import replace

from chandler.core.events import Event, Ticker
from chandler.core.positions.rules import Rules
from chandler.core.trading.events import (
    ExitRequested,
    ExitsOut,
    OrdersOut,
    TickersOut,
)
from chandler.replay.audit.exits import (
    GONE,
    LATE_ORDER,
    LIVE,
    OTHER,
    Streams,
    Watched,
    audit_exits,
)
from chandler.replay.audit.verdict import Checked, Read
from tests.core.positions.playing import LATENCY_MS, START_MS, fill, play, ticker, watching
from tests.replay.audit.reads import read

RULES = Rules()
WATCHING = watching(RULES)
LAST_MS = START_MS + 200_000


class Story:
    """A long with targets that is played to its end, as the topics hold it."""

    def __init__(self, seed: int = 3) -> None:
        chance = random.Random(seed)
        price = 100.0
        ticks = []
        for number in range(1, 190):
            price *= 1 + chance.gauss(0.001, 0.002)
            ticks.append(ticker(START_MS + number * 1_000, f"{price:.2f}"))
        entry = fill(START_MS + 500, "100", "4", stop="90", targets=("102", "105", "110"))
        played = play(WATCHING, entry, ticks)
        self.exits = played.exits
        self.positions = [each for each in played.outputs if not isinstance(each, ExitRequested)]
        inputs: list[Event] = played.inputs
        self.tickers = [each for each in inputs if isinstance(each, Ticker)]
        self.orders = [each for each in inputs if not isinstance(each, Ticker)]

    def audited(self, watched: Watched | None = None) -> dict[str, Checked]:
        out = OrdersOut(shard=0, shards=1, at=LAST_MS)
        streams = Streams(
            iter(placed("tickers", [*self.tickers, TickersOut(shard=0, shards=1, at=LAST_MS)])),
            iter(placed("orders", [*self.orders, out])),
            iter(placed("exits", [*self.exits, ExitsOut(partition=0, at=LAST_MS)])),
            iter(placed("positions", self.positions)),
        )
        found = audit_exits(streams, watched or Watched(WATCHING))
        return {each.topic: each for each in found}


def placed(topic: str, events: list[Event]) -> list[Read]:
    return [read(topic, event, offset) for offset, event in enumerate(events)]


def test_exits_and_positions_are_recomputed_from_fills_and_tickers() -> None:
    story = Story()

    found = story.audited()

    assert found["exits"].compared == len(story.exits) >= 2
    assert found["positions"].compared == len(story.positions) > 10
    assert [each.faults for each in found.values()] == [0, 0]


def test_a_doubled_exit_is_there_again() -> None:
    story = Story()
    story.exits.insert(1, story.exits[0])

    found = story.audited()["exits"]

    assert (found.duplicated, found.mismatches, found.missing) == (1, 0, 0)
    assert found.first is not None
    assert found.first.at == story.exits[0].at


def test_a_removed_exit_is_missing_also_the_last() -> None:
    for number in (0, -1):
        story = Story()
        del story.exits[number]

        found = story.audited()["exits"]

        assert (found.missing, found.mismatches) == (1, 0)


def test_what_was_not_judged_yet_is_not_missing() -> None:
    story = Story()
    last = story.exits.pop()
    streams = Streams(
        iter(placed("tickers", [*story.tickers])),
        iter(placed("orders", [*story.orders])),
        iter(placed("exits", [*story.exits, ExitsOut(partition=0, at=last.at + LATENCY_MS - 1)])),
        iter([]),
    )

    exits, _ = audit_exits(streams, Watched(WATCHING))

    assert (exits.missing, exits.compared) == (0, len(story.exits))


def test_a_changed_price_and_an_exit_of_nobody_are_mismatches() -> None:
    story = Story()
    changed = replace(story.exits[0], price=story.exits[0].price + 1)
    foreign = replace(story.exits[0], id="foreign", position="nobody")
    story.exits[0] = changed
    story.exits.append(foreign)

    found = story.audited()["exits"]

    assert (found.mismatches, found.missing) == (2, 0)
    assert found.first is not None
    assert found.first.what.startswith("price is Decimal")
    assert "tickers/0/" in found.first.cause


def test_a_changed_position_is_found() -> None:
    story = Story()
    one = story.positions[4]
    story.positions[4] = replace(one, position=replace(one.position, peak=Decimal(7)))

    found = story.audited()["positions"]

    assert found.mismatches == 1
    assert found.first is not None
    assert found.first.what.startswith("position is ")


def test_exits_of_live_accounts_are_not_compared() -> None:
    story = Story()
    live = replace(story.exits[0], account="bitget", id="live", position="live")
    story.exits.append(live)

    found = story.audited()["exits"]

    assert (found.faults, found.not_compared) == (0, {LIVE: 1})


def test_an_order_event_that_came_late_explains_what_differs() -> None:
    story = Story()
    story.orders.insert(0, OrdersOut(shard=0, shards=1, at=START_MS + 600))
    first = story.exits[0]
    story.exits[0] = replace(first, price=first.price + 1)

    found = story.audited()["exits"]

    assert (found.faults, found.explained) == (0, {LATE_ORDER: 1})


def test_positions_from_before_the_oldest_ticker_are_not_compared() -> None:
    story = Story()
    story.tickers = [each for each in story.tickers if each.at > story.exits[0].at]

    found = story.audited(Watched(WATCHING, tickers_from_ms=story.tickers[0].at))["exits"]

    assert found.faults == 0
    assert set(found.not_compared) == {GONE}


def test_exits_of_another_configuration_are_not_compared_where_they_differ() -> None:
    story = Story()
    story.exits[0] = replace(story.exits[0], price=Decimal(1))

    found = story.audited(Watched(WATCHING, since_ms=2))["exits"]

    assert (found.faults, found.not_compared) == (0, {OTHER: 1})
    assert found.compared == len(story.exits) - 1
