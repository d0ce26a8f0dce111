"""One connection's life against a venue that keeps its rules and breaks its promises."""

import asyncio
import contextlib
from random import Random
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection

from chandler.core.events import Symbol
from chandler.core.granularity import INTERVAL_MS
from chandler.exchanges.bitget.feed import (
    MESSAGE_BYTES_MAX,
    Arg,
    Connected,
    Disconnected,
    Feed,
    FeedEvent,
    Malformed,
    Received,
    message,
)
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.parse import CandlePush, Pong, Refused, Subscribed
from chandler.exchanges.bitget.symbols import channel_of
from tests.exchanges.bitget.scripted import Venue, candle_push, listening, until

BTC: Arg = ("BTCUSDT", "candle1m")
ETH: Arg = ("ETHUSDT", "candle1m")
AT_ONCE = Backoff(first_s=0.01, most_s=0.01)


def feed_of(venue: Venue, args: list[Arg], **options: Any) -> Feed:
    return Feed(venue.url, args, random=Random(1), retry=AT_ONCE, **options)


def frames(events: list[FeedEvent], kind: type) -> list[Any]:
    """The frames of one kind among the events."""
    found = [event.frame for event in events if isinstance(event, Received)]
    return [frame for frame in found if isinstance(frame, kind)]


def times(events: list[FeedEvent], kind: type) -> int:
    return sum(isinstance(event, kind) for event in events)


async def push_row(socket: ServerConnection, symbol: str, channel: str) -> None:
    await socket.send(candle_push(symbol, channel))


async def test_a_feed_connects_subscribes_and_receives() -> None:
    venue = Venue()
    venue.on_subscribe = push_row
    tapped: list[bytes] = []

    async with listening(venue):
        feed = feed_of(venue, [BTC, ETH], tap=lambda at, raw: tapped.append(raw))
        events = await until(feed, lambda seen: len(frames(seen, CandlePush)) == 2)

    assert isinstance(events[0], Connected)
    assert frames(events, Subscribed) == [
        Subscribed(Symbol(symbol), channel) for symbol, channel in (BTC, ETH)
    ]
    assert [push.symbol for push in frames(events, CandlePush)] == ["BTCUSDT", "ETHUSDT"]
    assert [event.raw for event in events if isinstance(event, Received)] == tapped
    assert feed.frames == 4
    assert len(venue.messages) == 1


async def test_many_channels_go_out_in_few_messages_within_the_venues_limits() -> None:
    venue = Venue()
    args = [(f"SYN{n:03}USDT", channel_of(g)) for n in range(100) for g in INTERVAL_MS]

    async with listening(venue):
        events = await until(
            feed_of(venue, args), lambda seen: len(frames(seen, Subscribed)) == len(args)
        )

    assert times(events, Disconnected) == 0
    assert venue.subscribed == args
    assert venue.broken_rules == []
    assert len(venue.messages) <= 15


def test_a_message_is_as_long_as_the_venue_allows_and_no_longer() -> None:
    args = [(f"币安{n}USDT", "candle1Dutc") for n in range(300)]
    sizes, left = [], args

    while left:
        text, count = message("subscribe", left, "USDT-FUTURES")
        assert [arg["instId"] for arg in orjson.loads(text)["args"]] == [
            symbol for symbol, _ in left[:count]
        ]
        sizes.append(len(text.encode()))
        left = left[count:]

    assert max(sizes) <= MESSAGE_BYTES_MAX
    assert min(sizes[:-1]) > MESSAGE_BYTES_MAX - 100


async def test_pings_are_text_and_pongs_are_seen() -> None:
    venue = Venue()

    async with listening(venue):
        feed = feed_of(venue, [BTC], ping_s=0.05)
        events = await until(feed, lambda seen: len(frames(seen, Pong)) == 3)

    assert venue.pings >= 3
    assert times(events, Disconnected) == 0


