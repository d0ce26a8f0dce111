"""The notifier's state in its topic: all of it or nothing, by one keeper at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from chandler.core.notices import outbox
from chandler.core.notices.inputs import Came, Confirmed, Muted, Send, Started
from chandler.core.notices.routing import User
from chandler.core.trading.events import Command, NoticeAsked
from chandler.streams.exact import StateError
from chandler.streams.settings import Installation
from chandler.streams.writing import Kept, LostError, Outbox, Record, ReplacedError
from services.notifier import keeping
from services.notifier.keeping import REST, TOPIC, Keeper
from services.notifier.talk import Pending, Talks
from tests.conftest import Topics
from tests.streams.exact_cluster import read

pytestmark = pytest.mark.kafka

LOG = logging.getLogger("test")
NOW = 1_800_000_000_000
NOTIFYING = outbox.Notifying(
    users={"ann": User(role="owner", telegram_id=1), "ben": User(role="operator", telegram_id=2)}
)


@pytest.fixture
async def cluster(installation: Installation, topics: Topics) -> Installation:
    await topics([TOPIC, "commands", "notices"], partitions=2)
    return installation


@pytest.fixture
async def keepers(cluster: Installation) -> AsyncIterator[Callable[[], Keeper]]:
    """Makes keepers, which are closed in the end."""
    made: list[Keeper] = []

    def make() -> Keeper:
        made.append(Keeper(cluster, LOG))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def asked(number: int) -> Command:
    return Command(id=f"c{number}", who="telegram:ann", what="close_all", at=NOW)


def written(number: int) -> Record:
    return Record("commands", f"c{number}", asked(number))


def talks(number: int) -> Talks:
    pending = Pending(command=asked(number), user="ann", until_ms=NOW, question="Close all?")
    return Talks(update=number, at=NOW, pending={"code": pending}, strangers={"7": NOW})


def told(state: outbox.State, *numbers: int) -> outbox.State:
    """The state after so many notices, the first of each chat handed out."""
    for number in numbers:
        event = NoticeAsked(id=f"n{number}", level="info", agent="", text=f"n{number}", at=NOW)
        came = Came(event=event, now=NOW, topic="notices", partition=0, offset=number)
        state, _ = outbox.step(NOTIFYING, state, came)
    return state


async def commands(cluster: Installation) -> list[str]:
    found = await read(cluster, "commands")
    return [each.id for each in found if isinstance(each, Command)]


async def test_what_is_kept_is_found_again_with_what_was_published_beside_it(cluster, keepers):
    first = keepers()
    nothing = await first.open()
    state = told(outbox.State(), 1, 2, 3)
    await first.keep(state, talks(10), [written(10)])
    muted = Muted(user="ben", now=NOW, until_ms=NOW + 60_000)
    state, _ = outbox.step(NOTIFYING, state, muted)
    await first.keep(state, talks(11))
    await first.close()

    second = keepers()
    held = await second.open()

    assert (nothing.state, nothing.talks, nothing.number) == (outbox.State(), Talks(), 0)
    assert (held.state, held.talks, held.number) == (state, talks(11), 2)
    assert held.state.chats["ann"].out is not None
    assert len(held.state.chats["ben"].queue) == 2
    assert await commands(cluster) == ["c10"]


async def test_a_chat_whose_user_is_gone_is_kept_no_longer(cluster, keepers):
    keeper = keepers()
    await keeper.open()
    state = told(outbox.State(), 1)
    await keeper.keep(state, Talks())
    left = {"ann": state.chats["ann"]}
    await keeper.keep(msgspec.structs.replace(state, chats=left), Talks())

    again = keepers()
    held = await again.open()

    assert held.state.chats == left


async def test_only_chats_that_changed_are_written(cluster, keepers, monkeypatch):
    keys: list[list[str]] = []
    write = Outbox.write

    async def seen(self, records):
        keys.append([each.key for each in records if isinstance(each, Kept)])
        await write(self, records)

    monkeypatch.setattr(Outbox, "write", seen)
    keeper = keepers()
    await keeper.open()
    state = told(outbox.State(), 1)
    await keeper.keep(state, Talks())
    out = state.chats["ann"].out
    assert out is not None
    state, _ = outbox.step(NOTIFYING, state, Confirmed(user="ann", id=out.id, now=NOW))
    await keeper.keep(state, Talks())

    assert keys == [["ann", "ben", REST], ["ann", REST]]


async def test_a_second_keeper_ends_the_first(cluster, keepers):
    first, second = keepers(), keepers()
    await first.open()
    await first.keep(told(outbox.State(), 1), talks(1))
    held = await second.open()

    with pytest.raises(ReplacedError, match="another instance"):
        await first.keep(told(held.state, 2), talks(2), [written(2)])
    await second.keep(held.state, talks(3), [written(3)])

    assert held.talks.update == 1
    assert await commands(cluster) == ["c3"]


@pytest.mark.parametrize("committed", [False, True], ids=["before it", "after it"])
async def test_kafka_lost_in_the_middle_of_a_commit_loses_and_doubles_nothing(
    cluster, keepers, monkeypatch, committed
):
    write, losses = Outbox.write, 2

    async def lost(self, records):
        nonlocal losses
        losses -= 1
        if losses >= 0:
            if committed and not losses:
                await write(self, records)
            raise LostError("the connection is gone")
        await write(self, records)

    keeper = keepers()
    await keeper.open()
    monkeypatch.setattr(Outbox, "write", lost)
    await keeper.keep(told(outbox.State(), 1), talks(1), [written(1)])
    await keeper.keep(told(outbox.State(), 1, 2), talks(2), [written(2)])
    again = keepers()
    held = await again.open()

    assert await commands(cluster) == ["c1", "c2"]
    assert (held.talks, held.number) == (talks(2), 2)


@pytest.mark.parametrize("ahead", [0, 1], ids=["the same number", "a greater one"])
async def test_who_was_away_while_another_kept_ends_and_leaves_the_other_alone(
    cluster, keepers, monkeypatch, ahead
):
    """A keeper took another's transaction for its own, as it had the same number; and opening its
    outbox to look it ended the other one, too.
    """
    first, second = keepers(), keepers()
    await first.open()
    await first.keep(outbox.State(), talks(1))
    write = Outbox.write

    async def lost(self, records):
        monkeypatch.setattr(Outbox, "write", write)
        await second.open()
        for number in range(ahead + 1):
            await second.keep(outbox.State(), talks(10 + number), [written(10 + number)])
        raise LostError("it took too long")

    monkeypatch.setattr(Outbox, "write", lost)
    with pytest.raises(ReplacedError, match="goes on with its state"):
        await first.keep(outbox.State(), talks(2), [written(2)])
    await second.keep(outbox.State(), talks(20), [written(20)])

    assert await commands(cluster) == [f"c{10 + each}" for each in range(ahead + 1)] + ["c20"]


async def test_it_waits_until_kafka_can_say_what_became_of_a_commit(cluster, keepers, monkeypatch):
    open_, write, outages = Outbox.open, Outbox.write, 3
    monkeypatch.setattr(keeping, "AGAIN_S", 0.0)

    async def away(self):
        nonlocal outages
        outages -= 1
        if outages >= 0:
            raise LostError("nobody answers")
        await open_(self)

    async def lost(self, records):
        monkeypatch.setattr(Outbox, "write", write)
        await write(self, records)
        raise LostError("the connection is gone")

    keeper = keepers()
    await keeper.open()
    monkeypatch.setattr(Outbox, "write", lost)
    monkeypatch.setattr(Outbox, "open", away)
    async with asyncio.timeout(60):
        await keeper.keep(outbox.State(), talks(1), [written(1)])

    assert outages < 0
    assert await commands(cluster) == ["c1"]


@pytest.mark.parametrize("key", [REST, "ann"])
async def test_a_state_that_cant_be_read_stops_it_with_a_cure(keepers, key):
    keeper = keepers()
    await keeper.open()
    await keeper.keep(told(outbox.State(), 1), talks(1))
    await keeper._outbox.write([Kept(TOPIC, key, b'{"number": "x", "queue": 7}')])

    again = keepers()
    with pytest.raises(StateError, match="run the code that wrote it") as error:
        await again.open()

    assert "\n" not in str(error.value)


async def test_what_was_handed_out_and_never_confirmed_is_a_repeat_for_the_next_one(
    cluster, keepers
):
    keeper = keepers()
    await keeper.open()
    await keeper.keep(told(outbox.State(), 1), Talks())

    again = keepers()
    held = await again.open()
    _, outputs = outbox.step(NOTIFYING, held.state, Started(now=NOW))

    sends = [each for each in outputs if isinstance(each, Send)]
    assert [(each.user, each.repeat) for each in sends] == [("ann", True), ("ben", True)]
