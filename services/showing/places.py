"""Where an order's events stand in the topics: from the ledger, or from topic `orders` itself."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, select

from chandler.core.trading.events import OrderFilled, OrderRequested
from chandler.core.trading.orders import OrderEvent
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.ledger.tables import balance_changes, exits, fills, order_events, orders, signals
from services.ledger.tables import trades as trips

LENGTH_MIN = 4  # of the beginning of an id
CANDIDATES_MAX = 5


class OrderError(Exception):
    """No order, or several, are meant: one line."""


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Places(Protocol):
    """Answers without reading topics from end to end."""

    def named(self, text: str) -> list[str]:
        """Orders that `text` is the id, a trade, or the beginning of an id of."""

    def events(self, order: str) -> list[Place]:
        """The order's events, in their order."""

    def cause(self, cause: str) -> Place | None:
        """The signal or exit of this id."""

    def opening(self, position: str) -> str:
        """The order that opened a position; "" where it is not known."""

    def balance(self, agent: str, at: int) -> str:
        """The agent's balance at an event time; "" where it is not known."""


def one_of(found: list[str], text: str) -> str:
    """The one order; OrderError where there are none, or several."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise OrderError(f"no order or trade begins with {text!r}: see ./chandler orders")
    few = ", ".join(sorted(found)[:CANDIDATES_MAX])
    raise OrderError(f"{text!r} begins several orders: {few}; write more of it")


class LedgerPlaces:
    """As the ledger has them; what it does not know yet it does not say.

    `agents`: whose orders may be named; empty: all.
    """

    def __init__(self, connection: Connection, agents: Collection[str] = ()) -> None:
        self._connection = connection
        self._agents = agents

    def named(self, text: str) -> list[str]:
        ways: list[tuple[Any, Any, tuple[Any, ...]]] = [
            (orders, orders.c.id, (orders.c.id == text,)),
            (fills, fills.c.order_id, (fills.c.trade == text, fills.c.order_id.is_not(None))),
            (trips, trips.c.entry_order, (trips.c.id == text,)),
        ]
        if len(text) >= LENGTH_MIN:
            ways.append((orders, orders.c.id, self._begins(orders.c.id, text)))
            ways.append((trips, trips.c.entry_order, self._begins(trips.c.id, text)))
        for table, column, where in ways:
            statement = select(column).where(*where)
            if self._agents:
                statement = statement.where(table.c.agent.in_(self._agents))
            found = self._connection.execute(statement.distinct().limit(CANDIDATES_MAX))
            names = [row[0] for row in found if row[0]]
            if names:
                return names
        return []

    def _begins(self, column: Any, text: str) -> tuple[Any, ...]:
        """SQLite answers a range by the key's index, and LIKE by reading all."""
        if self._connection.dialect.name != "sqlite":
            return (column.startswith(text, autoescape=True),)
        return (column >= text, column < text[:-1] + chr(ord(text[-1]) + 1))

    def events(self, order: str) -> list[Place]:
        columns = (order_events.c.kafka_partition, order_events.c.kafka_offset)
        found = self._connection.execute(
            select(*columns).where(order_events.c.order_id == order).order_by(*columns)
        )
        return [Place("orders", *row) for row in found]

    def cause(self, cause: str) -> Place | None:
        signal = self._connection.execute(
            select(signals.c.topic, signals.c.kafka_partition, signals.c.kafka_offset).where(
                signals.c.id == cause, signals.c.topic.in_(("signals", "signals.external"))
            )
        ).first()
        if signal is not None:
            return Place(*signal)
        exit_ = self._connection.execute(
            select(exits.c.kafka_partition, exits.c.kafka_offset).where(exits.c.id == cause)
        ).first()
        return None if exit_ is None else Place("exits", *exit_)

    def opening(self, position: str) -> str:
        columns = (orders.c.requested_ms, orders.c.id)
        found = self._connection.execute(
            select(orders.c.id)
            .where(orders.c.position == position, orders.c.action == "open")
            .order_by(*columns)
        ).first()
        return "" if found is None else str(found[0])

    def balance(self, agent: str, at: int) -> str:
        of = balance_changes.c
        found = self._connection.execute(
            select(of.balance)
            .where(of.agent == agent, of.at <= at)
            .order_by(of.at.desc(), of.kafka_partition, of.kafka_offset.desc())
        ).first()
        return "" if found is None else f"{found[0]:,.8f}"


class ReadPlaces:
    """From topic `orders`, read once from end to end; for when there is no ledger."""

    def __init__(self, agents: Collection[str] = ()) -> None:
        self._agents = agents
        self._exact: set[str] = set()
        self._by_trade: set[str] = set()
        self._events: defaultdict[str, list[Place]] = defaultdict(list)
        self._openings: dict[str, str] = {}
        self._like: dict[str, None] = {}

    @classmethod
    async def read(
        cls, installation: Installation, text: str, agents: Collection[str] = ()
    ) -> "ReadPlaces":
        """Keeps the places of what `text` may mean, and of what opened positions.

        `agents`: whose orders may be named; empty: all.
        """
        made = cls(agents)
        async for record in read_topics(installation, ["orders"]):
            if isinstance(record.event, OrderEvent) and made._may(record.event.agent):
                place = Place("orders", record.partition, record.offset)
                made._take(record.event, place, text)
        if len(made._by_trade) == 1 and text not in made._events:
            # What came before the fill was not known to be of the order.
            return await cls.read(installation, made._by_trade.pop(), agents)
        return made

    def _may(self, agent: str) -> bool:
        return not self._agents or agent in self._agents

    def _take(self, event: OrderEvent, place: Place, text: str) -> None:
        opens = isinstance(event, OrderRequested) and event.action == "open"
        if isinstance(event, OrderFilled) and event.trade == text:
            self._by_trade.add(event.id)
        exact = event.id == text or event.id in self._by_trade
        like = len(text) >= LENGTH_MIN and event.id.startswith(text)
        if isinstance(event, OrderRequested) and opens:
            self._openings.setdefault(event.position, event.id)
            exact |= event.position == text
            like |= len(text) >= LENGTH_MIN and event.position.startswith(text)
        if exact:
            self._exact.add(event.id)
        if exact or like:
            self._like[event.id] = None
        if like or exact or opens or event.id in self._events:
            self._events[event.id].append(place)

    def named(self, text: str) -> list[str]:
        return list(self._exact) or list(self._like)[:CANDIDATES_MAX]

    def events(self, order: str) -> list[Place]:
        return sorted(self._events.get(order, []))

    def cause(self, cause: str) -> Place | None:
        return None

    def opening(self, position: str) -> str:
        return self._openings.get(position, "")

    def balance(self, agent: str, at: int) -> str:
        return ""
