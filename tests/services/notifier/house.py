"""A whole house for the notifier: Telegram's stand-in, real topics, a desk, and people.

The services are the real ones, run in this process; only the market is made up.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec

from chandler.core.desk.state import AgentState
from chandler.core.events import Event, Instrument, Symbol, Ticker
from chandler.core.notices.gathering import Pace
from chandler.core.notices.routing import SignalsWanted, User
from chandler.core.trading.agents import AgentConfig, DeskConfig, PumpConfig
from chandler.core.trading.events import Command, TickersOut
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics, standard
from services.declaration import Context, Health, Service
from services.executor.service import SERVICE as EXECUTOR
from services.notifier.service import SERVICE as NOTIFIER
from services.plugins import load
from services.positions.service import SERVICE as POSITIONS
from services.profile import Profile, TelegramConfig
from services.showing.standing import standing
from services.telegram import STAND_IN_TOKEN, STAND_IN_USERNAME
from services.telegram_stand_in.chats import Listener, Message
from services.telegram_stand_in.faults import Faults
from services.telegram_stand_in.limits import OFF
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.server import StandIn
from tests.story import Topics
from tests.streams.exact_cluster import read

PARTITIONS = 2
DEADLINE_S = 60.0
TICK_S = 0.1
TICK_MS = 500
START_MS = 1_704_067_200_000
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
OLGA = Person(user_id=1001, name="Olga")  # owner
OTTO = Person(user_id=1002, name="Otto")  # operator
VERA = Person(user_id=1003, name="Vera")  # viewer of anna
STRANGER = Person(user_id=6666, name="<b>Mallory</b>")
LOG = logging.getLogger("test.house")
TOPICS = sorted(
    {
        each
        for service in (EXECUTOR, POSITIONS, NOTIFIER)
        for each in (*service.reads, *service.writes)
    }
)


def profile(**changed: Any) -> Profile:
    """Two agents on paper, the shipped engines, an owner, an operator and a viewer."""
    fields: dict[str, Any] = {
        "engines": {name: each.config for name, each in load().engines.items()},
        "agents": {"anna": AgentConfig(), "bert": AgentConfig()},
        "desk": DeskConfig(window_s_max=2.0),
        "pump": PumpConfig(enabled=False),
        "users": {
            "olga": User(role="owner", telegram_id=OLGA.user_id),
            "otto": User(role="operator", telegram_id=OTTO.user_id),
            "vera": User(
                role="viewer",
                telegram_id=VERA.user_id,
                agents=["anna"],
                signals=SignalsWanted(engines=["trend"], strength_min=0.5),
            ),
        },
        "notices": Pace(flood=1_000),
    }
    return Profile(**{**fields, **changed})


class House:
    """`notifying()` runs the notifier, `trading()` a desk with its positions and a market."""

    def __init__(self, cluster: Installation, stand_in: StandIn, topics: Topics, of: Profile):
        self.cluster = cluster
        self.stand_in = stand_in
        self.topics = topics
        telegram = TelegramConfig(stand_in=True, api_url=stand_in.url)
        self.profile = msgspec.structs.replace(of, telegram=telegram)
        self.books = stand_in.bots[STAND_IN_TOKEN]
        self.people = People(self.books)
        self.health = Health()
        self.now = START_MS
        self.price = "100"

    def context(self, service: Service) -> Context:
        return Context(
            installation=self.cluster,
            profile=self.profile,
            shard=None,
            stop=asyncio.Event(),
            health=Health(),
            log=logging.getLogger(f"test.{service.name}"),
            code="code",
            metrics=Metrics(service.name, (*standard(service.name), *service.metrics)),
        )

    @asynccontextmanager
    async def notifying(self, *, ready: bool = True) -> AsyncIterator["Run"]:
        """One life of the notifier, that ends by a stop, or by `killed`."""
        context = self.context(NOTIFIER)
        self.health = context.health
        life = Run(context, asyncio.ensure_future(NOTIFIER.run(context)))
        try:
            async with asyncio.timeout(DEADLINE_S):
                while ready and not context.health.ready:
                    assert not life.task.done(), life.task.exception()
                    await asyncio.sleep(0.02)
            yield life
        finally:
            context.stop.set()
            if not life.dead:
                async with asyncio.timeout(DEADLINE_S):
                    await life.task

    @asynccontextmanager
    async def trading(self) -> AsyncIterator[None]:
        """Executor, positions, and a market that goes on by itself."""
        for symbol in (BTC, ETH):
            await self.topics.put("instruments", instrument(symbol), symbol)
        contexts = [self.context(each) for each in (EXECUTOR, POSITIONS)]
        tasks = [
            asyncio.ensure_future(EXECUTOR.run(contexts[0])),
            asyncio.ensure_future(POSITIONS.run(contexts[1])),
        ]
        market = asyncio.create_task(self._market())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not await self.states():
                    for task in (*tasks, market):
                        assert not task.done(), task.exception()
                    await asyncio.sleep(0.1)
            yield
        finally:
            for context in contexts:
                context.stop.set()
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*tasks)
            market.cancel()
            await asyncio.wait([market])

    async def _market(self) -> None:
        while True:
            self.now += TICK_MS
            for symbol in (BTC, ETH):
                await self.topics.put("tickers", ticker(symbol, self.now, self.price), symbol)
            out = TickersOut(shard=0, shards=1, at=self.now)
            for partition in range(PARTITIONS):
                await self.topics.put("tickers", out, "@", partition=partition)
            await asyncio.sleep(TICK_S)

    # What people write and see.

    def messages(self, person: Person = OLGA) -> list[Message]:
        """Those that the bot wrote to somebody, in order."""
        chat = self.books.chats.get(person.user_id)
        messages = chat.messages.values() if chat is not None else []
        return [each for each in messages if each.sender["id"] == self.books.id]

    def texts(self, person: Person = OLGA) -> list[str]:
        return [text_of(each) for each in self.messages(person)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something that changes with a chat."""
        listener = Listener()
        self.books.listeners.add(listener)
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not holds():
                    await listener.next()
        except TimeoutError:
            chats = {each.id: [text_of(m) for m in each.messages.values()][-5:]
                     for each in self.books.chats.values()}  # fmt: skip
            raise AssertionError(f"never: {chats}; {self.health}") from None
        finally:
            self.books.listeners.discard(listener)

    async def told(self, *words: str, to: Person = OLGA, after: int = 0) -> Message:
        """The first message to somebody, from number `after` on, that has all these words."""

        def found() -> list[Message]:
            return [
                each
                for each in self.messages(to)[after:]
                if all(word in text_of(each) for word in words)
            ]

        try:
            await self.until(lambda: bool(found()))
        except AssertionError as error:
            raise AssertionError(f"{words}: {error}") from None
        return found()[0]

    async def asks(self, text: str, *words: str, by: Person = OLGA) -> Message:
        """Writes, and gives the answer that has these words."""
        before = len(self.messages(by))
        self.people.say(by, text)
        return await self.told(*words, to=by, after=before)

    async def taps(self, message: Message, label: str, *words: str, by: Person = OLGA) -> Message:
        """Taps a button of a message, and gives the answer that has these words."""
        before = len(self.messages(by))
        self.people.tap(by, message.id, data_of(message, label))
        return await self.told(*words, to=by, after=before)

    async def taps_late(self, message: Message, data: str, *words: str) -> Message:
        """Taps a button that the message had, as a telephone does that still shows it."""
        before = len(self.messages(OLGA))
        self.people.tap(OLGA, message.id, data, unchecked=True)
        return await self.told(*words, to=OLGA, after=before)

    async def confirms(self, text: str, *words: str, by: Person = OLGA) -> Message:
        """Writes what is asked back, and taps Confirm."""
        question = await self.asks(text, "Confirm within", by=by)
        return await self.taps(question, "Confirm", *words, by=by)

    async def shown(self, question: str = "/balance anna", word: str = "10000") -> None:
        """Asks until the answer has a word: the notifier reads the desk's topics meanwhile."""
        async with asyncio.timeout(DEADLINE_S):
            while word not in text_of(await self.asks(question)):
                await asyncio.sleep(0.2)

    # What stands in topics.

    async def commands(self) -> list[Command]:
        return [each for each in await read(self.cluster, "commands") if isinstance(each, Command)]

    async def events(self, topic: str, kind: type[Event]) -> list[Any]:
        return [each for each in await read(self.cluster, topic) if isinstance(each, kind)]

    async def states(self) -> dict[str, AgentState]:
        return (await standing(self.cluster)).states()

    async def state_when(self, agent: str, holds: Callable[[AgentState], bool]) -> AgentState:
        """An agent's state in the desk's topic, once something is so."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = (await self.states()).get(agent)
                if found is not None and holds(found):
                    return found
                await asyncio.sleep(0.1)

    def fault(self, **faults: Any) -> None:
        self.stand_in.weather.set(Faults(**faults))


class Run:
    """One life of a service."""

    def __init__(self, context: Context, task: "asyncio.Task[None]") -> None:
        self.context, self.task = context, task
        self.dead = False

    async def killed(self) -> None:
        """It ends in the middle of what it does, and keeps nothing more."""
        self.dead = True
        self.task.cancel()
        await asyncio.wait([self.task])


@asynccontextmanager
async def house(
    cluster: Installation, create: Callable[..., Awaitable[list[str]]], of: Profile | None = None
) -> AsyncIterator[House]:
    """A house with its topics, in which nothing runs yet but the stand-in."""
    await create(TOPICS, partitions=PARTITIONS)
    stand_in = StandIn(
        bots={STAND_IN_TOKEN: STAND_IN_USERNAME}, people=(OLGA, OTTO, VERA), limits=OFF
    )
    async with stand_in, Topics(cluster) as topics:
        yield House(cluster, stand_in, topics, of or profile())


def text_of(message: Message) -> str:
    return str(message.content.get("text", message.content.get("caption", "")))


def data_of(message: Message, label: str) -> str:
    """What the button with this label says."""
    rows = message.content.get("reply_markup", {}).get("inline_keyboard", [])
    found = {each["text"]: each["callback_data"] for row in rows for each in row}
    assert label in found, (label, found, text_of(message))
    return str(found[label])


def instrument(symbol: Symbol) -> Instrument:
    return Instrument(
        symbol=symbol,
        price_step="0.1",
        size_step="0.01",
        size_min="0.01",
        notional_min="5",
        maker_fee="0.0002",
        taker_fee="0.0006",
        leverage_max=50,
        status="normal",
        seen_at=START_MS,
    )


def ticker(symbol: Symbol, at: int, price: str) -> Ticker:
    return Ticker(
        symbol=symbol,
        at=at,
        last=price,
        bid=str(Decimal(price) - Decimal("0.1")),
        ask=str(Decimal(price) + Decimal("0.1")),
        mark=price,
        minute_open_ms=at - at % 60_000,
        minute_volume=1.0,
    )
