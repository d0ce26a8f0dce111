"""The public WebSocket: shapes, limits, each fault; candles come out as they were recorded."""

import asyncio
import contextlib
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop
import websockets

from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.core.resample import Bar
from chandler.exchanges.simulator.market import SPACINGS
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.venue import ORIGIN_MS, Client, admin, client, get, simulator

SLOT_MS = 300_000
NOON = "2024-01-01T12:00:30"
NOON_MS = ORIGIN_MS + 12 * HOUR_MS


def still(tmp_path: Path, **settings: Any) -> Simulator:
    """A venue on which nothing closes during a test."""
    return simulator(tmp_path, speed=1.0, start=NOON, **settings)


def channel_of(message: dict[str, Any]) -> str:
    channel: str = message.get("arg", {}).get("channel", "")
    return channel


def bars_of(messages: list[dict[str, Any]], channel: str, symbol: str) -> list[Bar]:
    """The rows in the order of arrival."""
    return [
        Bar(int(row[0]), *map(float, row[1:7]))
        for message in messages
        if channel_of(message) == channel and message["arg"]["instId"] == symbol
        for row in message.get("data", ())
    ]


def closes(count: int, channel: str = "candle5m", symbol: str = "AAAUSDT") -> Any:
    """Enough after so many bars have begun."""
    opens: set[str] = set()

    def enough(message: dict[str, Any]) -> bool:
        feed = (message.get("action"), channel_of(message), message.get("arg", {}).get("instId"))
        if feed == ("update", channel, symbol):
            opens.update(row[0] for row in message["data"])
        return len(opens) > count

    return enough


