"""One account of the venue: its records in memory, noted for the store and for the private sockets.

Money and positions are core's `PaperAccount`, so that a wallet here is the wallet of whoever
applies the same fills: margins are isolated by symbol in crossed mode too.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.money import minus, plus, times
from chandler.core.trading.paper import account as core
from chandler.core.trading.paper import cancel
from chandler.core.trading.paper.account import (
    Dropped,
    Happening,
    Liquidation,
    PaperAccount,
    open_account,
)
from chandler.core.trading.position import Position
from chandler.exchanges.simulator.private.keys import Keys
from chandler.exchanges.simulator.private.records import (
    ZERO,
    Bill,
    Books,
    Closed,
    Draft,
    Fill,
    Order,
    Plan,
    PlanType,
    Settings,
    Side,
)
from chandler.exchanges.simulator.private.store import Store

LEVERAGE_DEFAULT = 10
MARGIN_MODE_DEFAULT = "crossed"
RECORDS_MAX = 10_000  # of a kind in memory; the store has them all

replace = msgspec.structs.replace
R = TypeVar("R", Order, Plan, Fill, Bill, Closed)


class Push(NamedTuple):
    """Something that the account's sockets are to be told."""

    channel: str
    record: Order | Fill | Plan | Closed
    fill: Fill | None = None  # what changed an order


