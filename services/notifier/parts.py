"""The notifier put together: the loop, and what brings things to it and takes them from it."""

import asyncio
import os
import socket

from chandler.core.notices import outbox
from chandler.core.notices.channel import Bring, Outcome
from chandler.core.notices.inputs import Send
from chandler.core.notices.routing import TELEGRAM, User
from chandler.core.trading.limits import LIMITS
from chandler.streams.settings import PORT_ALERTS
from services.declaration import Context
from services.deploying.mounted import mounted
from services.following.sources import Sources, is_outage
from services.following.views import Views
from services.notifier.answering.answer import answer
from services.notifier.answering.pictures import drawn
from services.notifier.channels.telegram import Telegram, TelegramError, pause
from services.notifier.inlets import AlertServer, Connection, follow, listen
from services.notifier.keeping import Held, Keeper
from services.notifier.loop import Loop, Parts
from services.notifier.talk import Asked, Decided, Query, Reply, Talks
from services.notifier.talking.commands import commands_for
from services.notifier.talking.deciding import RENUMBERED_MS, decide
from services.notifier.talking.known import Talking
from services.plugins import resolve
from services.showing.clock import venue_time
from services.topology import services_of

TOPICS = (
    "orders",
    "positions",
    "pumps",
    "signals",
    "signals.external",
    "commands",
    "answers",
    "notices",
    "infra",
    "dead-letters",
)
EARLIER_MS = 5_000  # that a first start looks back
HEALTH_S = 0.2
OFFER_AGAIN_S = 30.0
SECRET_VARIABLE = "CHANDLER_ALERTS_SECRET"  # noqa: S105 (what Alertmanager has to bring)
SECRET_FILE = "CHANDLER_ALERTS_SECRET_FILE"  # noqa: S105 (the name of a mounted file's name)
LABELS = {"messages": "outcome", "undelivered": "user", "commands": "what"}


