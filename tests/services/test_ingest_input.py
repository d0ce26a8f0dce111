"""Bad input to ingest: each is told, counted and put aside, and what follows it counts."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest

from chandler.core.events import DeadLetter, Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.core.ingest.sequence import Sequence
from chandler.core.ingest.trust import Trust
from chandler.exchanges.bitget.errors import MalformedFrame
from chandler.exchanges.bitget.feed import (
    Connected,
    Disconnected,
    FeedEvent,
    Malformed,
    Received,
)
from chandler.exchanges.bitget.parse import parse_frame
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.streams.settings import installation
from chandler.streams.telemetry.infra import Connection
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import Record, Sender
from services.ingest.clock import Clock
from services.ingest.complaints import Complaints
from services.ingest.edge import BACKFILLING, Ingest
from services.ingest.frames import Frames
from services.ingest.output import Output, measured
from services.ingest.service import SERVICE
from services.ingest.shard import Shard
from services.ingest.tickers import Tickers
from services.profile import IngestConfig, Profile
from tests.services.ingesting import context_of

BTC = Symbol("BTCUSDT")
M5 = Granularity("5m")
OPEN = 1_700_006_400_000
ROW = ["100", "102", "98", "101", "5", "500", "500"]


class Kept(Sender):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__(installation({}))
        self.kept: list[Record] = []

    def send(self, record: Record) -> None:
        self.kept.append(record)

    def causes(self) -> list[str]:
        return [each.event.cause for each in self.kept if isinstance(each.event, DeadLetter)]


class Desk:
    """A shard with one symbol, and what came of its input."""

    def __init__(self) -> None:
        self.sender = Kept()
        self.told: list[tuple[str, str]] = []
        self.metrics = Metrics("ingest", SERVICE.metrics)
        clock = Clock(1.0, monotonic=lambda: 1.0)
        clock.set(1.0, OPEN + 301_000)
        log = logging.getLogger("test")
        complaints = Complaints(log, self.metrics, self.sender)
        tickers = Tickers(self.sender, self.metrics)
        tickers.resume(1, -1)
        self.shard = Shard(
            0,
            [BTC],
            [M5],
            Trust({M5: 1}, always=False, never=True),
            clock=clock,
            tickers=tickers,
            complaints=complaints,
            metrics=self.metrics,
            connection=Connection("connection 0", lambda *told: self.told.append(told)),
            log=log,
        )
        self.shard.add(Sequence(BTC, {M5: OPEN}))

    def take(self, raw: bytes) -> None:
        self.shard.take(event_of(raw))


def event_of(raw: bytes) -> FeedEvent:
    try:
        return Received(parse_frame(raw), raw, 0.0)
    except MalformedFrame as error:
        return Malformed(raw, error.detail)


def push(*row: object, symbol: str = BTC, ts: int = OPEN + 1_000) -> bytes:
    arg = {"instType": "USDT-FUTURES", "channel": "candle5m", "instId": symbol}
    return orjson.dumps({"action": "update", "arg": arg, "data": [list(row)], "ts": ts})


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"\xff\x00 no frame", "malformed frame"),
        (push(str(OPEN), "100", "97", "98", "101", "5", "500", "500"), "high < low"),
        (push(str(OPEN), "NaN", "102", "98", "101", "5", "500", "500"), "price not finite"),
        (push(str(OPEN), "-1", "102", "-2", "101", "5", "500", "500"), "price not positive"),
        (push(str(OPEN), "1e13", "1e13", "98", "101", "5", "500", "500"), "absurd price"),
        (push(str(OPEN + 7 * 300_000), *ROW), "from the future"),
        (push(str(OPEN), *ROW, symbol="NOPEUSDT"), "unknown symbol"),
    ],
)
async def test_bad_input_is_a_dead_letter_and_what_follows_counts(raw: bytes, cause: str) -> None:
    desk = Desk()

    desk.take(raw)
    desk.take(push(str(OPEN), *ROW))

    assert desk.sender.causes() == [cause]
    counted = f'chandler_ingest_rejected_total{{cause="{cause}"}} 1.0'
    assert counted in desk.metrics.text().decode()
    forming = desk.shard.sequences[BTC].lanes[M5].forming
    assert forming is not None
    assert forming[0] == OPEN


async def test_an_update_that_comes_after_a_newer_one_changes_nothing() -> None:
    desk = Desk()
    desk.take(push(str(OPEN), *ROW, ts=OPEN + 9_000))

    desk.take(push(str(OPEN), "100", "102", "98", "99", "4", "400", "400", ts=OPEN + 8_000))

    assert desk.sender.causes() == ["out of order"]
    forming = desk.shard.sequences[BTC].lanes[M5].forming
    assert forming is not None
    assert forming[4] == 101.0


async def test_a_flood_of_one_fault_is_counted_and_its_letters_are_bounded() -> None:
    desk = Desk()

    for _ in range(1_000):
        desk.take(b"{")

    assert len(desk.sender.causes()) == 100
    assert 'cause="malformed frame"} 1000.0' in desk.metrics.text().decode()


async def test_an_older_ticker_never_follows_a_newer_one() -> None:
    desk = Desk()
    arg = {"instType": "USDT-FUTURES", "channel": "ticker", "instId": BTC}
    for at in (OPEN + 2_000, OPEN + 1_000, OPEN + 3_000):
        row = {"instId": BTC, "lastPr": "100.5", "ts": str(at)}
        desk.take(orjson.dumps({"action": "snapshot", "arg": arg, "data": [row], "ts": at}))

    sent = [each.event for each in desk.sender.kept if isinstance(each.event, Ticker)]

    assert [each.at for each in sent] == [OPEN + 2_000, OPEN + 3_000]
    assert sent[0].minute_open_ms == OPEN
    assert msgspec.structs.asdict(sent[0])["last"] == "100.5"


async def test_a_ticker_from_the_future_is_a_dead_letter_and_those_behind_it_count() -> None:
    """It would have made all others of its shard too late."""
    desk = Desk()
    arg = {"instType": "USDT-FUTURES", "channel": "ticker", "instId": BTC}
    for at in (OPEN + 3_600_000, OPEN + 2_000):
        row = {"instId": BTC, "lastPr": "100.5", "ts": str(at)}
        desk.take(orjson.dumps({"action": "snapshot", "arg": arg, "data": [row], "ts": at}))

    sent = [each.event for each in desk.sender.kept if isinstance(each.event, Ticker)]

    assert [each.at for each in sent] == [OPEN + 2_000]
    assert desk.sender.causes() == ["from the future"]


async def test_raw_frames_are_kept_with_their_time(tmp_path: Path) -> None:
    frames = Frames(tmp_path / "frames", 0, logging.getLogger("test"))

    frames.take(asyncio.get_running_loop().time(), b'{"a":1}')
    frames.take(asyncio.get_running_loop().time(), b"pong")
    frames.close()

    (file,) = (tmp_path / "frames").iterdir()
    assert [line.split(b"\t")[1] for line in file.read_bytes().splitlines()] == [
        b'{"a":1}',
        b"pong",
    ]


def test_a_cut_and_the_tries_that_fail_after_it_are_told_once():
    desk = Desk()
    for event in (
        Connected(),
        Disconnected("reset"),
        Disconnected("cannot connect"),
        Connected(),
    ):
        desk.shard.take(event)

    assert desk.told == [
        ("connection_lost", "connection 0: reset"),
        ("connection_back", "connection 0"),
    ]


class Lane:
    """A symbol's candles that are out up to so long ago."""

    def __init__(self, behind_ms: int) -> None:
        self._behind_ms = behind_ms

    def behind_ms(self, now: int) -> int:
        return self._behind_ms


