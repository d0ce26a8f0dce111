"""What happens goes out to whoever may hear it, each thing encoded once."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from chandler.core.granularity import Granularity
from chandler.core.trading import events as tr
from services.gateway.caller import Caller
from services.gateway.streaming.asked import TOPICS, Wants
from services.gateway.streaming.ended import End
from services.gateway.streaming.telling.hub import Hub
from services.gateway.streaming.telling.listening import EVENTS_MAX, WRITE_BYTES_MAX, Client, View
from tests.services.gateway.streaming.listening import T0, USERS, opened, record, sent, ticker

EVERYTHING = Wants(TOPICS, frozenset({"BTCUSDT"}))


@pytest.fixture
def hub() -> Hub:
    hub = Hub([Granularity("5m")], lambda: T0)
    hub.ring.begin({"orders:0": 0, "positions:0": 0})
    return hub


def joined(hub: Hub, name: str = "olga", wants: Wants = Wants()) -> Client:  # noqa: B008
    """A client to which everything of before has gone out."""
    client = Client()
    hub.attach(client, View(Caller(name, USERS[name]), "", wants))
    client.take()
    return client


def unframed(data: bytes) -> list[dict[str, Any]]:
    """The messages of some frames."""
    found = []
    while data:
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        found.append(json.loads(data[at : at + size]))
        data = data[at + size :]
    return found


def taken(client: Client) -> list[dict[str, Any]]:
    return unframed(client.take().data)


def test_an_event_is_one_frame_for_all_who_hear_it(hub):
    clients = [joined(hub, name) for name in ("olga", "olga", "vera")]
    stranger = joined(hub, "otto")

    hub.take(record(sent("anna")))

    frames = [client.take().data for client in clients]
    assert frames[0] is frames[1] is frames[2]
    assert not stranger.take().data


def test_numbers_grow_for_each_client_whatever_it_hears(hub):
    client = joined(hub, "vera", EVERYTHING)
    for number in range(6):
        hub.take(record(sent("anna" if number % 2 else "bert", number), offset=number))
        hub.know(ticker(last=str(number + 1)))
        hub.tell_prices()
        hub.tell_ping()

    numbers = [each["seq"] for each in taken(client)]

    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 3


def test_a_client_that_is_cut_anywhere_hears_the_rest_by_its_number():
    """Messages of one turn shared a number: nobody knew whether a cut between two lost one."""
    hub = Hub([Granularity("5m"), Granularity("1m")], lambda: T0)
    hub.ring.begin({"orders:0": 0})
    symbols = [f"S{number}USDT" for number in range(4)]
    views = [Wants(TOPICS, frozenset(symbols[at : at + 3])) for at in range(2)]
    clients = [joined(hub, wants=each) for each in views]
    for number in range(5):
        for symbol in symbols:
            hub.know(ticker(symbol, last=str(number + 1)))
        hub.take(record(sent(number=number), offset=number))
        hub.tell_prices()
        hub.tell_ping()

    for client in clients:
        told = taken(client)
        orders = [each["order"]["id"] for each in told if each["type"] == "order_update"]
        assert len(told) == len({each["seq"] for each in told}) == len(orders) + 6 + 2
        for cut in range(1, len(told) + 1):
            heard = [each for each in told[:cut] if each["type"] == "order_update"]
            frames, _ = hub.ring.since(told[cut - 1]["seq"], lambda _: True, 100)
            rest = [each for frame in frames for each in unframed(frame)]
            assert [each["order"]["id"] for each in (*heard, *rest)] == orders


def test_a_record_that_comes_twice_is_told_once(hub):
    client = joined(hub)
    hub.take(record(sent(), offset=3))
    hub.take(record(sent(), offset=3))

    assert [each["type"] for each in taken(client)] == ["order_update"]


def test_prices_are_one_frame_for_all_who_want_the_same(hub):
    first, second = joined(hub), joined(hub, "vera")
    other = joined(hub, wants=Wants(symbols=frozenset({"ETHUSDT"})))
    hub.know(ticker())

    hub.tell_prices()

    assert first.take().data is second.take().data
    assert not other.take().data


def test_nothing_is_said_of_prices_that_did_not_change(hub):
    client = joined(hub)
    hub.know(ticker())
    hub.tell_prices()
    client.take()

    hub.tell_prices()

    assert not client.take().data


def test_a_client_that_has_not_read_the_last_prices_gets_all_of_them_once(hub):
    client = joined(hub)
    for number in range(100):
        hub.know(ticker(f"S{number}", str(number + 1)))
        hub.tell_prices()

    [message] = taken(client)

    assert message["whole"] is True
    assert len(message["prices"]) == 100


def test_events_of_a_client_that_does_not_read_wait_up_to_a_bound_and_then_it_is_ended(hub):
    client = joined(hub)
    for number in range(EVENTS_MAX):
        hub.take(record(sent(number=number), offset=number))
    assert client.ended is None

    for number in range(EVENTS_MAX, EVENTS_MAX + 100):
        hub.take(record(sent(number=number), offset=number))

    assert client.ended is not None
    assert client.ended.end is End.SLOW
    assert len(client) == EVENTS_MAX


def test_one_that_reads_again_in_time_goes_on(hub):
    client = joined(hub)
    heard = 0
    for number in range(3 * EVENTS_MAX):
        hub.take(record(sent(number=number), offset=number))
        if number % 1_000 == 0:
            while frames := client.take().data:
                assert len(frames) < WRITE_BYTES_MAX + 1_000
                heard += len(unframed(frames))
    while frames := client.take().data:
        heard += len(unframed(frames))

    assert client.ended is None
    assert heard == 3 * EVENTS_MAX


def test_of_a_position_only_the_newest_mark_is_told(hub):
    client = joined(hub)
    for offset, mark in enumerate(("100", "101", "102")):
        position = opened(mark=Decimal(mark)).position
        event = tr.PositionUpdated(position=position, symbol=position.symbol, why="mark", at=T0)
        hub.take(record(event, "positions", offset))

    hub.tell_marks()

    [message] = taken(client)
    assert (message["change"], message["why"]) == ("updated", "mark")
    assert message["position"]["mark"] == "102"
    assert "place" not in message


def test_agents_are_told_to_who_sees_them(hub):
    owner, viewer = joined(hub), joined(hub, "vera")

    hub.tell_agents([{"agent": "anna", "positions": 1}, {"agent": "bert", "positions": 2}])

    [all_], [some] = taken(owner), taken(viewer)
    assert (all_["type"], [each["agent"] for each in all_["agents"]]) == (
        "agents",
        ["anna", "bert"],
    )
    assert some["agents"] == [{"agent": "anna", "positions": 1}]


def test_a_mark_of_a_position_that_has_ended_is_not_told_any_more(hub):
    client = joined(hub)
    position = opened().position
    marked = tr.PositionUpdated(position=position, symbol=position.symbol, why="mark", at=T0)
    closed = tr.PositionClosed(
        position=position, symbol=position.symbol, reason="stop", exit_notional=Decimal(0), at=T0
    )
    hub.take(record(marked, "positions", 0))
    hub.take(record(closed, "positions", 1))

    hub.tell_marks()

    assert [each["change"] for each in taken(client)] == ["closed"]
    assert not hub.opened.positions


def test_a_forming_candle_is_told_to_who_named_its_symbol(hub):
    client, other = joined(hub, wants=EVERYTHING), joined(hub)
    hub.know(ticker(at=T0))
    hub.tell_prices()

    candles = [each for each in taken(client) if each["type"] == "candle"]

    assert [(each["sealed"], each["open_ms"]) for each in candles] == [(False, T0)]
    assert [each["type"] for each in taken(other)] == ["price_update_batch"]


def test_a_ping_says_where_the_topics_are(hub):
    client = joined(hub)
    hub.take(record(sent("bert"), offset=4))
    client.take()

    hub.tell_ping()

    assert taken(client)[0]["places"] == {"orders:0": 4, "positions:0": -1}


def test_whoever_leaves_hears_nothing_more(hub):
    client = joined(hub)
    hub.detach(client)

    hub.take(record(sent()))
    hub.tell_ping()

    assert not client.take().data


async def test_reaching_a_place_is_waited_for(hub):
    waiting = asyncio.ensure_future(hub.reached({"orders:0": 1}))
    hub.take(record(sent(), offset=0))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.take(record(sent(), offset=1))

    async with asyncio.timeout(5):
        await waiting
