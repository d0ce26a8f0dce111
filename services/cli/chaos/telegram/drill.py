"""The run: the notifier as a process, Telegram's stand-in here, and all that happens to the two."""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.trading.events import Command
from chandler.streams.codec import encode
from chandler.streams.points import OF_MESSAGES, VARIABLE
from chandler.streams.reader import read_topics
from chandler.streams.settings import PORT_TELEGRAM, Installation
from chandler.streams.writing import LostError, Outbox, Record
from services.cli.chaos.drill import READY_S_MAX, DrillError, Say
from services.cli.chaos.telegram.causes import USERS, Ask, answer_to, causes, wish
from services.cli.chaos.telegram.verdict import Doubt, Told
from services.telegram import STAND_IN_TOKEN, STAND_IN_USERNAME
from services.telegram_stand_in.faults import Faults
from services.telegram_stand_in.limits import Limits
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.refusals import ApiError
from services.telegram_stand_in.server import StandIn
from services.topology import Worker
from services.watchdog.child import Child, service_command
from services.watchdog.supervisor import Supervisor

POLL_S = 0.1
POINT_S_MAX = 45.0  # until an armed life has come to its point
POINT_PASSES_MAX = 4
READY_SHARE = 0.7  # of the kills wait until the notifier works; the others strike whenever
ASK_EVERY = 5  # notices
ASK_S = 1.5  # between two asks while Telegram can be reached, on the average
CALM_S = 2.0  # between two faults
KILL_S = 5.0  # that a kill takes, roughly, until the next one
NEWEST = 50  # records of a lane that are looked at after an error
SIGKILLED = re.compile(r"was ended by signal 9\b")
CHAT_PER_SECOND = 10.0  # so that a run of minutes suffices: the real one takes 1
FINE = Faults(duplicate_every=3)  # updates come twice all the time


class Spell(NamedTuple):
    """A fault for some time."""

    seconds: float
    faults: Faults | None  # None: the port is closed


SPELLS = (
    Spell(4.0, replace(FINE, storm_s=2)),
    Spell(5.0, replace(FINE, server_error=0.6)),
    Spell(6.0, replace(FINE, lost_reply=0.3, methods=("sendMessage",))),
    Spell(12.0, replace(FINE, silence=True)),  # longer than the notifier waits for a reply
    Spell(3.0, replace(FINE, server_error=1.0, server_code=500)),
    Spell(6.0, replace(FINE, lost_reply=0.2, methods=("sendMessage",), seed=2)),
    Spell(4.0, replace(FINE, storm_s=1)),
)
SPELLS_SHORT = 4  # the first ones, of a run with fewer notices than
NOTICES_LONG = 100


class Kill(NamedTuple):
    """SIGKILL: at once, or by itself at a point of its next life."""

    after_s: float
    ready: bool  # it works by then
    point: str = ""


def kills_of(count: int, pause_s: float, chance: random.Random) -> list[Kill]:
    """Every third one at a named point, in a life that follows an end at random."""
    made = []
    for number in range(count):
        after_s, point = chance.uniform(0.1, pause_s), ""
        if number % 3 == 2:
            name = OF_MESSAGES[chance.random() < 0.75]  # mostly between sending and the reply
            point = f"{name}:{chance.randint(1, POINT_PASSES_MAX)}"
        made.append(Kill(after_s, chance.random() < READY_SHARE, point))
    return made


