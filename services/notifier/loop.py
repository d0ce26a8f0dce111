"""The notifier's loop: folds what comes in, keeps what came of it, and only then lets it go out.

One task folds; the others bring events, what people ask, outcomes and answers into its queue.
Times are wall times.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from chandler.core.events import DeadLetter, InfraEvent
from chandler.core.hashing import digest
from chandler.core.notices import outbox
from chandler.core.notices.channel import Outcome
from chandler.core.notices.inputs import (
    Came,
    Confirmed,
    Input,
    Output,
    Passed,
    Rejected,
    Said,
    Send,
    Started,
    Undelivered,
    Unsent,
)
from chandler.core.notices.text import Line
from chandler.core.trading.events import NoticeAsked
from chandler.streams.points import point
from chandler.streams.reader import Record as Read
from chandler.streams.writing import Record
from services.notifier.items import Alerts, Begun, Found, Happened, Item, Prepared
from services.notifier.talk import Asked, Decided, Query, Reply, Talks

KEEP_S = 1.0  # between two keepings of what nobody waits for
KEEP_MS = 1_000
BATCH_MAX = 2_000  # inputs that are folded before they are kept
QUEUE_MAX = 20  # inputs that wait: batches of events, outcomes, questions
EVENTS_MAX = 500  # in one of them
DRAIN_S_MAX = 2.5  # that messages on their way may take at the stop
LETTER_MAX = 4_096
PATIENT_S = 3.0  # that an answer holds up what is asked after it; then it follows by itself
LATER = "It takes longer than usual: the answer follows."


class Keeping(Protocol):
    """Who keeps the state: see keeping.Keeper."""

    async def keep(
        self, state: outbox.State, talks: Talks, records: Sequence[Record] = ()
    ) -> None: ...


class Parts(NamedTuple):
    """What the loop is made of; everything that reaches out is behind one of these."""

    decide: Callable[[Talks, Asked, int], Decided]
    answer: Callable[[Query], Awaitable[Reply]]
    venue_ms: Callable[[], Awaitable[int]]  # the venue's time now; 0: unknown
    drawn: Callable[[str], Awaitable[bytes | None]]
    bring: Callable[[Send, bytes | None], Awaitable[Outcome]]
    tapped: Callable[[str, str], Awaitable[None]]
    close: Callable[[int, int], Awaitable[None]]  # chat, message: its buttons go
    refuse: Callable[[int, str], Awaitable[None]]
    counted: Callable[[str, str], None]  # a metric's last word, a label
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


_replace = msgspec.structs.replace


class Loop:
    """`run` until `stop`; `events`, `ask`, `alert` and `happened` bring it what it takes."""

    def __init__(
        self,
        notifying: outbox.Notifying,
        state: outbox.State,
        talks: Talks,
        keeper: Keeping,
        parts: Parts,
        log: logging.Logger,
    ) -> None:
        self.notifying = notifying
        self.state = state
        self.talks = talks
        self._keeper = keeper
        self._parts = parts
        self._log = log
        self._items: asyncio.Queue[Item] = asyncio.Queue(QUEUE_MAX)
        self._sending: set[asyncio.Task[None]] = set()
        self._looking: set[asyncio.Task[None]] = set()  # for answers that follow
        self._after: list[Callable[[], Awaitable[None]]] = []  # once the batch is kept
        self._records: list[Record] = []
        self._sends: list[Send] = []
        self._done: list[asyncio.Future[None]] = []
        self._kept_at = time.monotonic()
        self._kept = state, talks
        self._ending = False

    def now_ms(self) -> int:
        """The wall clock."""
        return self._parts.now_ms()

    # What comes in.

    async def events(self, batch: list[Read]) -> None:
        """Records of topics, in the order of their partitions."""
        for at in range(0, len(batch), EVENTS_MAX):
            await self._items.put(batch[at : at + EVENTS_MAX])

    async def begun(self, lanes: dict[str, int]) -> None:
        """Where partitions begin; returns when it is kept.

        What comes first in one of them while no notifier runs is told by the next one, too.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._items.put(Begun(lanes, done))
        await done

    async def ask(self, asked: Asked) -> None:
        """Something that a person wrote or tapped; returns when it is kept, answer and all."""
        came_ms = self._parts.now_ms()
        decided = self._parts.decide(self.talks, asked, came_ms)
        if decided.query is not None:
            decided = _replace(decided, reply=await self._found(asked, decided.query))
        if decided.commands:
            at = await self._parts.venue_ms() or self._parts.now_ms()
            placed = [_replace(each, at=at) for each in decided.commands]
            decided = _replace(decided, commands=placed)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._items.put(Prepared(asked, decided, done, came_ms))
        await done

    async def _found(self, asked: Asked, query: Query) -> Reply:
        """The answer, or that it follows: who asks something else meanwhile is not held up."""

        async def later() -> None:
            await self._items.put(Found(asked, query.user, await looking))

        looking = asyncio.ensure_future(self._parts.answer(query))
        try:
            done, _ = await asyncio.wait([looking], timeout=PATIENT_S)
        except asyncio.CancelledError:
            looking.cancel()
            raise
        if done:
            return looking.result()
        task = asyncio.create_task(later())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)
        return Reply(lines=[Line(LATER)])

    async def alert(self, notices: list[NoticeAsked]) -> None:
        """Notices from outside; returns when they are in topic `notices`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._items.put(Alerts(notices, done))
        await done

    async def happened(self, event: InfraEvent) -> None:
        """For topic `infra`, from where it is told like any other."""
        await self._items.put(Happened(event))

    # The loop.

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, and until what is on its way then has arrived or DRAIN_S_MAX is over."""

        async def tell() -> None:
            await stop.wait()
            self._ending = True
            await self._items.put(None)

        telling = asyncio.create_task(tell())
        self._step(Started(now=self._parts.now_ms()))
        try:
            while not stop.is_set():
                await self._turn(KEEP_S)
            deadline = time.monotonic() + DRAIN_S_MAX
            while self._sending and time.monotonic() < deadline:
                await self._turn(deadline - time.monotonic())
            while not self._items.empty():  # the last outcomes among them
                self._take(self._items.get_nowait())
            await self._keep()
        finally:
            telling.cancel()
            for task in (*self._sending, *self._looking):
                task.cancel()

    async def _turn(self, most_s: float) -> None:
        """Takes what is there, or waits for it and for the time; keeps what came of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(most_s, self._wait_s())):
                item = await self._items.get()
            left = BATCH_MAX
            while True:
                self._take(item)
                left -= len(item) if isinstance(item, list) else 1
                if left <= 0 or self._items.empty():
                    break
                item = self._items.get_nowait()
        self._step(Passed(now=self._parts.now_ms()))
        late = time.monotonic() - self._kept_at >= KEEP_S
        moved = self.state is not self._kept[0] or self.talks is not self._kept[1]
        if self._sends or self._records or self._done or (late and moved):
            await self._keep()
        await asyncio.sleep(0)  # after a backlog, too, others have their turn: health first of all

    def _wait_s(self) -> float:
        due = outbox.next_ms(self.notifying, self.state)
        if due is None:
            return KEEP_S
        return min(max((due - self._parts.now_ms()) / 1_000, 0.0), KEEP_S)

    def _take(self, item: Item) -> None:
        match item:
            case Begun():
                offsets = {**item.lanes, **self.state.offsets}
                self.state = _replace(self.state, offsets=offsets)
                self._done.append(item.done)
            case Prepared():
                self._answer(item)
            case Found():
                cause, now = f"found {item.asked.update}", self._parts.now_ms()
                self._step(_said(item.user, cause, now, item.reply, item.asked))
            case Alerts():
                self._records += [Record("notices", each.agent, each) for each in item.notices]
                self._done.append(item.done)
            case Happened():
                self._records.append(Record("infra", item.event.service, item.event))
            case Confirmed() | Unsent() | Rejected():
                self._step(item)
            case None:
                return  # the stop
            case _:
                for record in item:
                    self._came(record)

    def _came(self, record: Read) -> None:
        if record.event is None:
            return  # it can't be read: who decides by it has written a dead letter
        self._step(
            Came(
                event=record.event,
                now=self._parts.now_ms(),
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
            )
        )

    def _answer(self, prepared: Prepared) -> None:
        """Everything that a question or a command comes to."""
        asked, decided = prepared.asked, prepared.decided
        now = self._parts.now_ms()
        self._done.append(prepared.done)
        self.talks = decided.talks
        if decided.wish is not None:
            self._step(decided.wish)
        for command in decided.commands:
            self._records.append(Record("commands", command.id, command))
            # Before its answer can come.
            self._step(Came(event=command, now=now, message=decided.message))
            self._parts.counted("commands", command.what)
        if decided.reply is not None and decided.user:
            cause = f"reply {asked.update}"
            came_ms = 0 if asked.followed else prepared.came_ms
            self._step(_said(decided.user, cause, now, decided.reply, asked, came_ms))
        if decided.owners:
            for name, user in self.notifying.users.items():
                if user.role == "owner":
                    told = Reply(lines=[Line(decided.owners)])
                    self._step(_said(name, f"stranger {asked.update}", now, told))
        if asked.tap:
            self._after.append(lambda: self._parts.tapped(asked.tap, decided.tapped))
        if decided.closes and asked.message:
            self._after.append(lambda: self._parts.close(asked.chat_id, asked.message))
        if decided.refusal:
            self._after.append(lambda: self._parts.refuse(asked.chat_id, decided.refusal))

    def _step(self, event: Input) -> None:
        self.state, outputs = outbox.step(self.notifying, self.state, event)
        for output in outputs:
            self._out(output)

    def _out(self, output: Output) -> None:
        if isinstance(output, Send):
            self._sends.append(output)
            return
        assert isinstance(output, Undelivered)
        self._parts.counted("undelivered", output.user)
        letter = DeadLetter(
            source="notifier",
            cause="undelivered",
            detail=f"a message for {output.user}: {output.reason}",
            raw=output.html[:LETTER_MAX],
        )
        self._records.append(Record("dead-letters", letter.source, letter))

    async def _keep(self) -> None:
        """Keeps what was folded, then lets it out. At the end nothing more is sent."""
        while self._ending and self._sends:  # it waits for the next start, as if never handed out
            held, self._sends = self._sends, []
            for send in held:
                now = self._parts.now_ms()
                self._step(Unsent(user=send.user, id=send.id, now=now, retry_after_ms=KEEP_MS))
        records, self._records = self._records, []
        sends, self._sends = self._sends, []
        done, self._done = self._done, []
        after, self._after = self._after, []
        await self._keeper.keep(self.state, self.talks, records)
        self._kept, self._kept_at = (self.state, self.talks), time.monotonic()
        for future in done:
            if not future.done():
                future.set_result(None)
        for each in after:
            self._background(each())
        for send in sends:
            self._background(self._bring(send))

    def _background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _bring(self, send: Send) -> None:
        """Brings a message to its channel; what became of it goes into the queue."""
        picture = None
        if send.picture:
            try:
                picture = await self._parts.drawn(send.picture)
            except Exception as error:  # the words are told without it
                self._log.warning("a picture was not drawn: %s", type(error).__name__)
        point("message.before")
        try:
            outcome = await self._parts.bring(send, picture)
        except Exception as error:  # a plug-in's: whatever it does, the others are told
            self._log.warning("the channel of %s failed: %s", send.user, type(error).__name__)
            outcome = Outcome(what="later", reason=type(error).__name__, perhaps=True)
        point("message.after")
        self._parts.counted("messages", outcome.what)
        await self._items.put(_reply(send, outcome, self._parts.now_ms()))


def _said(
    user: str, cause: str, now: int, reply: Reply, asked: Asked | None = None, came_ms: int = 0
) -> Said:
    """`asked`: what it answers; `came_ms`: wall time at which that came, 0: others came after."""
    written = asked is not None and asked.private and not asked.tap
    return Said(
        reply_to=asked.message if asked is not None and written else 0,
        asked_ms=came_ms,
        user=user,
        id=digest("said", user, cause),
        now=now,
        lines=reply.lines,
        buttons=reply.buttons,
        picture=reply.picture,
    )


def _reply(send: Send, outcome: Outcome, now: int) -> Confirmed | Unsent | Rejected:
    if outcome.what == "arrived":
        return Confirmed(user=send.user, id=send.id, now=now)
    if outcome.what == "never":
        return Rejected(user=send.user, id=send.id, now=now, reason=outcome.reason)
    return Unsent(
        user=send.user,
        id=send.id,
        now=now,
        retry_after_ms=outcome.retry_after_ms,
        perhaps=outcome.perhaps,
    )
