"""Where the notifier's inputs come from: Alertmanager, connections, what people write, topics."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from chandler.core.events import InfraEvent
from chandler.core.trading.events import NoticeAsked
from services.notifier import inlets
from services.notifier.channels.telegram import Telegram
from services.notifier.inlets import (
    ALERTS_MAX,
    BODY_BYTES_MAX,
    AlertServer,
    Connection,
    listen,
    notices_of,
)
from services.notifier.talk import Asked
from services.telegram import STAND_IN_TOKEN
from services.telegram_stand_in.faults import Faults
from services.telegram_stand_in.limits import OFF
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.server import StandIn

LOG = logging.getLogger("test")
NOW = 1_800_000_000_000
DEADLINE_S = 30.0
ANN = Person(user_id=1001, name="Ann")
# As Alertmanager 0.28 sends it (version 4 of its webhook's data).
PAYLOAD: dict[str, Any] = {
    "receiver": "chandler",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "IngestLate",
                "instance": "127.0.0.1:29011",
                "job": "ingest",
                "severity": "critical",
            },
            "annotations": {
                "description": "no candle for 90 s",
                "summary": "ingest <has> stopped & waits",
            },
            "startsAt": "2026-11-21T10:00:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
            "fingerprint": "c5f3b8a1d2e4f607",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "DiskFull", "severity": "warning"},
            "annotations": {},
            "startsAt": "2026-11-21T09:00:00.000Z",
            "endsAt": "2026-11-21T10:00:00.000Z",
            "generatorURL": "",
            "fingerprint": "00000000000000ff",
        },
    ],
    "groupLabels": {"alertname": "IngestLate"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": '{}:{alertname="IngestLate"}',
    "truncatedAlerts": 0,
}


def body(**changed: Any) -> bytes:
    first, *rest = PAYLOAD["alerts"]
    return json.dumps({**PAYLOAD, "alerts": [{**first, **changed}, *rest]}).encode()


def test_an_alert_becomes_a_notice_with_its_level_and_its_labels():
    fires, over = notices_of(body(), NOW)

    assert (fires.level, fires.at, fires.agent) == ("alarm", NOW, "")
    assert fires.text.splitlines() == [
        "IngestLate: ingest <has> stopped & waits",
        "instance=127.0.0.1:29011 job=ingest",
    ]
    assert (over.level, over.text) == ("info", "DiskFull is over")


def test_the_same_state_of_an_alert_has_the_same_id_however_often_it_is_said():
    """Alertmanager says it again and again; what differs between two firings is its start."""
    [first, _] = notices_of(body(), NOW)
    [again, _] = notices_of(body(annotations={"summary": "91 s"}), NOW + 60_000)
    [later, _] = notices_of(body(startsAt="2026-11-21T11:00:00.000Z"), NOW)
    [over, _] = notices_of(body(status="resolved", endsAt="2026-11-21T10:05:00.000Z"), NOW)

    assert first.id == again.id
    assert len({first.id, later.id, over.id}) == 3


def test_more_alerts_than_anybody_reads_are_counted():
    alerts = [{"labels": {"alertname": f"a{number}"}} for number in range(ALERTS_MAX + 7)]
    found = notices_of(json.dumps({"alerts": alerts}).encode(), NOW)

    assert len(found) == ALERTS_MAX + 1
    assert found[-1].text == "Alertmanager: 7 more alerts in one message"
    assert len({each.id for each in found}) == len(found)


def test_an_alert_of_nothing_still_says_something():
    [found] = notices_of(b'{"alerts": [{}]}', NOW)

    assert (found.level, found.text) == ("warning", "(no name)")


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe", b"[]", b"null", b"{}", b'{"alerts": 7}', b'{"alerts": [{"labels": [1]}]}'],
)
def test_rubbish_is_no_alert(raw):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        notices_of(raw, NOW)


class Inlet:
    """A server of alerts, and what came of them."""

    def __init__(self) -> None:
        self.notices: list[NoticeAsked] = []

    async def take(self, notices: list[NoticeAsked]) -> None:
        self.notices += notices

    async def post(
        self, server: AlertServer, data: bytes, token: str = "", path: str = "/alertmanager"
    ) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{server.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=data, headers=headers) as response,
        ):
            return response.status, await response.text()


async def test_alertmanagers_request_is_answered_when_its_notices_are_taken():
    inlet = Inlet()
    async with AlertServer("127.0.0.1", 0, inlet.take) as server:
        assert await inlet.post(server, body()) == (200, "taken: 2\n")

    assert [each.level for each in inlet.notices] == ["alarm", "info"]


async def test_what_cant_be_read_is_refused_in_one_line_and_the_next_one_is_taken():
    inlet = Inlet()
    async with AlertServer("127.0.0.1", 0, inlet.take) as server:
        status, said = await inlet.post(server, b'{"alerts": <script>}')
        large = await inlet.post(server, b" " * (BODY_BYTES_MAX + 1))
        other = await inlet.post(server, body(), path="/")
        well = await inlet.post(server, body())

    assert (status, said.count("\n")) == (400, 1)
    assert said.startswith("expected Alertmanager's JSON: ")
    assert (large[0], other[0], well[0]) == (413, 404, 200)
    assert len(inlet.notices) == 2


@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 401), ("öé", 401), ("s", 200)])
async def test_where_there_is_a_secret_only_who_knows_it_is_heard(token, status):
    inlet = Inlet()
    async with AlertServer("127.0.0.1", 0, inlet.take, "s") as server:
        found = await inlet.post(server, body(), token)

    assert found[0] == status
    assert len(inlet.notices) == (2 if status == 200 else 0)
    assert "s\n" not in found[1].removesuffix("SECRET\n").splitlines()


class Told:
    """What a connection tells."""

    def __init__(self) -> None:
        self.events: list[InfraEvent] = []
        self.changed = asyncio.Event()

    async def tell(self, event: InfraEvent) -> None:
        self.events.append(event)
        self.changed.set()

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.events]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


async def test_a_connection_is_told_lost_once_and_back_once():
    told = Told()
    connection = Connection("telegram", "i", told.tell)
    await connection.back()
    await connection.lost("it can't be reached")
    await connection.lost("5xx")
    fault = connection.fault
    await connection.back()
    await connection.back()

    assert told.kinds == ["connection_lost", "connection_back"]
    assert [each.detail for each in told.events] == ["telegram: it can't be reached", "telegram"]
    assert (fault, connection.fault) == ("5xx", "")


class Listening:
    """A telegram that is listened to while the block runs."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.told = Told()
        self.asked: list[Asked] = []
        self.connection = Connection("telegram", "i", self.told.tell)

    async def __aenter__(self) -> "Listening":
        self.stop = asyncio.Event()
        self.telegram = Telegram(STAND_IN_TOKEN, self.stand_in.url, LOG)

        async def ask(asked: Asked) -> None:
            self.asked.append(asked)
            self.told.changed.set()

        def after() -> int:
            return max((each.update for each in self.asked), default=-1)

        self.task = asyncio.create_task(
            listen(self.telegram, ask, after, self.connection, self.stop, LOG)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await self.task
        async with self.telegram:
            pass

    def say(self, text: str) -> None:
        People(self.stand_in.bots[STAND_IN_TOKEN]).say(ANN, text)

    async def texts(self, count: int) -> list[str]:
        await self.told.until(lambda: len(self.asked) >= count)
        return [each.text for each in self.asked]


@pytest.fixture
async def stand_in(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    for name in ("AGAIN_S", "AGAIN_S_MAX", "GRAVE_S"):
        monkeypatch.setattr(inlets, name, 0.01)
    async with StandIn(people=(ANN,), limits=OFF) as started:
        yield started


async def test_what_people_write_is_brought_in_its_order(stand_in):
    async with Listening(stand_in) as listening:
        for number in range(3):
            listening.say(f"/status {number}")

        assert await listening.texts(3) == ["/status 0", "/status 1", "/status 2"]
    assert listening.told.events == []


async def test_a_stop_ends_it_in_the_middle_of_a_long_poll(stand_in):
    async with Listening(stand_in):
        await stand_in.bots[STAND_IN_TOKEN].updates.opened.wait()


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(server_error=1.0), "5xx"),
        (Faults(down=True), "can't be reached"),
        (Faults(storm_s=1), "asks to wait"),
    ],
)
async def test_an_outage_is_told_once_and_nothing_that_was_written_meanwhile_is_lost(
    stand_in, faults, said
):
    stand_in.weather.set(faults)
    async with Listening(stand_in) as listening:
        await listening.told.until(lambda: "connection_lost" in listening.told.kinds)
        listening.say("/status")
        stand_in.weather.set(Faults())

        assert await listening.texts(1) == ["/status"]
        await listening.told.until(lambda: len(listening.told.events) == 2)
    assert listening.told.kinds == ["connection_lost", "connection_back"]
    assert said in listening.told.events[0].detail


async def test_a_token_that_somebody_else_uses_is_said_with_a_cure_and_nothing_is_taken(
    stand_in, caplog
):
    async with (
        Listening(stand_in) as listening,
        Telegram(STAND_IN_TOKEN, stand_in.url, LOG) as other,
    ):
        await stand_in.bots[STAND_IN_TOKEN].updates.opened.wait()
        taking = asyncio.create_task(other.asked(-1, NOW))
        await listening.told.until(lambda: listening.connection.fault != "")
        fault = listening.connection.fault
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)

    assert "used by another process, too: end that one" in fault
    assert listening.asked == []
    assert STAND_IN_TOKEN not in caplog.text
    assert any(each.levelno == logging.ERROR for each in caplog.records)


async def test_a_token_that_telegram_doesnt_know_is_said_with_a_cure(stand_in, caplog):
    listening = Listening(stand_in)
    stand_in.bots.clear()
    async with listening:
        await listening.told.until(lambda: listening.connection.fault != "")

    assert "run ./chandler setup" in listening.connection.fault
    assert listening.told.kinds == ["connection_lost"]
    assert STAND_IN_TOKEN not in caplog.text
