"""Each idempotency key stands once in `signals.external`, whatever is lost, killed or repeated."""

import asyncio
import logging
import signal as signals
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from chandler.core.events import Signal
from chandler.streams.settings import Installation
from chandler.streams.writing import Kept, LostError, Outbox, Placed
from chandler.streams.writing import Record as Sent
from chandler.streams.writing.outbox import After
from services.gateway.sending.remembered import KEPT_MAX, KEPT_MS, Remembered, Taken
from services.gateway.sending.signals import signal_id
from services.gateway.sending.writer import Asked, AwayError, ReusedError, Writer
from tests.conftest import Topics as Create
from tests.services.gateway.house import DEADLINE_S, House
from tests.services.gateway.own_process import OwnProcess
from tests.streams.desk.cluster import signal
from tests.streams.exact_cluster import read

LOG = logging.getLogger("test.writer")


def taken(number: int, taken_ms: int) -> Taken:
    return Taken(
        body=f"b{number}", taken_ms=taken_ms, at_ms=1, topic="signals.external", partition=0,
        offset=number,
    )  # fmt: skip


def test_keys_are_forgotten_after_a_day_and_beyond_their_number_the_oldest_first():
    kept = Remembered({f"k{each}": taken(each, each) for each in range(10)})

    assert kept.get("k3", KEPT_MS + 2) is not None
    assert kept.get("k3", KEPT_MS + 3) is None
    assert kept.forgettable(KEPT_MS + 2, 1) == ["k0", "k1", "k2"]
    assert kept.forgettable(5, 1) == []
    assert kept.forgettable(5, KEPT_MAX - 8) == ["k0", "k1"]
    kept.add({"k0": taken(0, 20)})
    assert kept.forgettable(KEPT_MS + 1, 1) == ["k1"]


class Losing(Outbox):
    """An outbox that loses the answer to what it wrote, or what it was to write."""

    def __init__(self, installation: Installation, losses: list[str]) -> None:
        super().__init__(installation, "gateway")
        self.losses = losses

    async def write(
        self, records: Sequence[Sent | Kept], after: After | None = None
    ) -> list[Placed]:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "before":
            await self.close()
            raise LostError("nothing went out")
        places = await super().write(records, after)
        if loss == "after":
            await self.close()
            raise LostError("the answer is lost")
        return places


@asynccontextmanager
async def writing(
    installation: Installation, losses: list[str] | None = None
) -> AsyncIterator[Writer]:
    writer = Writer(installation, LOG, lambda: round(time.time() * 1_000))
    writer._outbox = Losing(installation, losses or [])
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.wait([task])


def asked(name: str, body: str = "same") -> Asked:
    event = msgspec.structs.replace(signal("BTCUSDT", 1_000), id=name)
    return Asked("signals.external", "BTCUSDT", name, event, 1_000, body)


async def ids(installation: Installation) -> list[str]:
    found = await read(installation, "signals.external")
    return sorted(each.id for each in found if isinstance(each, Signal))


@pytest.mark.kafka
async def test_what_is_lost_on_its_way_goes_out_once(
    installation: Installation, topics: Create
) -> None:
    await topics(["signals.external", "gateway.state"])
    async with writing(installation, ["before", "after", "before"]) as writer:
        for name in ("a", "b", "c"):
            out = await writer.send(asked(name), DEADLINE_S)
            assert not out.repeated
        again = await writer.send(asked("b"), DEADLINE_S)
        with pytest.raises(ReusedError):
            await writer.send(asked("b", "other"), DEADLINE_S)
        unnamed = [await writer.send(asked("d", ""), DEADLINE_S) for _ in range(2)]

    assert again.repeated
    assert [each.repeated for each in unnamed] == [False, False]
    assert await ids(installation) == ["a", "b", "c", "d", "d"]


@pytest.mark.kafka
async def test_an_older_writer_that_wakes_up_writes_nothing_more(
    installation: Installation, topics: Create
) -> None:
    await topics(["signals.external", "gateway.state"])
    async with writing(installation) as older:
        await older.send(asked("a"), DEADLINE_S)
        async with writing(installation) as newer:
            assert (await newer.send(asked("a"), DEADLINE_S)).repeated
            await newer.send(asked("b"), DEADLINE_S)

            with pytest.raises(AwayError):
                await older.send(asked("c"), 5.0)

    assert await ids(installation) == ["a", "b"]


@pytest.mark.kafka
async def test_what_waits_for_nobody_any_more_is_not_written(installation: Installation) -> None:
    away = msgspec.structs.replace(installation, brokers="127.0.0.1:1")
    async with writing(away) as writer:
        with pytest.raises(AwayError) as caught:
            await writer.send(asked("a"), 0.2)

        assert not caught.value.begun
        assert writer.waiting == 0


async def pushed_through_kills(home: House, clients: int, each: int, kills: int) -> None:
    """Clients send and ask again while the gateway is killed: each key is there once."""
    pushed = OwnProcess(home)
    try:
        await _through_kills(home, pushed, clients, each, kills)
    finally:
        await pushed.end()


async def _through_kills(
    home: House, pushed: OwnProcess, clients: int, each: int, kills: int
) -> None:
    whole = clients * each
    async with home.market():
        gateway = await pushed.gateway()
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(pushed.client(number * each, each))
            for kill in range(kills):
                await pushed.until(whole * (kill + 1) // (kills + 2))
                gateway.send_signal(signals.SIGKILL)
                await gateway.wait()
                assert len(pushed.acknowledged) < whole, "it was killed too late to matter"
                gateway = await pushed.gateway()
        gateway.send_signal(signals.SIGTERM)
        assert await gateway.wait() == 0

    wanted = {f"key-{number}": signal_id("olga", f"key-{number}") for number in range(whole)}
    found = Counter(await ids(home.cluster))
    assert dict(pushed.acknowledged) == wanted
    assert len(pushed.acknowledged) == whole
    assert {id_: count for id_, count in found.items() if count != 1} == {}
    assert set(found) == set(wanted.values())


@pytest.mark.kafka
@pytest.mark.system
async def test_each_key_stands_once_though_the_gateway_is_killed(home: House) -> None:
    await pushed_through_kills(home, clients=2, each=150, kills=2)


@pytest.mark.long
@pytest.mark.kafka
@pytest.mark.system
async def test_ten_thousand_keys_of_ten_processes_stand_once_through_kills(home: House) -> None:
    await pushed_through_kills(home, clients=10, each=1_000, kills=5)
