"""What time brings to the accounts: prices that are met, funding, plans that fire.

Walks the recorded way of each symbol that somebody holds or waits for, in the order of time, up to
the clock. Prices are those that are pushed as ticks, so that nobody meets one that nobody saw.
"""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from chandler.core.events import FundingRate, Symbol, Ticker
from chandler.core.trading.money import ONE, PERCENT, amount, minus, places, plus, times
from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.instruments import FUNDING_H, FUNDING_MS
from chandler.exchanges.simulator.private.account import Account
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.records import Draft, Plan
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.rest import VenueError

STEP_S = 0.05  # wall time between two looks at the clock
VALUED_S = 1.0  # wall time between two pushes of what positions are worth
FOLLOWED_SLOTS = 2  # further back only the extremes of a candle are met

replace = msgspec.structs.replace


class Course:
    """One task that keeps the accounts at the clock."""

    def __init__(self, exchange: Exchange, clock: VenueClock) -> None:
        self._exchange = exchange
        self._clock = clock
        self.walked_ms = clock.now()  # how far the accounts have come
        self._shrunk = time.monotonic()

    async def run(self) -> None:
        """For ever."""
        valued = time.monotonic()
        while True:
            await asyncio.sleep(STEP_S)
            self.advance()
            self._shrink()
            if time.monotonic() - valued >= VALUED_S:
                valued = time.monotonic()
                for account in self._exchange.accounts.values():
                    account.changed |= bool(account.paper.positions)
            self._exchange.commit()

    def advance(self) -> int:
        """Up to now, which is returned; nothing is committed."""
        now = self._clock.now()
        exchange = self._exchange
        if now > self.walked_ms:
            watched = self._watched()
            for at, _, symbol, price in sorted(self._course(watched, now)):
                ticker = exchange.ticker(symbol, at, price)
                self._meet(ticker, _funding(exchange, symbol, at))
            self.walked_ms = now
        if exchange.working:
            exchange.work(lambda symbol: exchange.ticker(symbol, now))
        return now

    def _watched(self) -> set[str]:
        """Symbols in which something can happen."""
        found: set[str] = set()
        for account in self._exchange.accounts.values():
            found.update(map(str, account.paper.positions))
            found.update(str(order.symbol) for order in account.paper.orders.values())
            found.update(plan.symbol for plan in account.live_plans())
        return found

    def _course(self, watched: set[str], now: int) -> Iterator[tuple[int, int, str, float | None]]:
        """(time, rank, symbol, price) from where we are to now; funding marks before ticks."""
        after = self.walked_ms
        for symbol in watched:
            index = self._exchange.market.index[symbol]
            for slot in range(after // SLOT_MS, now // SLOT_MS + 1):
                for at, price in self._points(index, slot, now):
                    if after < at <= now:
                        yield at, 1, symbol, price
            first = (after // FUNDING_MS + 1) * FUNDING_MS
            for mark in range(first, now + 1, FUNDING_MS):
                yield mark, 0, symbol, None

    def _points(self, index: int, slot: int, now: int) -> list[tuple[int, float]]:
        market = self._exchange.market
        if slot > now // SLOT_MS - FOLLOWED_SLOTS:
            way = market.way(index, slot)
            if way is None:
                return []
            pairs = zip(way.points, way.ticks, strict=True)
            return [(point.at_ms, point.five.close) for point, is_tick in pairs if is_tick]
        bar = market.recorded(index, slot)
        if bar is None:
            return []
        rises = bar.high - bar.open < bar.open - bar.low
        first, second = (bar.high, bar.low) if rises else (bar.low, bar.high)
        step = SLOT_MS // 3
        prices = (bar.open, first, second, bar.close)
        return [(bar.open_ms + min(i * step, SLOT_MS - 1), price) for i, price in enumerate(prices)]

    def _meet(self, ticker: Ticker, funding: FundingRate | None) -> None:
        symbol = ticker.symbol
        for account in self._exchange.accounts.values():
            paper = account.paper
            waits = any(order.symbol == symbol for order in paper.orders.values())
            if waits or symbol in paper.positions:
                self._exchange.meet(account, ticker, funding=funding)
            for plan in account.live_plans(str(symbol)):
                self._try(account, plan, ticker)

    def _try(self, account: Account, plan: Plan, ticker: Ticker) -> None:
        """Fires a plan whose price has come."""
        if account.plans[plan.id].status != "live":  # its position ended at this ticker
            return
        moved, fires = follow(plan, amount(ticker.last))
        if fires:
            self._fire(account, moved, ticker)
        elif moved is not plan:
            account.keep_plan(moved)

    def _fire(self, account: Account, plan: Plan, ticker: Ticker) -> None:
        """The plan becomes an order whose clientOid is the plan's id."""
        position = account.position(plan.symbol)
        size = plan.size or (position.size if position is not None else plan.size)
        draft = Draft(
            symbol=plan.symbol,
            side=plan.side,
            size=size,
            price=plan.execute_price,
            force="gtc" if plan.execute_price is not None else "ioc",
            reduce_only=plan.reduce_only,
            client_oid=str(plan.id),
            take_profit=plan.take_profit,
            stop_loss=plan.stop_loss,
            source=plan.type,
        )
        account.keep_plan(replace(plan, status="executed", updated=ticker.at))
        try:
            order = self._exchange.place(account, draft, ticker)
        except VenueError:
            account.keep_plan(replace(plan, status="fail_execute", updated=ticker.at))
            return
        account.keep_plan(replace(plan, status="executed", executed=order.id, updated=ticker.at))

    def _shrink(self) -> None:
        """The fault of that name."""
        fault = self._exchange.faults.faults.shrink
        if fault is None or time.monotonic() - self._shrunk < fault.every_s:
            return
        self._shrunk = time.monotonic()
        for account in self._exchange.accounts.values():
            loss = places(times(account.paper.wallet, Decimal(str(fault.share))))
            self._exchange.shrink(account, loss)


def follow(plan: Plan, price: Decimal) -> tuple[Plan, bool]:
    """A waiting plan after a price, and whether it fires.

    A trailing one is activated by its trigger, then follows the best price and fires when the
    price has come back from it by `callback` percent.
    """
    reached = price >= plan.trigger if plan.rising else price <= plan.trigger
    if not plan.callback:
        return plan, reached
    if plan.peak is None and not reached:
        return plan, False
    best = max if plan.side == "sell" else min
    peak = price if plan.peak is None else best(plan.peak, price)
    moved = plan if peak == plan.peak else replace(plan, peak=peak)
    share_ = times(plan.callback, PERCENT)
    if plan.side == "sell":
        return moved, price <= times(peak, minus(ONE, share_))
    return moved, price >= times(peak, plus(ONE, share_))


def _funding(exchange: Exchange, symbol: str, at: int) -> FundingRate | None:
    """What is settled at this time; None: nothing."""
    if at % FUNDING_MS:
        return None
    rate = exchange.quotes.funding_rate(exchange.market.index[symbol], at - 1)
    return FundingRate(
        symbol=Symbol(symbol), rate=rate, interval_h=FUNDING_H, next_ms=at, seen_at=at
    )
