"""What the ledger's tests share: events with their places, ledgers on both databases, rows."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

import pytest
from sqlalchemy import Connection, Engine, Table, select

from chandler.core.events import Event, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.trading.events import (
    BalanceChanged,
    ExitRequested,
    OrderFilled,
    OrderRequested,
    PositionClosed,
    PositionMarked,
    PositionOpened,
    PositionUpdated,
)
from chandler.streams.codec import encode
from chandler.streams.reading.placed import Placed

START_MS = 1_704_067_200_000
AAA = Symbol("AAAUSDT")
D = Decimal


def signalled(number: int, strength: float = 0.5) -> Signal:
    return Signal(
        id=f"signal-{number}",
        symbol=AAA,
        side="long",
        strength=strength,
        source="scalper",
        granularity=Granularity("5m"),
        close_ms=START_MS + number * 300_000,
        expires_ms=START_MS + number * 300_000 + 120_000,
        stop=95.5,
        targets=[110.0, 120.25],
        reason="weakness in an uptrend",
        notes={"rsi_reversal": 0.7},
        inputs=[],
        config="c",
        code="d",
    )


def requested(
    order: str,
    at: int = 0,
    *,
    action: Literal["open", "add", "close"] = "open",
    side: Literal["long", "short"] = "long",
    size: str = "2",
    position: str = "p1",
    agent: str = "one",
    symbol: Symbol = AAA,
    source: str = "scalper",
    cause: str = "signal-1",
    leg: str = "entry",
) -> OrderRequested:
    return OrderRequested(
        id=order,
        shard=0,
        seq=1,
        account=agent,
        agent=agent,
        symbol=symbol,
        position=position,
        leg=leg,
        action=action,
        side=side,
        size=D(size),
        leverage=3,
        price=D(100),
        stop=D("95.5"),
        targets=[D(110), D("120.25")],
        cause=cause,
        source=source,
        reason="weakness in an uptrend",
        at=START_MS + at,
        ready_ms=START_MS + at + 250,
    )


def filled(
    request: OrderRequested,
    price: str,
    at: int = 0,
    *,
    size: str | None = None,
    fee: str = "0.12",
    done: bool = True,
    trade: str = "",
) -> OrderFilled:
    return OrderFilled(
        id=request.id,
        trade=trade or f"{request.id}-1",
        account=request.account,
        agent=request.agent,
        symbol=request.symbol,
        position=request.position,
        leg=request.leg,
        action=request.action,
        side=request.side,
        price=D(price),
        size=request.size if size is None else D(size),
        fee=D(fee),
        done=done,
        leverage=request.leverage,
        stop=request.stop,
        targets=request.targets,
        source=request.source,
        at=START_MS + at,
    )


def balance(
    change: str, at: int = 0, *, kind: str = "fill", agent: str = "one", after: str = "0"
) -> BalanceChanged:
    return BalanceChanged(
        account=agent,
        agent=agent,
        kind=kind,  # type: ignore[arg-type]
        change=D(change),
        balance=D(after),
        cause="",
        at=START_MS + at,
    )


def exit_requested(number: int = 1, at: int = 0) -> ExitRequested:
    return ExitRequested(
        id=f"exit-{number}",
        position="p1",
        account="one",
        agent="one",
        symbol=AAA,
        side="long",
        kind="stop",
        leg="stop",
        action="close",
        size=None,
        price=D("95.4"),
        reason="95.4 is below the stop 95.5",
        at=START_MS + at,
        due_ms=START_MS + at + 250,
    )


def marked(mark: str = "101", size: str = "2", position: str = "p1") -> PositionMarked:
    return PositionMarked(
        id=position,
        account="one",
        agent="one",
        symbol=AAA,
        side="long",
        size=D(size),
        cost=D(200),
        leverage=3,
        stop=D("95.5"),
        targets=[D(110)],
        adds=0,
        opened_ms=START_MS,
        source="scalper",
        mark=D(mark),
        peak=D(mark),
        unrealised=D(mark) * 2 - 200,
        realised=D(0),
        fees=D("0.12"),
        funding=D(0),
    )


def opened(at: int = 0, mark: str = "100") -> PositionOpened:
    return PositionOpened(position=marked(mark), symbol=AAA, at=START_MS + at)


def updated(at: int, mark: str, why: Any = "mark") -> PositionUpdated:
    return PositionUpdated(position=marked(mark), symbol=AAA, why=why, at=START_MS + at)


def closed(at: int) -> PositionClosed:
    return PositionClosed(
        position=marked("105", size="0"),
        symbol=AAA,
        reason="take_profit",
        exit_notional=D(210),
        at=START_MS + at,
    )


def placed(topic: str, events: Iterable[Event], start: int = 0, partition: int = 0) -> list[Placed]:
    """The events one after the other in a partition."""
    return [
        Placed(topic, partition, start + number, START_MS + start + number, event, encode(event))
        for number, event in enumerate(events)
    ]


def following(records: Iterable[Placed]) -> dict[tuple[str, int], int]:
    """The places after the records."""
    return {(each.topic, each.partition): each.offset + 1 for each in records}


def rows(database: Engine | Connection, table: Table, **where: object) -> list[dict[str, Any]]:
    """Rows of a table, in the order of its key."""
    statement = select(table).order_by(*table.primary_key)
    for name, value in where.items():
        statement = statement.where(table.c[name] == value)
    if isinstance(database, Engine):
        with database.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]
    return [dict(row) for row in database.execute(statement).mappings()]


def row(database: Engine | Connection, table: Table, **where: object) -> dict[str, Any]:
    """The one row of a table."""
    found = rows(database, table, **where)
    assert len(found) == 1, found
    return found[0]


both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