async def test_the_state_says_how_far_the_backfill_is(tmp_path: Path) -> None:
    """On a slow machine "backfilling" stood there for minutes, and nobody knew whether it moved."""
    here = installation({"CHANDLER_DATA": str(tmp_path)})
    profile = Profile(simulator=SimulatorConfig(), ingest=IngestConfig(pinned=["1m"]))
    context = context_of(here, profile)
    ingest = Ingest(context, Sender(here))
    symbols = [Symbol(f"S{number}USDT") for number in range(10)]
    shard: Any = SimpleNamespace(symbols=symbols, sequences={})
    ingest._shards, ingest._working, context.health.state = [shard], True, BACKFILLING
    said = []
    for behind in ([], [0] * 4 + [900_000] * 2, [0] * 10):
        shard.sequences = dict(zip(symbols, map(Lane, behind), strict=False))
        ingest._set_up = len(behind) == 10
        ingest._look_at_backfill()
        said.append((context.health.ready, context.health.state))

    assert said == [(False, "backfilling 0 %"), (False, "backfilling 40 %"), (True, "ready")]


async def test_the_symbol_that_is_furthest_behind_has_an_age_of_its_own() -> None:
    """The newest candle of all says nothing of one symbol that stands still."""
    desk = Desk()
    desk.shard.add(Sequence(Symbol("ETHUSDT"), {M5: OPEN + 1_200_000}))
    clock = Clock(1.0)
    output = Output(installation({}), desk.shard, clock, desk.metrics, logging.getLogger("test"))
    output.newest_close[M5] = OPEN + 1_200_000

    newest = measured([output], OPEN + 1_500_000, desk.metrics)

    assert newest == {M5: OPEN + 1_200_000}
    text = desk.metrics.text().decode()
    assert 'chandler_ingest_last_candle_age_seconds{granularity="5m"} 300.0' in text
    assert 'chandler_ingest_furthest_candle_age_seconds{granularity="5m"} 1500.0' in text
