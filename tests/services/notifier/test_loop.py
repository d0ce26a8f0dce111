"""The loop: what is handed out was kept before, and nothing is asked or told twice."""

import asyncio
import logging
from decimal import Decimal

import pytest

from chandler.core.events import InfraEvent
from chandler.core.notices import outbox
from chandler.core.notices.channel import ARRIVED, Outcome
from chandler.core.notices.inputs import Send
from chandler.core.notices.routing import User
from chandler.core.notices.text import REPEAT, Line
from chandler.core.trading.events import Command, NoticeAsked
from chandler.streams.reader import Record as Read
from chandler.streams.writing import Record
from services.notifier.loop import BATCH_MAX, Loop, Parts
from services.notifier.talk import Asked, Query, Reply, Talks
from services.notifier.talking import Talking, decide

LOG = logging.getLogger("test")
USERS = {"ann": User(role="owner", telegram_id=1), "ben": User(role="operator", telegram_id=2)}
NOW = 1_800_000_000_000
TALKING = Talking(
    users=USERS,
    agents=("scalper",),
    engines=("trend",),
    services=("ingest",),
    limits={},
    symbols=frozenset(),
)


class Kept:
    """A keeper in memory; what it was given last is what a next start finds."""

    def __init__(self) -> None:
        self.state, self.talks = outbox.State(), Talks()
        self.records: list[Record] = []
        self.times = 0

    async def keep(self, state, talks, records=()):
        self.state, self.talks = state, talks
        self.records += records
        self.times += 1

    def events(self, topic: str):
        return [each.event for each in self.records if each.topic == topic]


class Post:
    """Where messages go: what came, and what is answered to the next ones."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.came: list[Send] = []
        self.answers: list[Outcome | Exception] = []
        self.changed = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def bring(self, send: Send, picture: bytes | None) -> Outcome:
        chat = self.kept.state.chats[send.user]
        assert chat.out is not None, "kept before it is handed out"
        assert chat.out.id == send.id
        self.came.append(send)
        self.changed.set()
        if self.held is not None:
            await self.held.wait()
        found = self.answers.pop(0) if self.answers else ARRIVED
        if isinstance(found, Exception):
            raise found
        return found

    async def until(self, count: int) -> list[str]:
        """The messages' words, once there are so many."""
        async with asyncio.timeout(30):
            while len(self.came) < count:
                self.changed.clear()
                await self.changed.wait()
        return [each.html for each in self.came]


class Life:
    """One run of a notifier over what an earlier one kept. `async with` it."""

    def __init__(self, kept: Kept, answer=None) -> None:
        self.kept = kept
        self.post = Post(kept)
        self.stop = asyncio.Event()
        self.refused: list[str] = []
        self.tapped: list[str] = []
        self.closed: list[tuple[int, int]] = []
        self.now = NOW
        self.dead = False

        async def answered(query: Query) -> Reply:
            return Reply(lines=[Line(f"about {query.topic}")])

        async def venue_ms() -> int:
            return 1_704_448_800_000

        async def drawn(spec: str) -> bytes | None:
            return None

        async def refuse(chat: int, words: str) -> None:
            self.refused.append(words)

        async def tapped(tap: str, words: str) -> None:
            self.tapped.append(tap)

        async def close(chat: int, message: int) -> None:
            self.closed.append((chat, message))

        self.loop = Loop(
            outbox.Notifying(users=USERS),
            kept.state,
            kept.talks,
            kept,
            Parts(
                decide=lambda talks, asked, now: decide(TALKING, talks, asked, now),
                answer=answer or answered,
                venue_ms=venue_ms,
                drawn=drawn,
                bring=self.post.bring,
                tapped=tapped,
                close=close,
                refuse=refuse,
                counted=lambda name, label: None,
                now_ms=self.clock,
            ),
            LOG,
        )

    async def __aenter__(self):
        self.running = asyncio.create_task(self.loop.run(self.stop))
        return self

    async def __aexit__(self, *_):
        self.stop.set()
        if not self.dead:
            await self.running

    def clock(self) -> int:
        """Wall time, which passes whenever somebody looks."""
        self.now += 50
        return self.now

    async def killed(self):
        """As by SIGKILL: nothing more is kept."""
        self.dead = True
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    def write(self, update: int, text: str = "", data: str = "", user: int = 1) -> Asked:
        return Asked(
            update=update,
            user_id=user,
            chat_id=user,
            private=True,
            text=text,
            data=data,
            tap=f"tap{update}" if data else "",
            at=self.now,
            message=1_000 + update,
        )