class Notifier:
    """One run of it. `telegram`: None where there is no token."""

    def __init__(
        self,
        context: Context,
        keeper: Keeper,
        held: Held,
        channels: dict[str, Bring],
        telegram: Telegram | None,
    ) -> None:
        profile = context.profile
        self._context = context
        self._channels = channels
        self._telegram = telegram
        self._sources = Sources(context.installation, profile, context.log)
        self._views = Views(self._sources)
        self._bot = _Bot()
        self._reads = asyncio.Event()  # topics answer
        notifying = outbox.Notifying(
            users=profile.users, pace=profile.notices, alerts_only=not profile.trades
        )
        self.loop = Loop(notifying, held.state, held.talks, keeper, self._parts(), context.log)
        instance = f"{socket.gethostname()}:{os.getpid()}:0"
        self._connection = Connection(TELEGRAM, instance, self.loop.happened)

    async def run(self) -> None:
        """Until the stop, and until what is on its way then has arrived."""
        context, loop = self._context, self.loop
        host = context.installation.http_host
        port = context.installation.port(PORT_ALERTS)
        secret = os.environ.get(SECRET_VARIABLE) or mounted(SECRET_FILE, os.environ)
        work = [self._views.run(), self._follow(), self._tell_health()]
        if self._telegram is not None:
            work += [self._bot.known_by(self._telegram, context), self._listen(self._telegram)]
        async with AlertServer(host, port, loop.alert, secret), asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            await loop.run(context.stop)
            for task in tasks:
                task.cancel()

    def _parts(self) -> Parts:
        telegram, metrics = self._telegram, self._context.metrics
        return Parts(
            decide=self._decide,
            answer=self._answer,
            venue_ms=self._venue_ms,
            drawn=lambda spec: drawn(spec, self._sources),
            bring=self._bring,
            tapped=telegram.tapped if telegram is not None else _nothing,
            close=telegram.close if telegram is not None else _nothing,
            refuse=telegram.refuse if telegram is not None else _nothing,
            counted=lambda name, label: metrics.add(
                f"chandler_notifier_{name}_total", 1, **{LABELS[name]: label}
            ),
        )

    def _decide(self, talks: Talks, asked: Asked, now: int) -> Decided:
        profile = self._context.profile
        telegram = {name: user for name, user in profile.users.items() if user.channel == TELEGRAM}
        talking = Talking(
            users=telegram,
            agents=tuple(sorted(profile.agents)),
            engines=(*(each.name for each in resolve(profile)), "external"),
            services=tuple(services_of(profile)),
            limits=LIMITS,
            symbols=self._views.symbols(),
            halves=("trading", "telegram"),
            switched={name: chat.switches for name, chat in self.loop.state.chats.items()},
            bot=self._bot.name,
        )
        return decide(talking, talks, asked, now)

    async def _answer(self, query: Query) -> Reply:
        return await answer(query, self._views, self._sources)

    async def _venue_ms(self) -> int:
        """Of the newest ticker: a command that is older than what the desk knows counts as late."""
        known_ms = self._views.clock_ms()
        try:
            return max(known_ms, await venue_time(self._context.installation))
        except Exception as error:
            if not is_outage(error):
                raise
            return known_ms  # the command waits for Kafka, too

    async def _bring(self, send: Send, picture: bytes | None) -> Outcome:
        user = self._context.profile.users[send.user]
        bring = self._channels.get(user.channel)
        if bring is None:
            reason = "there is no token: run ./chandler setup"
            return Outcome(what="later", reason=reason, retry_after_ms=60_000)
        return await bring(send, user.address, picture)

    async def _follow(self) -> None:
        def heard() -> None:
            self._reads.set()
            self._context.health.age_s = 0.0

        await follow(
            self._context.installation,
            TOPICS,
            lambda: self.loop.state.offsets,
            self.loop.now_ms() - EARLIER_MS,
            self.loop.events,
            self._context.stop,
            self._context.log,
            heard,
            self.loop.begun,
        )

    async def _listen(self, telegram: Telegram) -> None:
        def after() -> int:
            """The last update that was taken; Telegram numbers anew after long silence."""
            talks = self.loop.talks
            return -1 if self.loop.now_ms() - talks.at >= RENUMBERED_MS else talks.update

        context = self._context
        await listen(telegram, self.loop.ask, after, self._connection, context.stop, context.log)

    async def _tell_health(self) -> None:
        """Ready once topics are read: that Telegram is away is said, and no fault of ours."""
        health, metrics = self._context.health, self._context.metrics
        while True:
            fault = self._connection.fault
            waiting = sum(len(chat.queue) for chat in self.loop.state.chats.values())
            metrics.set("chandler_notifier_waiting_messages", waiting)
            metrics.set("chandler_notifier_telegram_up", float(not fault))
            health.ready = self._reads.is_set()
            if not health.ready:
                health.state = "waiting for topics"
            elif self._telegram is None:
                health.state = "ready, no token"
            else:
                health.state = f"Telegram is away: {fault}" if fault else "ready"
            await asyncio.sleep(HEALTH_S)


class _Bot:
    """What is known of the bot, once Telegram answers."""

    def __init__(self) -> None:
        self.name = ""

    async def known_by(self, telegram: Telegram, context: Context) -> None:
        """Asks for the name, and offers each user the commands of its role; until that is done."""
        users, stop = context.profile.users, context.stop
        offered: set[str] = set()
        while not stop.is_set():
            try:
                self.name = self.name or await telegram.name()
                for name, user in users.items():
                    if name not in offered and user.channel == TELEGRAM:
                        await self._offer(telegram, user, context)
                        offered.add(name)
                return
            except TelegramError as error:
                context.log.debug("the commands are not offered yet: %s", error)
                await pause(OFFER_AGAIN_S, stop)

    async def _offer(self, telegram: Telegram, user: User, context: Context) -> None:
        try:
            await telegram.offer(user.telegram_id, commands_for(user.role))
        except TelegramError as error:
            if not error.refused:
                raise
            # Nobody has written to the bot from there yet: the menu works without.
            context.log.debug("%s: the commands are not offered: %s", user.telegram_id, error)


async def _nothing(*_: object) -> None:
    """Where there is no Telegram."""
