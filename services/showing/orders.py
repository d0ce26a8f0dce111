"""The newest orders with what became of them, and the newest refusals with their reasons.

Read from the ends of topic `orders` backwards, until there are as many as were asked for. A fill
of no request is listed, too: a stop that the venue held, or somebody else at the account.
"""

from collections import deque
from decimal import Decimal
from typing import Any, NamedTuple

from chandler.core.trading.events import OrderFilled, OrderRefused, OrderRequested, Refusal
from chandler.core.trading.money import ZERO, plus, ratio, times
from chandler.core.trading.orders import Order, OrderEvent, step
from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation

TOPIC = "orders"
NEWEST = (4_000, 40_000, 0)  # offsets of each partition that are read; 0: all
REQUEST_MS = 60_000  # CreateTime after the first that is read; a fill's request may be before it
UNASKED = {"stop": "closed by the stop at the venue"}  # by leg
BY_OTHERS = "closed at the venue by somebody else"


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
    requested: bool = True  # here; False: `told` says who filled it at the venue


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
    """What the ends of the partitions hold.

    `kept`: at most so many orders, and as many refusals, the newest ones; 0: all.
    """

    def __init__(self, wanted: Wanted, kept: int = 0) -> None:
        self._wanted = wanted
        self._kept = kept
        self._known: dict[str, _Known] = {}
        self._unasked: dict[str, Life] = {}  # fills of no request, by id
        self._refusals: deque[tuple[int, Refusal]] = deque()  # with their CreateTime
        self._firsts: dict[int, int] = {}  # CreateTime of each partition's first; 0: it is all
        self._orders_ms = self._refusals_ms = 0  # CreateTime after those that are not kept

    @property
    def orders_whole_ms(self) -> int:
        """CreateTime from which on no order is missing; 0: none is missing at all."""
        return max(self._orders_ms, *self._firsts.values(), 0)

    @property
    def refusals_whole_ms(self) -> int:
        """The same of refusals."""
        return max(self._refusals_ms, *self._firsts.values(), 0)

    def take(self, record: Record) -> None:
        """Takes in a record; those of a partition in their order."""
        event = record.event
        self._firsts.setdefault(record.partition, record.timestamp_ms if record.offset else 0)
        if not isinstance(event, OrderEvent | Refusal):
            return
        if not self._wanted.fits(event.agent, event.symbol):
            return
        if isinstance(event, Refusal):
            self._refusals.append((record.timestamp_ms, event))
            if self._kept and len(self._refusals) > self._kept:
                self._refusals_ms = max(self._refusals_ms, self._refusals.popleft()[0] + 1)
            return
        if isinstance(event, OrderRequested) and event.id not in self._known:
            self._known[event.id] = _Known(event, record.timestamp_ms)
            if self._kept and len(self._known) > self._kept:
                oldest = self._known.pop(next(iter(self._known)))
                self._orders_ms = max(self._orders_ms, oldest.written_ms + 1)
        if event.id in self._known:
            self._known[event.id].take(event)
        elif isinstance(event, OrderFilled) and event.action == "close":
            self._filled_unasked(event, record)

    def _filled_unasked(self, fill: OrderFilled, record: Record) -> None:
        """A fill without a request, unless that may stand before what is read."""
        first_ms = self._firsts[record.partition]
        if first_ms and record.timestamp_ms < first_ms + REQUEST_MS:
            return
        before = self._unasked.get(fill.id)
        made = unasked(fill, record.timestamp_ms, before)
        self._unasked = {**self._unasked, fill.id: made}
        if self._kept and len(self._unasked) > self._kept:
            del self._unasked[next(iter(self._unasked))]

    def lives(self) -> list[Life]:
        """The orders from where on none is missing, the newest first."""
        whole_ms = self.orders_whole_ms
        made = [each.life() for each in self._known.values() if each.written_ms >= whole_ms]
        made += [each for each in self._unasked.values() if each.written_ms >= whole_ms]
        return sorted(made, key=lambda each: (-each.at, each.id))

    def refused(self) -> list[Refusal]:
        """The refusals from where on none is missing, the newest first."""
        whole_ms = self.refusals_whole_ms
        found = [refusal for at, refusal in self._refusals if at >= whole_ms]
        return sorted(found, key=lambda each: (-each.at, -each.seq))


def unasked(fill: OrderFilled, written_ms: int, before: Life | None) -> Life:
    """A fill at the venue that nobody requested here, with those of the same order before it."""
    notional = times(fill.price, fill.size)
    filled = fill.size
    if before is not None and before.price is not None:
        notional = plus(notional, times(before.price, before.filled))
        filled = plus(filled, before.filled)
    return Life(
        id=fill.id,
        at=fill.at,
        account=fill.account,
        agent=fill.agent,
        symbol=fill.symbol,
        action=fill.action,
        side=fill.side,
        leg=fill.leg,
        size=filled,
        decided=fill.price,
        state="filled",
        filled=filled,
        price=ratio(notional, filled) if filled else None,
        fees=plus(fill.fee, before.fees if before is not None else ZERO),
        source=fill.source,
        told=UNASKED.get(fill.leg, BY_OTHERS),
        fault="",
        changed_ms=fill.at,
        written_ms=before.written_ms if before is not None else written_ms,
        requested=False,
    )


def life_of(row: dict[str, Any]) -> Life:
    """A row of the ledger's orders that was requested here."""
    filled = row["filled"]
    return Life(
        id=row["id"],
        at=row["requested_ms"],
        account=row["account"],
        agent=row["agent"],
        symbol=row["symbol"],
        action=row["action"],
        side=row["side"],
        leg=row["leg"],
        size=row["size"],
        decided=row["price"],
        state=row["state"],
        filled=filled,
        price=ratio(row["notional"], filled) if filled else None,
        fees=row["fees"],
        source=row["source"],
        told=f"{row['code']} {row['told']}".strip(),
        fault="",
        changed_ms=row["changed_ms"],
        written_ms=row["written_ms"],
    )


async def newest_orders(installation: Installation, wanted: Wanted) -> list[Life]:
    """The newest orders, with all that became of them."""
    for newest in NEWEST:
        found = (await _tail(installation, wanted, newest)).lives()
        if len(found) >= wanted.limit or not newest:
            return found[: wanted.limit]
    raise AssertionError("the last one reads all")


async def newest_refusals(installation: Installation, wanted: Wanted) -> list[Refusal]:
    """The newest refusals."""
    for newest in NEWEST:
        found = (await _tail(installation, wanted, newest)).refused()
        if len(found) >= wanted.limit or not newest:
            return found[: wanted.limit]
    raise AssertionError("the last one reads all")


async def _tail(installation: Installation, wanted: Wanted, newest: int) -> Tail:
    tail = Tail(wanted)
    async for record in read_topics(installation, [TOPIC], newest=newest):
        tail.take(record)
    return tail
