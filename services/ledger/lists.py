"""Lists of the ledger, newest first, a page at a time: the next one begins after a row's place.

What is added meanwhile comes before the first page and moves none of the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, or_, select

from chandler.core.granularity import DAY_MS
from services.ledger.tables import (
    fills,
    infra_events,
    orders,
    pumps,
    refusals,
    signals,
    trades,
)

Rows = list[dict[str, Any]]
Place = tuple[int | str, ...]  # a row's, by the columns that its list is ordered by


class Wanted(NamedTuple):
    """Which rows; empty: all."""

    agent: str = ""
    symbol: str = ""
    engine: str = ""
    day_ms: int | None = None  # start of a UTC day
    limit: int = 0  # 0: all
    agents: tuple[str, ...] = ()  # of these only
    since_ms: int = 0  # none of before
    until_ms: int = 0  # none from then on; 0: no end
    after: Place = ()  # the rows after the one that stands there


class Key(NamedTuple):
    """A column that a list is ordered by."""

    name: str
    falls: bool = False  # the greatest first


class List(NamedTuple):
    """A table in the order in which people read it. Together the keys are of one row alone."""

    table: Table
    keys: tuple[Key, ...]  # the first is the time
    only: ColumnElement[bool] | None = None  # of the table; None: all that have a time

    @property
    def time(self) -> str:
        return self.keys[0].name

    def place(self, row: Mapping[str, Any]) -> Place:
        """Where a row of it stands."""
        return tuple(row[key.name] for key in self.keys)

    def kinds(self) -> tuple[type, ...]:
        """Of the parts of a place: int or str."""
        return tuple(self.table.c[key.name].type.python_type for key in self.keys)


def _kafka(time: str) -> tuple[Key, ...]:
    return (Key(time, True), Key("kafka_partition"), Key("kafka_offset", True))


TRADES = List(trades, (Key("closed_ms", True), Key("id")))
OPEN_TRADES = List(trades, (Key("opened_ms", True), Key("id")), trades.c.closed_ms.is_(None))
ORDERS = List(orders, (Key("changed_ms", True), Key("id")))
FILLS = List(fills, _kafka("at"))
REFUSALS = List(refusals, _kafka("at"))
SIGNALS = List(signals, (Key("close_ms", True), Key("topic"), Key("id")))
PUMPS = List(pumps, _kafka("at"))
INFRA = List(infra_events, _kafka("at"))


def page(connection: Connection, of: List, wanted: Wanted, **equal: str) -> Rows:
    """Rows of a list, in its order; of those only whose columns are `equal` (empty: any).

    A row that has no time is in no list: a trade that is still open is not among the closed ones.
    """
    statement = select(of.table).where(of.table.c[of.time].is_not(None))
    if of.only is not None:
        statement = statement.where(of.only)
    for name, value in equal.items():
        if value:
            statement = statement.where(of.table.c[name] == value)
    if wanted.after:
        statement = statement.where(_after(of, wanted.after))
    columns = [(key, of.table.c[key.name]) for key in of.keys]
    ordered = [column.desc() if key.falls else column.asc() for key, column in columns]
    return rows(connection, narrowed(statement.order_by(*ordered), of.table, of.time, wanted))


def _after(of: List, place: Sequence[int | str]) -> ColumnElement[bool]:
    """Whether a row comes after a place: by the first column that differs."""
    ways = []
    for number, key in enumerate(of.keys):
        column = of.table.c[key.name]
        same = [of.table.c[of.keys[each].name] == place[each] for each in range(number)]
        further = column < place[number] if key.falls else column > place[number]
        ways.append(and_(*same, further))
    return or_(*ways)


def narrowed(statement: Select[Any], table: Table, time: str, wanted: Wanted) -> Select[Any]:
    """Of the rows of a statement those that are wanted."""
    statement = whose(statement, table, wanted)
    if wanted.symbol:
        statement = statement.where(table.c.symbol == wanted.symbol)
    if wanted.since_ms:
        statement = statement.where(table.c[time] >= wanted.since_ms)
    if wanted.until_ms:
        statement = statement.where(table.c[time] < wanted.until_ms)
    if wanted.engine:
        statement = statement.where(table.c.source == wanted.engine)
    if wanted.day_ms is not None:
        begin, end = wanted.day_ms, wanted.day_ms + DAY_MS
        statement = statement.where(table.c[time] >= begin, table.c[time] < end)
    return statement.limit(wanted.limit or None)


def whose(statement: Select[Any], table: Table, wanted: Wanted) -> Select[Any]:
    """Of the rows of a statement those of the agents that are wanted."""
    if wanted.agent:
        statement = statement.where(table.c.agent == wanted.agent)
    if wanted.agents:
        statement = statement.where(table.c.agent.in_(wanted.agents))
    return statement


def rows(connection: Connection, statement: Select[Any]) -> Rows:
    """What a statement finds."""
    return [dict(row) for row in connection.execute(statement).mappings()]