def notice(number: int, text: str = "") -> Read:
    event = NoticeAsked(id=f"n{number}", level="info", agent="", text=text or f"n {number}", at=NOW)
    return Read("notices", 0, number, NOW, "", event, b"", {})


async def test_a_notice_reaches_everybody_once():
    async with Life(Kept()) as life:
        await life.loop.events([notice(1)])
        await life.loop.events([notice(1)])
        await life.loop.events([notice(2)])
        words = await life.post.until(4)

    assert sorted(each.user for each in life.post.came) == ["ann", "ann", "ben", "ben"]
    assert all("n 1" in each or "n 2" in each for each in words)


async def test_what_was_on_its_way_when_it_was_killed_comes_again_as_a_repeat():
    kept = Kept()
    async with Life(kept) as life:
        life.post.held = asyncio.Event()
        await life.loop.events([notice(1)])
        await life.post.until(2)
        await life.killed()

    async with Life(kept) as again:
        words = await again.post.until(2)

    assert all(REPEAT in each for each in words)
    assert all(each.out is None for each in kept.state.chats.values())


async def test_a_stop_waits_for_what_is_on_its_way_and_hands_out_nothing_more():
    kept = Kept()
    async with Life(kept) as life:
        life.post.held = asyncio.Event()
        await life.loop.events([notice(1), notice(2)])
        await life.post.until(2)
        life.stop.set()
        life.post.held.set()
    assert len(life.post.came) == 2

    async with Life(kept) as again:
        words = await again.post.until(2)

    assert not any(REPEAT in each for each in words)
    assert all("n 2" in each for each in words)


async def test_a_channel_that_raises_is_asked_again_with_a_mark():
    async with Life(Kept()) as life:
        life.post.answers = [RuntimeError("boom"), RuntimeError("boom")]
        await life.loop.events([notice(1)])
        await life.post.until(2)
        words = await life.post.until(4)

    assert all(REPEAT in each for each in words[2:])


async def test_what_is_never_taken_is_a_dead_letter_and_the_next_one_goes_on():
    kept = Kept()
    async with Life(kept) as life:
        life.post.answers = [Outcome(what="never", reason="blocked")] * 2
        await life.loop.events([notice(1), notice(2)])
        await life.post.until(4)

    letters = kept.events("dead-letters")
    assert len(letters) == 2
    assert {each.cause for each in letters} == {"undelivered"}


async def test_a_question_is_answered_in_its_chat():
    async with Life(Kept()) as life:
        await life.loop.ask(life.write(10, "/status"))
        words = await life.post.until(1)

    assert words == ["about status"]


async def test_an_update_that_comes_again_asks_nothing():
    kept = Kept()
    async with Life(kept) as life:
        await life.loop.ask(life.write(10, "/pause trend scalper"))
        await life.loop.ask(life.write(10, "/pause trend scalper"))
        await life.post.until(1)

    [command] = kept.events("commands")
    assert (command.what, command.source, command.who) == ("pause", "trend", "telegram:ann")
    assert command.at == 1_704_448_800_000