class Account:
    """Records by id, newest last; changed only through the methods that note the change."""

    def __init__(
        self, settings: Settings, keys: Keys, store: Store, next_id: Callable[[], int]
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.paper: PaperAccount = open_account(settings.start)
        self.position_ids: dict[str, int] = {}
        self.waiting: dict[int, Plan] = {}  # plans that are live
        self.orders: dict[int, Order] = {}
        self.plans: dict[int, Plan] = {}
        self.fills: dict[int, Fill] = {}
        self.bills: dict[int, Bill] = {}
        self.closed: dict[int, Closed] = {}
        self.pushes: list[Push] = []
        self.changed = False  # money or positions, since the last commit
        self._oids: dict[str, int] = {}
        self._store = store
        self._next_id = next_id

    @property
    def name(self) -> str:
        return self.settings.name

    def restore(self) -> int:
        """Reads what the store has; the highest id seen."""
        store, name = self._store, self.name
        books = store.one("books", name, "", Books)
        if books is not None:
            self.paper, self.position_ids = books.paper, books.positions
        self.orders = {each.id: each for each in store.newest("order", name, Order, RECORDS_MAX)}
        for pending in self.paper.orders:  # an open one may be older than the newest
            order = store.one("order", name, pending, Order)
            assert order is not None, f"order {pending} of {name} is not in the store"
            self.orders[order.id] = order
        self._oids = {each.client_oid: each.id for each in self.orders.values()}
        self.plans = {each.id: each for each in store.newest("plan", name, Plan, RECORDS_MAX)}
        self.waiting = {each.id: each for each in self.plans.values() if each.status == "live"}
        self.fills = {each.id: each for each in store.newest("fill", name, Fill, RECORDS_MAX)}
        self.bills = {each.id: each for each in store.newest("bill", name, Bill, RECORDS_MAX)}
        self.closed = {each.id: each for each in store.newest("closed", name, Closed, RECORDS_MAX)}
        kinds: tuple[dict[int, Any], ...] = (self.orders, self.plans, self.fills, self.bills)
        return max((max(kind, default=0) for kind in (*kinds, self.closed)), default=0)

    def pending(self, symbol: str = "") -> list[Order]:
        """Open orders, oldest first."""
        found = (self.orders[int(each)] for each in self.paper.orders)
        return sorted(
            (each for each in found if symbol in ("", each.symbol)), key=lambda each: each.id
        )

    def live_plans(self, symbol: str = "") -> list[Plan]:
        """Plans that wait, oldest first."""
        return [each for each in self.waiting.values() if symbol in ("", each.symbol)]

    def position(self, symbol: str) -> Position | None:
        """What is open in the symbol."""
        return self.paper.positions.get(Symbol(symbol))

    def order(self, order_id: int = 0, client_oid: str = "") -> Order | None:
        """By the venue's id, or the newest with this clientOid."""
        if not order_id:
            order_id = self._oids.get(client_oid, 0)
        if order_id in self.orders:
            return self.orders[order_id]
        return self._store.one("order", self.name, order_id, Order) if order_id else None

    def is_pending(self, client_oid: str) -> bool:
        """Whether an open order or a waiting plan has this clientOid."""
        order = self.order(client_oid=client_oid)
        plans = (plan.client_oid == client_oid for plan in self.live_plans())
        return (order is not None and order.open) or any(plans)

    def leverage(self, symbol: str) -> int:
        """Of the symbol's orders to come."""
        return self.settings.leverages.get(symbol, LEVERAGE_DEFAULT)

    def margin_mode(self, symbol: str) -> str:
        return self.settings.margin_modes.get(symbol, MARGIN_MODE_DEFAULT)

    def keep_settings(self, settings: Settings) -> None:
        self.settings = settings
        self._store.put("settings", self.name, "", 0, settings)

    def keep_margin_mode(self, symbol: str, mode: str) -> None:
        modes = self.settings.margin_modes | {symbol: mode}
        self.keep_settings(replace(self.settings, margin_modes=modes))

    def keep_paper(self, paper: PaperAccount) -> None:
        """The money from now on; positions that came or went get or lose their ids."""
        ids = {
            str(each): self.position_ids.get(each) or self._next_id() for each in paper.positions
        }
        self.paper, self.position_ids = paper, ids
        self._store.put("books", self.name, "", 0, Books(paper=paper, positions=ids))
        self.changed = True

    def keep_order(self, order: Order, fill: Fill | None = None) -> None:
        self._keep("order", self.orders, order, order.created)
        self._oids[order.client_oid] = order.id
        self.pushes.append(Push("orders", order, fill))
        self.changed = True

    def keep_fill(self, fill: Fill) -> None:
        self._keep("fill", self.fills, fill, fill.at)
        self.pushes.append(Push("fill", fill))

    def keep_plan(self, plan: Plan) -> None:
        self._keep("plan", self.plans, plan, plan.created)
        self.waiting.pop(plan.id, None)
        if plan.status == "live":
            self.waiting[plan.id] = plan
        self.pushes.append(Push("orders-algo", plan))

    def keep_closed(self, position: Position, at: int) -> None:
        """A round trip has ended; the money still is as it was before."""
        symbol, side = str(position.symbol), "sell" if position.side == "long" else "buy"
        known = self.position_ids.get(symbol) or self._next_id()
        held = self.position(symbol)
        before = (
            fill.size
            for fill in self.fills.values()
            if (fill.symbol, fill.side) == (symbol, side) and fill.at > position.opened_ms
        )
        closed = Closed(
            id=known,
            position=position,
            size=plus(ZERO if held is None else held.size, *before),
            margin_mode=self.margin_mode(symbol),
            at=at,
        )
        self._keep("closed", self.closed, closed, at)
        self.pushes.append(Push("positions-history", closed))

    def keep_bill(self, symbol: str, amount: Decimal, fee: Decimal, kind: str, at: int) -> None:
        """Money moved: `amount` received is positive, `fee` paid is positive."""
        bill = Bill(
            id=self._next_id(),
            symbol=symbol,
            amount=amount,
            fee=minus(ZERO, fee),
            type=kind,
            balance=self.paper.wallet,
            at=at,
        )
        self._keep("bill", self.bills, bill, at)

    def cancel(self, order: Order, reason: str, now: int) -> Order:
        """The rest of an open order will not be filled."""
        paper, _ = cancel(self.paper, str(order.id))
        self.keep_paper(paper)
        ended = replace(order, status="canceled", cancel_reason=reason, updated=now)
        self.keep_order(ended)
        return ended

    def cancel_plan(self, plan: Plan, now: int) -> Plan:
        """The plan will not fire."""
        ended = replace(plan, status="cancelled", updated=now)
        self.keep_plan(ended)
        return ended

    def keep_stop(self, plan: Plan) -> None:
        """A plan; one for the whole position takes the place of its predecessor."""
        if plan.type in ("pos_profit", "pos_loss"):
            for old in self.live_plans(plan.symbol):
                if old.type == plan.type:
                    self.cancel_plan(old, plan.created)
        self.keep_plan(plan)

    def order_of(self, draft: Draft, at: int) -> Order:
        """A new order, not yet kept. At market, reducing is no more than what is open."""
        position = self.position(draft.symbol)
        size = draft.size
        if draft.reduce_only and draft.price is None and position is not None:
            size = min(size, position.size)
        order_id, name = self._next_id(), f"{draft.side}_single"
        return Order(
            id=order_id,
            client_oid=draft.client_oid or str(self._next_id()),
            symbol=draft.symbol,
            side=draft.side,
            kind="market" if draft.price is None else "limit",
            force=draft.force,
            price=draft.price,
            size=size,
            reduce_only=draft.reduce_only,
            leverage=self.leverage(draft.symbol),
            margin_mode=self.margin_mode(draft.symbol),
            take_profit=draft.take_profit,
            stop_loss=draft.stop_loss,
            source=draft.source,
            trade_side=f"reduce_{name}" if draft.reduce_only else name,
            created=at,
            updated=at,
        )

    def book(self, symbol: str, paper: PaperAccount, happened: Sequence[Happening]) -> None:
        """The money after something happened to it in a symbol, and the records of that."""
        ends = [each for each in happened if isinstance(each, core.Fill | Liquidation)]
        stops = [plan.id for plan in self.live_plans(symbol) if plan.of_position]
        for end in ends:
            if end.ended is not None:
                self.keep_closed(end.ended, end.at)
                self.position_ids.pop(symbol, None)
        if paper is not self.paper:
            self.keep_paper(paper)
        for each in happened:
            match each:
                case core.Fill():
                    self._book_fill(each)
                case Dropped():
                    self._book_drop(self.orders[int(each.id)], each.at)
                case core.Funding():
                    amount = minus(ZERO, each.amount)
                    self.keep_bill(symbol, amount, ZERO, "contract_settle_fee", each.at)
                case Liquidation():
                    self._book_liquidation(each)
        if any(end.ended is not None for end in ends):
            for plan_id in stops:  # those of the position that has ended
                if plan_id in self.waiting:
                    self.cancel_plan(self.waiting[plan_id], ends[-1].at)

    def _book_drop(self, order: Order, at: int) -> None:
        ended = replace(order, status="canceled", cancel_reason="reduce_only", updated=at)
        self.keep_order(ended)

    def _book_fill(self, done: core.Fill) -> None:
        order = self.orders[int(done.id)]
        filled = plus(order.filled, done.size)
        whole = filled == order.size
        order = replace(
            order,
            filled=filled,
            quote=plus(order.quote, times(done.price, done.size)),
            fee=plus(order.fee, done.fee),
            profit=plus(order.profit, done.realised),
            status="filled" if whole else "canceled" if done.done else "partially_filled",
            cancel_reason="" if whole or not done.done else "reduce_only",
            updated=done.at,
        )
        self._book_order(order, done, done.maker, order.side)
        if whole:
            self._preset(order)

    def _book_liquidation(self, done: Liquidation) -> None:
        """The venue's own order, filled at once."""
        side: Side = "sell" if done.side == "long" else "buy"
        draft = Draft(
            symbol=str(done.symbol),
            side=side,
            size=done.size,
            reduce_only=True,
            source="liquidation",
        )
        order = replace(
            self.order_of(draft, done.at),
            size=done.size,
            status="filled",
            filled=done.size,
            quote=times(done.price, done.size),
            fee=done.fee,
            profit=done.realised,
            trade_side=f"burst_{side}_single",
            point="SYS",
        )
        self._book_order(order, done, False, f"burst_{side}")

    def _book_order(
        self, order: Order, done: core.Fill | Liquidation, maker: bool, bill: str
    ) -> None:
        fill = Fill(
            id=self._next_id(),
            order=order.id,
            client_oid=order.client_oid,
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            price=done.price,
            size=done.size,
            fee=done.fee,
            profit=done.realised,
            maker=maker,
            trade_side=order.trade_side,
            at=done.at,
        )
        self.keep_fill(fill)
        self.keep_order(order, fill)
        self.keep_bill(order.symbol, done.realised, done.fee, bill, done.at)

    def _preset(self, order: Order) -> None:
        """The stops that came with an order, once it is filled."""
        position = self.position(order.symbol)
        if position is None:
            return
        long = position.side == "long"
        presets: tuple[tuple[PlanType, Decimal | None], ...] = (
            ("pos_profit", order.take_profit),
            ("pos_loss", order.stop_loss),
        )
        for kind, trigger in presets:
            if trigger is None:
                continue
            plan = Plan(
                id=self._next_id(),
                client_oid=str(self._next_id()),
                symbol=order.symbol,
                type=kind,
                side="sell" if long else "buy",
                size=ZERO,
                trigger=trigger,
                trigger_type="fill_price",
                rising=long == (kind == "pos_profit"),
                margin_mode=order.margin_mode,
                created=order.updated,
                updated=order.updated,
            )
            self.keep_stop(plan)

    def _keep(self, kind: str, records: dict[int, R], record: R, at: int) -> None:
        records[record.id] = record
        self._store.put(kind, self.name, record.id, at, record)
        if len(records) > RECORDS_MAX:
            self._forget(records)

    def _forget(self, records: dict[int, R]) -> None:
        """The oldest record that has ended leaves the memory; the store has it."""
        for key, record in records.items():
            if isinstance(record, Order) and record.open:
                continue
            if isinstance(record, Plan) and record.status == "live":
                continue
            del records[key]
            if isinstance(record, Order) and self._oids.get(record.client_oid) == key:
                del self._oids[record.client_oid]
            return