async def test_a_venue_that_answers_no_ping_is_left() -> None:
    venue = Venue()
    venue.answers_pings = False

    async with listening(venue):
        feed = feed_of(venue, [BTC], ping_s=0.05, pong_s=0.1)
        events = await until(feed, lambda seen: times(seen, Connected) == 2)

    (gone,) = [event for event in events if isinstance(event, Disconnected)]
    assert gone.reason == "no pong within 0.1 s"
    assert feed.reconnects == 1


async def test_a_venue_that_answers_pings_and_pushes_nothing_is_left() -> None:
    venue = Venue()

    async with listening(venue):
        feed = feed_of(venue, [BTC], ping_s=0.05, silence_s=0.3)
        events = await until(feed, lambda seen: times(seen, Connected) == 2)

    (gone,) = [event for event in events if isinstance(event, Disconnected)]
    assert gone.reason == "silent for 0.3 s"
    assert frames(events, Pong)


async def test_a_busy_consumer_does_not_make_the_venue_silent() -> None:
    """Pongs and pushes that wait unread in our own queue are no fault of the venue."""
    venue = Venue()
    venue.on_subscribe = push_row

    async with listening(venue):
        feed = feed_of(venue, [BTC], ping_s=0.05, pong_s=0.1, silence_s=0.2)
        stream = feed.events()
        async with asyncio.timeout(20), contextlib.aclosing(stream):  # type: ignore[type-var]
            async for event in stream:
                if isinstance(event, Received) and isinstance(event.frame, CandlePush):
                    break
            async with asyncio.timeout(5):  # the consumer works
                await venue.pinged.wait()
                await asyncio.sleep(0.3)
            following = await anext(stream)

    assert isinstance(following, Received)
    assert feed.reconnects == 0


async def test_a_cut_is_followed_by_a_reconnect_and_the_same_subscriptions() -> None:
    venue = Venue()

    async def cut_first(socket: ServerConnection, symbol: str, channel: str) -> None:
        await push_row(socket, symbol, channel)
        if venue.connections == 1 and symbol == "ETHUSDT":
            socket.transport.abort()

    venue.on_subscribe = cut_first
    async with listening(venue):
        feed = feed_of(venue, [BTC, ETH])
        await until(feed, lambda seen: times(seen, Connected) == 2 and len(venue.subscribed) == 4)

    assert venue.subscribed == [BTC, ETH, BTC, ETH]


async def test_a_venue_that_is_away_is_tried_again_until_it_is_back() -> None:
    venue = Venue()
    async with listening(venue):
        pass
    feed = feed_of(venue, [BTC])
    port = int(venue.url.rsplit(":", 1)[1])

    gone = await until(feed, lambda seen: times(seen, Disconnected) == 3)

    assert all(isinstance(event, Disconnected) for event in gone)
    assert isinstance(gone[0], Disconnected)
    assert gone[0].reason.startswith(f"cannot connect to ws://127.0.0.1:{port}: ")


async def test_a_venue_that_speaks_no_websocket_is_no_reason_to_die() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        venue = Venue()
        venue.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        events = await until(feed_of(venue, [BTC]), lambda seen: len(seen) == 2)

    assert all(isinstance(event, Disconnected) for event in events)


async def test_a_connection_is_recycled_before_the_venue_does_it() -> None:
    venue = Venue()

    async with listening(venue):
        feed = feed_of(venue, [BTC], recycle_s=0.3)
        events = await until(feed, lambda seen: times(seen, Connected) == 2)

    assert Disconnected("recycled", planned=True) in events


async def test_malformed_frames_are_told_and_survived() -> None:
    venue = Venue()

    async def garbage(socket: ServerConnection, symbol: str, channel: str) -> None:
        await socket.send("{")
        await socket.send(b"\xff\x00")
        await socket.send(candle_push(symbol).replace('"11"', '"NaN"'))
        await push_row(socket, symbol, channel)

    venue.on_subscribe = garbage
    async with listening(venue):
        feed = feed_of(venue, [BTC])
        events = await until(feed, lambda seen: len(frames(seen, CandlePush)) == 2)

    assert [event.raw for event in events if isinstance(event, Malformed)] == [b"{", b"\xff\x00"]
    assert feed.dropped == {"malformed frame": 2, "price not finite": 1}
    assert times(events, Disconnected) == 0