async def test_text_ping_is_answered_with_text_pong(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await one.socket.send("ping")

        assert await one.socket.recv() == "pong"


async def test_each_arg_is_acknowledged_and_gets_its_snapshot(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"), ("ticker", "BBBUSDT"))
        messages = [await one.read() for _ in range(4)]

    arg = {"instType": "USDT-FUTURES", "channel": "candle5m", "instId": "AAAUSDT"}
    assert messages[0] == {"event": "subscribe", "arg": arg}
    assert (messages[1]["action"], messages[1]["arg"]) == ("snapshot", arg)
    assert type(messages[1]["ts"]) is int
    rows = messages[1]["data"]
    assert all(len(row) == 8 and row[6] == row[7] for row in rows)
    assert [int(row[0]) for row in rows] == list(range(ORIGIN_MS, NOON_MS + 1, SLOT_MS))
    assert messages[2]["arg"]["channel"] == "ticker"
    assert messages[3]["data"][0]["symbolType"] == 1


async def test_a_snapshot_has_at_most_five_hundred_rows(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", ("candle1m", "AAAUSDT"))
        await one.read()
        rows = (await one.read())["data"]

    assert len(rows) == 500
    assert int(rows[-1][0]) == NOON_MS
    assert int(rows[0][0]) == NOON_MS - 499 * MINUTE_MS


@pytest.mark.parametrize(
    ("channel", "symbol", "code"),
    [
        ("candle7m", "AAAUSDT", 30001),
        ("books", "AAAUSDT", 30001),
        ("candle5m", "XXXUSDT", 30001),
        ("candle1min", "AAAUSDT", 30016),
        ("candle1h", "AAAUSDT", 30016),
    ],
)
async def test_a_wrong_arg_fails_alone(
    tmp_path: Path, channel: str, symbol: str, code: int
) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", (channel, symbol), ("candle5m", "BBBUSDT"))
        failed, taken = await one.read(), await one.read()

    assert (failed["event"], failed["code"], failed["op"]) == ("error", code, "subscribe")
    assert failed["arg"] == {"instType": "USDT-FUTURES", "channel": channel, "instId": symbol}
    assert taken["event"] == "subscribe"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", 30002),
        ("[1]", 30002),
        ("{}", 30002),
        ('{"op":"dance","args":[]}', 30003),
        ('{"op":"subscribe"}', 30002),
        ('{"op":"subscribe","args":[]}', 30002),
        ('{"op":"subscribe","args":[5]}', 30016),
        ('{"op":"subscribe","args":[{"channel":"ticker"}]}', 30016),
        (orjson.dumps({"op": "subscribe", "args": ["x" * 4100]}).decode(), 30002),
    ],
)
async def test_an_illegal_request_is_an_error_and_the_socket_stays(
    tmp_path: Path, text: str, code: int
) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await one.socket.send(text)
        event = await one.read()
        await one.socket.send("ping")

        assert (event["event"], event["code"]) == ("error", code)
        assert await one.socket.recv() == "pong"


async def test_after_unsubscribe_nothing_comes_any_more(tmp_path: Path) -> None:
    async with simulator(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"), ("candle5m", "BBBUSDT"))
        await one.read_until(closes(2))
        await one.send("unsubscribe", ("candle5m", "AAAUSDT"))
        await one.read_until(lambda message: message.get("event") == "unsubscribe")

        later = await one.read_until(closes(3, symbol="BBBUSDT"))

    assert not bars_of(later, "candle5m", "AAAUSDT")


@pytest.mark.parametrize("channel", ["candle1m", "candle5m", "candle15m", "candle1H"])
async def test_each_bar_ends_on_its_final_values_before_the_next_begins(
    tmp_path: Path, channel: str
) -> None:
    async with simulator(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", (channel, "AAAUSDT"))
        messages = await one.read_until(closes(3, channel))
        bars = bars_of(messages, channel, "AAAUSDT")
        spacing = SPACINGS[channel.removeprefix("candle")]
        final = venue.market.bars(
            venue.market.index["AAAUSDT"], spacing, 2**60, 1000, bars[-1].open_ms
        )

    assert [bar.open_ms for bar in bars] == sorted(bar.open_ms for bar in bars)
    last = {bar.open_ms: bar for bar in bars if bar.open_ms < bars[-1].open_ms}
    assert list(last.values()) == final[-len(last) :]
    updates = bars_of([m for m in messages if m.get("action") == "update"], channel, "AAAUSDT")
    begun = [bar for before, bar in pairwise(updates) if bar.open_ms > before.open_ms]
    assert len(begun) == 3
    assert all(bar.volume == 0 and bar.high == bar.low == bar.open for bar in begun)


async def test_quiet_symbols_too_have_a_row_for_each_bar(tmp_path: Path) -> None:
    async with simulator(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"))
        bars = bars_of(await one.read_until(closes(21)), "candle5m", "AAAUSDT")

    opens = {bar.open_ms for bar in bars}
    assert opens >= set(range(bars[-1].open_ms - 20 * SLOT_MS, bars[-1].open_ms, SLOT_MS))
    quiet = [bar for bar in bars if (bar.open_ms - ORIGIN_MS) // SLOT_MS % 10 == 9]
    assert quiet
    assert all(bar.high == bar.low and bar.volume == 0 for bar in quiet)


async def test_a_pushed_tick_is_what_rest_shows_of_the_forming_bar(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=60.0, start=NOON) as venue, client(venue) as one:
        await one.send("subscribe", ("candle1H", "AAAUSDT"))
        messages = await one.read_until(lambda m: m.get("action") == "update")
        market, at_ms = venue.market, messages[-1]["ts"]
        forming = market.forming(market.index["AAAUSDT"], SPACINGS["1H"], at_ms)

    assert bars_of(messages[-1:], "candle1H", "AAAUSDT") == [forming]


async def closed_after(one: Client) -> list[Any]:
    """What came until the connection ended."""
    got = []
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            got.append(await one.socket.recv())
    return got


async def test_more_than_ten_messages_in_a_second_end_the_connection(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        for _ in range(11):
            await one.socket.send("ping")
        got = await closed_after(one)

    assert got[:10] == ["pong"] * 10
    assert orjson.loads(got[10])["code"] == 30006


async def test_the_241st_subscribe_of_an_hour_is_refused(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await admin(venue, "POST", "limits", {"subscribes_per_hour": 2})
        for _ in range(3):
            await one.send("subscribe", ("ticker", "AAAUSDT"))
        messages = await one.read_until(lambda message: message.get("event") == "error")
        await one.socket.send("ping")

        assert messages[-1]["code"] == 30006
        assert sum(message.get("event") == "subscribe" for message in messages) == 2
        assert await one.socket.recv() == "pong"


async def test_too_many_channels_end_the_connection(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await admin(venue, "POST", "limits", {"channels": 1})
        await one.send("subscribe", ("ticker", "AAAUSDT"), ("ticker", "BBBUSDT"))
        got = await closed_after(one)

    assert orjson.loads(got[-1])["code"] == 30007


@pytest.mark.parametrize("limit", ["ping_timeout_s", "recycle_s"])
async def test_a_connection_ends_without_ping_and_after_its_day(tmp_path: Path, limit: str) -> None:
    async with still(tmp_path) as venue, client(venue) as one:
        await admin(venue, "POST", "limits", {limit: 0.1})

        await closed_after(one)
        assert one.socket.close_code in (1000, 1001)


async def test_too_many_connects_are_refused(tmp_path: Path) -> None:
    async with still(tmp_path) as venue:
        await admin(venue, "POST", "limits", {"connects_per_5_minutes": 1})
        async with client(venue):
            pass

        with pytest.raises(websockets.InvalidStatus):
            async with client(venue):
                pass


async def test_a_cut_ends_the_connection_without_a_word(tmp_path: Path) -> None:
    async with still(tmp_path, faults="cut=100ms") as venue, client(venue) as one:
        await closed_after(one)

        assert one.socket.close_code == 1006


async def test_a_silent_socket_stays_open_and_says_nothing(tmp_path: Path) -> None:
    async with still(tmp_path, faults="silence=1000s/999.9999s") as venue, client(venue) as one:
        await one.socket.send("ping")
        await get(venue, "/admin/state")
        await admin(venue, "DELETE", "faults")
        await one.send("subscribe", ("ticker", "AAAUSDT"))

        assert (await one.read())["event"] == "subscribe"


async def collect(tmp_path: Path, faults: str, count: int) -> tuple[Simulator, list[Any]]:
    venue = simulator(tmp_path, faults=faults)
    async with venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"))
        messages = await one.read_until(closes(count))
    return venue, messages


async def test_late_last_updates_come_after_the_next_bar_began(tmp_path: Path) -> None:
    venue, messages = await collect(tmp_path, "late=100%", 20)
    bars = bars_of(messages, "candle5m", "AAAUSDT")

    opens = [bar.open_ms for bar in bars]
    assert opens != sorted(opens)
    late = [bar for before, bar in pairwise(bars) if before[0] > bar[0]]
    assert late
    index = venue.market.index["AAAUSDT"]
    assert all(bar == venue.market.candle(index, bar.open_ms // SLOT_MS) for bar in late)


async def test_duplicated_frames_come_twice(tmp_path: Path) -> None:
    _, messages = await collect(tmp_path, "duplicate=100%", 5)

    pushed = [message for message in messages if "action" in message]
    assert pushed[0:-1:2] == pushed[1::2]


async def test_with_every_frame_dropped_only_answers_come(tmp_path: Path) -> None:
    async with simulator(tmp_path, faults="drop=100%") as venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"), ("ticker", "AAAUSDT"))
        await one.read()
        await one.read()
        while venue.player.counts["ticks"] < 10:
            await asyncio.sleep(0)
        await one.socket.send("ping")

        assert await one.socket.recv() == "pong"


async def test_a_missing_candle_is_never_pushed_and_rest_never_has_it(tmp_path: Path) -> None:
    venue, messages = await collect(tmp_path, "missing=30%", 30)
    bars = bars_of(messages, "candle5m", "AAAUSDT")
    index = venue.market.index["AAAUSDT"]

    opens = {bar.open_ms for bar in bars}
    slots = range(min(opens), max(opens), SLOT_MS)
    missing = {at for at in slots if venue.market.lacks(index, at // SLOT_MS)}
    assert missing
    assert opens.isdisjoint(missing)
    assert opens | missing >= set(slots)


async def test_an_hour_with_a_missing_last_candle_still_ends_on_its_values(
    tmp_path: Path,
) -> None:
    """The hour's last update must not wait for a candle that never comes."""
    venue = simulator(tmp_path, faults="missing=50%")
    async with venue, client(venue) as one:
        await one.send("subscribe", ("candle1H", "AAAUSDT"))
        bars = bars_of(await one.read_until(closes(3, "candle1H")), "candle1H", "AAAUSDT")
        final = venue.market.bars(
            venue.market.index["AAAUSDT"], SPACINGS["1H"], 2**60, 1000, bars[-1].open_ms
        )

    last = {bar.open_ms: bar for bar in bars if bar.open_ms < bars[-1].open_ms}
    assert list(last.values()) == final[-len(last) :]


async def test_nobody_hears_of_a_delisted_symbol(tmp_path: Path) -> None:
    async with simulator(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", ("candle5m", "AAAUSDT"), ("candle5m", "BBBUSDT"))
        await one.read_until(closes(1))
        await admin(venue, "POST", "delist", {"symbol": "AAAUSDT"})
        await one.send("subscribe", ("ticker", "AAAUSDT"))
        await one.read_until(lambda message: message.get("code") == 30001)

        later = await one.read_until(closes(3, symbol="BBBUSDT"))

    assert not bars_of(later, "candle5m", "AAAUSDT")


async def test_many_symbols_closing_at_once_all_get_their_rows(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "candles": "",
        "symbols": 60,
        "speed": 600.0,
        "ticks_per_second_max": 1000,
    }
    async with simulator(tmp_path, **settings) as venue, client(venue) as one:
        for part in (venue.market.symbols[:30], venue.market.symbols[30:]):
            await one.send("subscribe", *[("candle5m", symbol) for symbol in part])
        begun: dict[int, set[str]] = defaultdict(set)

        def enough(message: dict[str, Any]) -> bool:
            if message.get("action") == "update":
                begun[int(message["data"][0][0])].add(message["arg"]["instId"])
            return sum(len(symbols) == 60 for symbols in begun.values()) >= 2

        await one.read_until(enough)


def test_the_loop_that_services_run_on_serves_too(tmp_path: Path) -> None:
    """uvloop's transports are no asyncio.Transport: connections once broke off on it."""

    async def first() -> dict[str, Any]:
        async with still(tmp_path) as venue, client(venue) as one:
            await one.send("subscribe", ("ticker", "AAAUSDT"))
            return await one.read()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(first())["event"] == "subscribe"
