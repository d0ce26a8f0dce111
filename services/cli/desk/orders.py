"""`orders`: the newest orders with what became of them, or the newest refusals with their reasons.

Read from the ends of topic `orders` backwards, until there are as many as were asked for.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from chandler.core.trading.events import OrderFilled, OrderRefused, OrderRequested, Refusal
from chandler.core.trading.money import ZERO, plus, ratio
from chandler.core.trading.orders import Order, OrderEvent, step
from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation
from services.cli.desk.columns import console, exact, money, rough, side, table, time_of
from services.cli.records.reading import reading

TOPIC = "orders"
NEWEST = (4_000, 40_000, 0)  # offsets of each partition that are read; 0: all
STATES = {"filled": "green", "refused": "red", "expired": "red", "unknown": "yellow"}


class Wanted(NamedTuple):
    """Which orders or refusals; empty: all."""

    agent: str
    symbol: str
    limit: int

    def fits(self, agent: str, symbol: str) -> bool:
        return self.agent in ("", agent) and self.symbol in ("", symbol)


class Life(NamedTuple):
    """An order and what became of it. Sizes are in base coin, amounts in quote coin."""

    id: str
    at: int  # of the request
    account: str
    agent: str
    symbol: str
    action: str
    side: str
    leg: str
    size: Decimal
    decided: Decimal  # price
    state: str
    filled: Decimal
    price: Decimal | None  # average of the fills, for display
    fees: Decimal
    source: str
    told: str  # why it was refused, cancelled, or is not known
    fault: str  # what must not happen, by its name
    changed_ms: int
    written_ms: int  # CreateTime of the request


class _Known:
    """What was read of one order."""

    def __init__(self, request: OrderRequested, written_ms: int) -> None:
        self.request = request
        self.written_ms = written_ms
        self.order: Order | None = None
        self.fees = ZERO
        self.fault = ""
        self.code = ""

    def take(self, event: OrderEvent) -> None:
        stepped = step(self.order, event)
        self.order = stepped.order
        if stepped.fault is not None:
            self.fault = stepped.fault.kind
        if stepped.changed and isinstance(event, OrderFilled):
            self.fees = plus(self.fees, event.fee)
        if stepped.changed and isinstance(event, OrderRefused):
            self.code = event.code

    def life(self) -> Life:
        request, order = self.request, self.order
        assert order is not None
        return Life(
            id=request.id,
            at=request.at,
            account=request.account,
            agent=request.agent,
            symbol=request.symbol,
            action=request.action,
            side=request.side,
            leg=request.leg,
            size=request.size,
            decided=request.price,
            state=order.state,
            filled=order.filled,
            price=ratio(order.notional, order.filled) if order.filled else None,
            fees=self.fees,
            source=request.source,
            told=f"{self.code} {order.reason}".strip(),
            fault=self.fault,
            changed_ms=order.changed_ms,
            written_ms=self.written_ms,
        )


class Tail:
    """What the ends of the partitions hold. Orders are whole from `whole_ms` on."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._known: dict[str, _Known] = {}
        self._firsts: dict[int, int] = {}  # CreateTime of each partition's first record
        self.refusals: list[tuple[int, Refusal]] = []  # with their CreateTime

    @property
    def whole_ms(self) -> int:
        return max(self._firsts.values(), default=0)

    def take(self, record: Record) -> None:
        event = record.event
        self._firsts.setdefault(record.partition, record.timestamp_ms)
        if not isinstance(event, OrderEvent | Refusal):
            return
        if not self._wanted.fits(event.agent, event.symbol):
            return
        if isinstance(event, Refusal):
            self.refusals.append((record.timestamp_ms, event))
            return
        if isinstance(event, OrderRequested) and event.id not in self._known:
            self._known[event.id] = _Known(event, record.timestamp_ms)
        if event.id in self._known:
            self._known[event.id].take(event)

    def lives(self) -> list[Life]:
        """The newest first."""
        made = [each.life() for each in self._known.values()]
        return sorted(made, key=lambda each: (-each.at, each.id))


async def newest_orders(installation: Installation, wanted: Wanted) -> list[Life]:
    """The newest orders, with all that became of them."""
    for newest in NEWEST:
        tail = await _tail(installation, wanted, newest)
        found = [each for each in tail.lives() if not newest or each.written_ms >= tail.whole_ms]
        if len(found) >= wanted.limit or not newest:
            return found[: wanted.limit]
    raise AssertionError("the last one reads all")


async def newest_refusals(installation: Installation, wanted: Wanted) -> list[Refusal]:
    """The newest refusals."""
    for newest in NEWEST:
        tail = await _tail(installation, wanted, newest)
        found = [refusal for at, refusal in tail.refusals if not newest or at >= tail.whole_ms]
        if len(found) >= wanted.limit or not newest:
            found.sort(key=lambda each: (-each.at, -each.seq))
            return found[: wanted.limit]
    raise AssertionError("the last one reads all")


async def _tail(installation: Installation, wanted: Wanted, newest: int) -> Tail:
    tail = Tail(wanted)
    async for record in read_topics(installation, [TOPIC], newest=newest):
        tail.take(record)
    return tail


def orders(
    agent: Annotated[str, typer.Option(help="only of this one")] = "",
    symbol: Annotated[str, typer.Option(help="only in this one")] = "",
    limit: Annotated[int, typer.Option(help="at most so many", min=1)] = 20,
    refusals: Annotated[bool, typer.Option("--refusals", help="what was not ordered")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Shows the newest orders, or refusals; status 1 if there are none."""
    wanted = Wanted(agent, symbol.upper(), limit)
    with reading() as installation:
        if refusals:
            refused = asyncio.run(newest_refusals(installation, wanted))
            return _print("refusals", refused, _refusals_table(refused), as_json=as_json)
        found = asyncio.run(newest_orders(installation, wanted))
    plain = [each._asdict() for each in found]
    return _print("orders", plain, _orders_table(found), as_json=as_json)


def _print(what: str, found: Sequence[Any], shown: Table, *, as_json: bool) -> int:
    if as_json:
        typer.echo(msgspec.json.encode({what: found}).decode())
    elif found:
        console().print(shown)
    else:
        typer.echo(f"no {what} yet: run ./chandler up with agents, and wait for a signal", err=True)
    return 0 if found else 1


def _orders_table(found: list[Life]) -> Table:
    made = table(
        ("requested (UTC)", "order", "agent", "symbol", "what", "side", "state"),
        ("size", "filled", "price", "fees"),
        "why",
    )
    for each in found:
        state = f"{each.state}, {each.fault}" if each.fault else each.state
        made.add_row(
            time_of(each.at),
            each.id[:10],
            each.agent,
            each.symbol,
            f"{each.action} {each.leg}",
            side(each.side),
            Text(state, style="red" if each.fault else STATES.get(each.state, "")),
            *(exact(each.size), exact(each.filled), rough(each.price), money(each.fees)),
            f"{each.source}: {each.told}" if each.told else each.source,
        )
    return made


def _refusals_table(found: list[Refusal]) -> Table:
    made = table(
        ("at (UTC)", "agent", "symbol", "side", "reason", "source"),
        (),
        "what was expected, what was found",
    )
    for each in found:
        made.add_row(
            time_of(each.at),
            each.agent,
            each.symbol,
            side(each.side),
            Text(each.reason, style="yellow"),
            each.source,
            each.detail,
        )
    return made