async def test_a_frame_that_is_too_long_costs_the_connection_and_no_more() -> None:
    venue = Venue()

    async def flood(socket: ServerConnection, symbol: str, channel: str) -> None:
        await socket.send("x" * (5 << 20) if venue.connections == 1 else candle_push(symbol))

    venue.on_subscribe = flood
    async with listening(venue):
        events = await until(feed_of(venue, [BTC]), lambda seen: bool(frames(seen, CandlePush)))

    assert times(events, Disconnected) == 1


async def test_a_snapshot_of_500_rows_is_admitted_whole() -> None:
    venue = Venue()

    async def snapshot(socket: ServerConnection, symbol: str, channel: str) -> None:
        push = orjson.loads(candle_push(symbol, channel))
        numbers = [f"{float(number):.20f}" for number in push["data"][0][1:]]
        push["data"] = [[str(60_000 * n), *numbers] for n in range(1, 501)]
        push["action"] = "snapshot"
        await socket.send(orjson.dumps(push).decode())

    venue.on_subscribe = snapshot
    async with listening(venue):
        events = await until(feed_of(venue, [BTC]), lambda seen: bool(frames(seen, CandlePush)))

    (push,) = frames(events, CandlePush)
    assert (len(push.rows), push.snapshot) == (500, True)


async def test_a_refused_argument_leaves_the_others_alone_and_is_not_repeated() -> None:
    venue = Venue()
    venue.unknown = {"NOPEUSDT"}
    venue.on_subscribe = push_row

    async with listening(venue):
        feed = feed_of(venue, [("NOPEUSDT", "candle1m"), BTC], ack_s=0.05, ping_s=0.3)
        events = await until(feed, lambda seen: bool(frames(seen, Pong)))

    (refused,) = frames(events, Refused)
    assert (refused.symbol, refused.code) == ("NOPEUSDT", 30001)
    assert [push.symbol for push in frames(events, CandlePush)] == ["BTCUSDT"]
    assert feed.dropped == {"refused": 1}


@pytest.mark.parametrize("fault", ["loses_acks", "too_many"])
async def test_an_argument_without_an_answer_is_asked_for_again(fault: str) -> None:
    venue = Venue()
    setattr(venue, fault, 2)

    async with listening(venue):
        feed = feed_of(venue, [BTC, ETH], ack_s=0.05)
        events = await until(feed, lambda seen: len(frames(seen, Subscribed)) >= 2)

    assert {(ack.symbol, ack.channel) for ack in frames(events, Subscribed)} == {BTC, ETH}
    assert times(events, Disconnected) == 0


async def test_channels_can_be_added_and_removed_while_it_runs() -> None:
    venue = Venue()
    async with listening(venue):
        feed = feed_of(venue, [BTC])

        def change(seen: list[FeedEvent]) -> bool:
            if len(seen) == 2:
                feed.add([ETH])
                feed.remove([BTC])
            return len(venue.subscribed) == 2 and len(venue.unsubscribed) == 1 and len(seen) == 4

        await until(feed, change)

    assert venue.subscribed == [BTC, ETH]
    assert venue.unsubscribed == [BTC]


async def test_more_channels_than_the_venue_takes_are_refused_at_once() -> None:
    feed = Feed("ws://127.0.0.1:1", [])

    with pytest.raises(ValueError, match="1001 channels on one connection, at most 1000"):
        feed.add([(str(number), "ticker") for number in range(1001)])


async def test_closing_the_iterator_leaves_no_task_and_no_socket() -> None:
    venue = Venue()
    before = asyncio.all_tasks()

    async with listening(venue):
        feed = feed_of(venue, [BTC])
        await until(feed, lambda seen: len(seen) == 2)
        assert not feed.connected

    assert asyncio.all_tasks() == before