async def test_a_command_and_that_it_was_asked_for_are_kept_together():
    """Killed at any moment, the next life finds both or neither: never a command twice."""
    kept = Kept()
    async with Life(kept) as life:
        await life.loop.ask(life.write(10, "/buy BTCUSDT 100 scalper"))
        [question] = await life.post.until(1)
        code = life.post.came[0].buttons[0][0].data
        await life.loop.ask(life.write(11, data=code))
        await life.killed()
    assert "BTCUSDT" in question

    async with Life(kept) as again:
        await again.loop.ask(again.write(11, data=code))  # Telegram gives it again
        await again.loop.ask(again.write(12, data=code))  # and the person taps again

    [command] = kept.events("commands")
    assert (command.what, command.side, command.notional) == ("force", "long", Decimal(100))
    assert again.tapped == ["tap11", "tap12"]
    assert again.closed == [(1, 1_012)]  # the buttons of a question that is over go


async def test_an_answer_of_the_desk_goes_to_who_asked():
    from chandler.core.trading.events import Answer

    kept = Kept()
    async with Life(kept) as life:
        await life.loop.ask(life.write(10, "/pause trend scalper", user=2))
        await life.post.until(1)
        [command] = kept.events("commands")
        answer = Answer(command=command.id, outcome="done", detail="paused", by="executor", at=NOW)
        await life.loop.events([Read("answers", 0, 0, NOW, "", answer, b"", {})])
        await life.post.until(2)

    assert [each.user for each in life.post.came] == ["ben", "ben"]
    assert "paused" in life.post.came[1].html
    assert [each.reply_to for each in life.post.came] == [0, 1_010]


async def test_a_stranger_is_refused_and_the_owner_told():
    async with Life(Kept()) as life:
        await life.loop.ask(life.write(10, "/status", user=666))
        words = await life.post.until(1)

    assert [each.user for each in life.post.came] == ["ann"]
    assert "666" in words[0]
    assert len(life.refused) == 1


async def test_alerts_and_what_happens_to_a_connection_are_published_before_they_are_told():
    kept = Kept()
    asked = NoticeAsked(id="a", level="alarm", agent="", text="disk is full", at=NOW)
    lost = InfraEvent(
        service="notifier", instance="i", kind="connection_lost", at=NOW, detail="telegram"
    )
    async with Life(kept) as life:
        await life.loop.alert([asked])
        assert kept.events("notices") == [asked]
        await life.loop.happened(lost)

    assert kept.events("infra") == [lost]
    assert life.post.came == []  # they are told when they are read


async def test_events_that_nobody_waits_for_are_kept_now_and_then_not_each(monkeypatch):
    kept = Kept()
    command = Command(id="c", who="cli", what="close_all", at=NOW)
    async with Life(kept) as life:
        for number in range(50):
            await life.loop.events([Read("commands", 0, number, NOW, "c", command, b"", {})])
            await asyncio.sleep(0)
    assert kept.state.offsets == {"commands:0": 50}
    assert kept.times < 25


@pytest.mark.parametrize("what", ["later", "never"])
async def test_the_order_in_a_chat_is_kept_whatever_becomes_of_a_message(what):
    async with Life(Kept()) as life:
        life.post.answers = [Outcome(what=what, reason="for now")] * 2
        await life.loop.events([notice(number) for number in range(1, 5)])
        await life.post.until(10 if what == "later" else 8)

    for user in USERS:
        words = [each.html for each in life.post.came if each.user == user]
        seen = list(dict.fromkeys(words))
        assert [f"n {number}" in each for number, each in enumerate(seen, 1)] == [True] * 4


async def test_a_backlog_leaves_others_their_turn():
    """Twenty batches of 5,000 records were folded at a stretch: for seconds nothing else went on,

    not even the answer that the service is alive, and the watchdog would have killed it each time.
    """
    kept, turns, count = Kept(), 0, 20_000
    command = Command(id="c", who="cli", what="close_all", at=NOW)

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Life(kept) as life:
        records = [Read("commands", 0, each, NOW, "c", command, b"", {}) for each in range(count)]
        other = asyncio.create_task(turning())
        await life.loop.events(records)
        while life.loop.state.offsets.get("commands:0") != count:
            await asyncio.sleep(0)
        other.cancel()

    assert kept.state.offsets == {"commands:0": count}
    assert turns >= count // BATCH_MAX