class Drill:
    """`running` it, then `work`, then `settle`; `asks`, `doubt` and `texts` say what came of it."""

    def __init__(
        self, installation: Installation, environ: Mapping[str, str], seed: int, say: Say
    ) -> None:
        self.installation = installation
        self.say = say
        self.asks: list[Ask] = []
        self.points: list[str] = []  # that ended it
        self.kills: list[float] = []  # when, seconds since 1970
        self._spells: list[tuple[float, float]] = []  # in which nobody knows what has arrived
        self._cuts = 0
        self._reachable = True
        self._chance = random.Random(seed)
        self._seed = seed
        self._armed = ""
        self._fell = asyncio.Event()
        self._answered: set[str] = set()
        self._tapped: set[int] = set()
        self._people = {
            name: Person(user_id=user.telegram_id, name=name.title())
            for name, user in USERS.items()
        }
        self.stand_in = StandIn(
            installation.port(PORT_TELEGRAM),
            bots={STAND_IN_TOKEN: STAND_IN_USERNAME},
            people=tuple(self._people.values()),
            limits=Limits(chat_per_second=CHAT_PER_SECOND, all_per_second=0),
            faults=FINE,
        )
        self._bot = self.stand_in.bots[STAND_IN_TOKEN]
        self._supervisor = Supervisor(
            installation,
            [Worker("notifier", 0)],
            environ,
            lambda worker, line: None,
            self._changed,
            command=self._command,
            restart_s=0.0,
        )
        self._outbox = Outbox(installation, "chaos")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The stand-in and the notifier, ready."""
        async with self.stand_in:
            await self._outbox.open()
            await self._supervisor.start()
            watching = asyncio.create_task(self._supervisor.watch())
            try:
                await self._until(lambda: self._child.ready, "the notifier is ready")
                yield
            finally:
                watching.cancel()
                await self._supervisor.stop()
                await self._outbox.close()

    async def work(
        self, notices: int, kills: int, outage_s: float, pause_s: float, done: Callable[[int], None]
    ) -> None:
        """Everything at once, until all notices are out and all kills done. `done`: of kills."""
        spells = list(SPELLS if notices >= NOTICES_LONG else SPELLS[:SPELLS_SHORT])
        if outage_s:
            spells.append(Spell(outage_s, None))
        self._chance.shuffle(spells)
        weather_s = sum(CALM_S + spell.seconds for spell in spells)
        pause_s = max(pause_s, 2 * (weather_s / max(kills, 1) - KILL_S))  # over all of it
        gap_s = max(weather_s, kills * (KILL_S + pause_s / 2)) / notices
        async with asyncio.TaskGroup() as group:
            group.create_task(self._happen(notices, gap_s))
            group.create_task(self._weather(spells))
            group.create_task(self._talk(weather_s))
            group.create_task(self._strike(kills_of(kills, pause_s, self._chance), done))
        await self._until(lambda: self._child.ready, "the notifier is back")

    async def settle(self, within_s: float, complete: Callable[[], Awaitable[bool]]) -> None:
        """Waits until everybody has everything, and what may come twice has come, too."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._confirm()
            await self._answer()
            if await complete():
                break
            await asyncio.sleep(1.0)
        await asyncio.sleep(CALM_S)

    @property
    def doubt(self) -> Doubt:
        """How many messages may have come twice."""
        return Doubt(
            kills=self.kills,
            spells=self._spells,
            lost_replies=self.stand_in.weather.counts["lost_reply"],
            cuts=self._cuts,
            chats=len(USERS),
        )

    def texts(self) -> dict[str, list[Told]]:
        """What the bot wrote to each user, in order."""
        return {
            name: [
                Told(str(each.content.get("text", "")), each.date_s)
                for each in self._bot.chats[person.user_id].messages.values()
                if each.sender["id"] == self._bot.id
            ]
            for name, person in self._people.items()
        }

    # What happens.

    async def _happen(self, notices: int, gap_s: float) -> None:
        """Events and what people ask, one after another."""
        for number, record in enumerate(causes(notices, self._seed), 1):
            await self._publish(record)
            self._confirm()
            if number % ASK_EVERY == 0:
                self._ask()
                await self._answer()
            await asyncio.sleep(self._chance.uniform(0, 2 * gap_s))

    async def _talk(self, for_s: float) -> None:
        """What people write while it reaches Telegram: what they write besides mostly expires."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            await asyncio.sleep(self._chance.uniform(0, 2 * ASK_S))
            if self._reachable:
                self._ask()

    def _ask(self) -> None:
        staff = [name for name, user in USERS.items() if user.role != "viewer"]
        user = self._chance.choice(staff)
        text, token = wish(len(self.asks) + 1, USERS[user].role, self._chance)
        update = self._bot.updates.next
        People(self._bot).say(self._people[user], text)
        self.asks.append(Ask(update, user, text, token))

    def _confirm(self) -> None:
        """Taps Confirm under questions that are new, mostly; now and then twice."""
        for person in self._people.values():
            chat = self._bot.chats[person.user_id]
            for message in list(chat.messages.values()):
                rows = message.content.get("reply_markup", {}).get("inline_keyboard", [])
                codes = [str(each["callback_data"]) for row in rows for each in row]
                yes = [code for code in codes if code.startswith("yes:")]
                if not yes or message.id in self._tapped:
                    continue
                self._tapped.add(message.id)
                for _ in range(self._chance.choice((0, 1, 1, 1, 2))):
                    with contextlib.suppress(ApiError):
                        People(self._bot).tap(person, message.id, yes[0])

    async def _answer(self) -> None:
        """Says what became of each command that is new, as the desk would."""
        commands = [each.event async for each in read_topics(self.installation, ["commands"])]
        for command in commands:
            if isinstance(command, Command) and command.id not in self._answered:
                self._answered.add(command.id)
                await self._publish(answer_to(command))

    async def _publish(self, record: Record) -> None:
        """Once, whatever becomes of the transaction."""
        while True:
            try:
                await self._outbox.write([record])
                return
            except LostError as error:
                self.say(str(error))
                await self._outbox.open()
            raw = encode(record.event)
            there = read_topics(self.installation, [record.topic], newest=NEWEST)
            if raw in [each.raw async for each in there]:
                return

    async def _weather(self, spells: list[Spell]) -> None:
        for spell in spells:
            await asyncio.sleep(CALM_S)
            began = time.time()
            if spell.faults is None:
                self._cuts += 1
                self._reachable = False
                await self.stand_in.close_port()
                self._spells.append((began, time.time()))
                await asyncio.sleep(spell.seconds)
                await self.stand_in.open_port()
                self._reachable = True
                continue
            self.stand_in.weather.set(spell.faults)
            await asyncio.sleep(spell.seconds)
            self.stand_in.weather.set(FINE)
            if spell.faults.lost_reply:
                self._spells.append((began, time.time()))

    # What strikes.

    @property
    def _child(self) -> Child:
        return self._supervisor.children[0]

    async def _strike(self, kills: list[Kill], done: Callable[[int], None]) -> None:
        for number, kill in enumerate(kills):
            if kill.point:
                await self._come_to(kill.point)
            else:
                if kill.ready:
                    await self._until(lambda: self._child.ready, "it is back")
                await asyncio.sleep(kill.after_s)
                await self._kill("".join(each.point for each in kills[number + 1 : number + 2]))
            done(len(self.kills))

    async def _come_to(self, point: str) -> None:
        """Waits for the end that was armed; one that doesn't come there is killed."""
        try:
            async with asyncio.timeout(POINT_S_MAX):
                await self._fell.wait()
            self.points.append(point)
        except TimeoutError:
            self.say(f"the notifier did not come to {point} within {POINT_S_MAX:g} s")
            await self._kill()

    async def _kill(self, point: str = "") -> None:
        """Ends it; its successor ends itself at `point`, and the next one is unarmed."""
        await self._until(lambda: self._child.pid is not None, "a notifier")
        pid = self._child.pid
        assert pid is not None
        self._armed = point
        self._fell.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await self._fell.wait()
        self._fell.clear()
        await self._until(lambda: self._child.pid not in (None, pid), "its successor")
        self._armed = ""

    def _command(self, worker: Worker) -> list[str]:
        command = service_command(worker)
        if self._armed:
            return ["/usr/bin/env", f"{VARIABLE}={self._armed}", *command]
        return command

    def _changed(self, child: Child, text: str) -> None:
        if SIGKILLED.search(text) and "is back" not in text:
            self.kills.append(time.time())
            self._fell.set()
        elif "is back" not in text:
            self.say(text)

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while not holds():
            if time.monotonic() > deadline:
                logs = self.installation.data / "logs"
                raise DrillError(f"{what}: not within {READY_S_MAX:g} s, look at {logs}")
            await asyncio.sleep(POLL_S)
