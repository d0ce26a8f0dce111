"""A broker over core's paper venue: one account in memory, moved by the tickers that it is fed.

Whoever owns it calls `feed` with each ticker and `fund` with each rate; fills come from there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from chandler.core.events import FundingRate, Instrument, Symbol, Ticker
from chandler.core.trading import matching, paper
from chandler.core.trading.broker import (
    VALID_MS,
    Accepted,
    BrokerError,
    Push,
    Refused,
    Reply,
    StreamBroken,
    Unknown,
    VenueBalance,
    VenueFill,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueStop,
)
from chandler.core.trading.events import Direction, OrderRequested, Quote
from chandler.core.trading.position import average, liquidation_price, unrealised
from chandler.core.trading.terms import Terms, terms_of

STREAM_PUSHES_MAX = 10_000  # that nobody has taken; then the stream counts as broken

replace = msgspec.structs.replace


class PaperBroker:
    """Answers as a venue does. `wall_ms` is the clock that signed times are measured by."""

    def __init__(
        self,
        balance: Decimal,
        instruments: Iterable[Instrument],
        rules: paper.Rules,
        wall_ms: Callable[[], int] | None = None,
    ) -> None:
        self.account = paper.open_account(balance)
        self._terms: Mapping[Symbol, Terms] = {each.symbol: terms_of(each) for each in instruments}
        self._rules = rules
        self._wall_ms = wall_ms
        self._at = 0
        self._tickers: dict[Symbol, Ticker] = {}
        self._rates: dict[Symbol, FundingRate] = {}
        self._orders: dict[str, VenueOrder] = {}  # by our id, the newest under it
        self._fills: list[VenueFill] = []
        self._fundings: list[VenueFunding] = []
        self._streams: list[asyncio.Queue[Push | None]] = []
        self._placed = 0

    def feed(self, ticker: Ticker) -> None:
        """The market moves; a ticker that isn't newer than the symbol's newest is dropped."""
        newest = self._tickers.get(ticker.symbol)
        if newest is not None and ticker.at <= newest.at:
            return
        self._tickers[ticker.symbol] = ticker
        self._at = max(self._at, ticker.at)
        self._meet(ticker)

    def fund(self, rate: FundingRate) -> None:
        """The funding rate that is in force now."""
        self._rates[rate.symbol] = rate

    async def open(self) -> None:
        """Nothing to check: there are no keys."""

    async def close(self) -> None:
        for queue in self._streams:
            self._put(queue, None)
        self._streams.clear()

    async def place(self, request: OrderRequested) -> Reply:
        """One id is one order, whatever became of it: again, it is the first that is told."""
        known = self._orders.get(request.id)
        if known is not None:
            return Accepted(id=request.id, venue_id=known.venue_id, at=known.at)
        if request.id in self._orders:  # never twice; what became of it is looked up
            reason = "an order of this id was placed before"
            return Unknown(id=request.id, reason=reason, at=self._at)
        terms = self._terms.get(request.symbol)
        if terms is None:
            return self._refused(request.id, "no_symbol", f"{request.symbol} is not traded here")
        if self._wall_ms and request.sent_ms and self._wall_ms() - request.sent_ms > VALID_MS:
            return self._refused(request.id, "40008", f"signed more than {VALID_MS} ms ago")
        order = paper.PaperOrder(
            id=request.id,
            symbol=request.symbol,
            buys=request.buys,
            size=request.size,
            leverage=request.leverage,
            reduce_only=request.reduce_only,
            ready_ms=request.ready_ms,
        )
        ticker = self._tickers.get(request.symbol)
        self.account, refused = paper.place(
            self.account, order, terms=terms, ticker=ticker, rules=self._rules
        )
        if refused is not None:
            return self._refused(request.id, refused.code, refused.reason)
        self._placed += 1
        taken = VenueOrder(
            id=request.id,
            venue_id=f"paper-{self._placed}",
            symbol=request.symbol,
            state="open",
            buys=request.buys,
            reduce_only=request.reduce_only,
            size=request.size,
            filled=Decimal(0),
            at=self._at,
        )
        self._keep(taken)
        if ticker is not None and ticker.at >= request.ready_ms:
            self._meet(ticker)
        return Accepted(id=request.id, venue_id=taken.venue_id, at=self._at)

    async def cancel(self, symbol: Symbol, order: str) -> Reply:
        self.account, found = paper.cancel(self.account, order)
        if found is None or order not in self._orders:
            return self._refused(order, "not_found", f"no order {order} is open")
        cancelled = replace(self._orders[order], state="cancelled", at=self._at)
        self._keep(cancelled)
        return Accepted(id=order, venue_id=cancelled.venue_id, at=self._at)

    async def find_by_client_oid(self, symbol: Symbol, order: str) -> VenueOrder | None:
        return self._orders.get(order)

    async def fills(self, symbol: Symbol, order: str) -> list[VenueFill]:
        return [each for each in self._fills if each.id == order]

    async def fills_since(self, since_ms: int) -> list[VenueFill]:
        return [each for each in self._fills if each.at >= since_ms]

    async def fundings_since(self, since_ms: int) -> list[VenueFunding]:
        return [each for each in self._fundings if each.at >= since_ms]

    async def open_orders(self) -> list[VenueOrder]:
        return [each for each in self._orders.values() if each.state == "open"]

    async def positions(self) -> list[VenuePosition]:
        found = []
        for symbol, each in self.account.positions.items():
            terms = self._terms[symbol]
            mark = matching.mark_of(self._tickers[symbol]) or average(each)
            liquidation = liquidation_price(
                each,
                maintenance=self._rules.maintenance,
                taker_fee=terms.taker_fee,
                price_step=terms.price_step,
            )
            found.append(
                VenuePosition(
                    symbol=symbol,
                    side=each.side,
                    size=each.size,
                    entry=average(each),
                    mark=mark,
                    unrealised=unrealised(each, mark),
                    liquidation=liquidation,
                    leverage=each.leverage,
                )
            )
        return found

    async def balance(self) -> VenueBalance:
        found = ((symbol, matching.mark_of(each)) for symbol, each in self._tickers.items())
        marks = {symbol: mark for symbol, mark in found if mark is not None}
        return VenueBalance(
            wallet=self.account.wallet,
            available=paper.available(self.account),
            equity=paper.equity(self.account, marks),
            at=self._at,
        )

    async def quote(self, symbol: Symbol, *, buys: bool, size: Decimal) -> Quote:
        ticker = self._tickers.get(symbol)
        found = ticker and matching.quote(
            ticker,
            buys=buys,
            size=size,
            terms=self._terms[symbol],
            slippage_percent=self._rules.slippage_percent,
        )
        if not found:
            raise BrokerError(f"{symbol} has no price: wait for a ticker")
        return found

    async def set_leverage(self, symbol: Symbol, leverage: int) -> None:
        terms = self._terms.get(symbol)
        if terms is None or not 1 <= leverage <= terms.leverage_max:
            most = terms.leverage_max if terms else "nothing"
            raise BrokerError(f"{symbol}: leverage from 1 to {most} expected, {leverage} found")
        position = self.account.positions.get(symbol)
        if position is not None:
            positions = {**self.account.positions, symbol: replace(position, leverage=leverage)}
            self.account = replace(self.account, positions=positions)

    async def place_stop(
        self, symbol: Symbol, side: Direction, trigger: Decimal, order: str
    ) -> VenueStop:
        if symbol not in self._terms:
            raise BrokerError(f"{symbol} is not traded here")
        ticker = self._tickers.get(symbol)
        price = matching.mark_of(ticker) if ticker else None
        if price is not None and (trigger >= price if side == "long" else trigger <= price):
            where = "below" if side == "long" else "above"
            raise BrokerError(
                f"{symbol}: a {side}'s stop is {where} the price, {trigger} at {price} is not"
            )
        stop = paper.PaperOrder(
            id=order,
            symbol=symbol,
            buys=side == "short",
            size=None,
            reduce_only=True,
            trigger=trigger,
            above=side == "short",
            of_position=True,
        )
        self.account, refused = paper.place(
            self.account,
            stop,
            terms=self._terms[symbol],
            ticker=ticker,
            rules=self._rules,
        )
        if refused is not None:
            raise BrokerError(f"stop of {symbol} at {trigger}: {refused.reason}")
        return _stop_of(stop)

    async def cancel_stop(self, stop: VenueStop) -> None:
        self.account, _ = paper.cancel(self.account, stop.id)

    async def stops(self) -> list[VenueStop]:
        return [_stop_of(each) for each in self.account.orders.values() if each.of_position]

    async def stream(self) -> AsyncIterator[Push]:
        queue: asyncio.Queue[Push | None] = asyncio.Queue(STREAM_PUSHES_MAX + 1)
        self._streams.append(queue)
        while (push := await queue.get()) is not None:
            yield push

    async def skew_ms(self) -> int:
        return 0

    def _meet(self, ticker: Ticker) -> None:
        terms = self._terms.get(ticker.symbol)
        if terms is None:
            return
        self.account, happened = paper.on_ticker(
            self.account,
            ticker,
            terms=terms,
            funding=self._rates.get(ticker.symbol),
            rules=self._rules,
        )
        for each in happened:
            self._tell(each)

    def _tell(self, happening: paper.Happening) -> None:
        match happening:
            case paper.Fill():
                self._filled(happening)
            case paper.Dropped():
                known = self._orders.get(happening.id)
                if known is not None:
                    self._keep(replace(known, state="cancelled", at=happening.at))
            case paper.Funding():
                bill = f"{happening.symbol}-{happening.settled_ms}"
                paid = VenueFunding(
                    bill=bill, symbol=happening.symbol, amount=happening.amount, at=happening.at
                )
                self._fundings.append(paid)
                self._push(paid)
            case paper.Liquidation():
                trade = f"liquidation-{len(self._fills) + 1}"
                fill = VenueFill(
                    id="",
                    venue_id=trade,
                    trade=trade,
                    symbol=happening.symbol,
                    buys=happening.side == "short",
                    price=happening.price,
                    size=happening.size,
                    fee=happening.fee,
                    at=happening.at,
                )
                self._fills.append(fill)
                self._push(fill)

    def _filled(self, happening: paper.Fill) -> None:
        known = self._orders.get(happening.id)
        fill = VenueFill(
            id=happening.id,
            venue_id=known.venue_id if known else happening.id,
            trade=happening.trade,
            symbol=happening.symbol,
            buys=happening.buys,
            price=happening.price,
            size=happening.size,
            fee=happening.fee,
            at=happening.at,
        )
        self._fills.append(fill)
        self._push(fill)
        if known is not None:
            state = "filled" if happening.done else "open"
            filled = known.filled + happening.size
            self._keep(replace(known, state=state, filled=filled, at=happening.at))

    def _keep(self, order: VenueOrder) -> None:
        self._orders[order.id] = order
        self._push(order)

    def _push(self, push: Push) -> None:
        for queue in self._streams:
            self._put(queue, push)

    def _put(self, queue: asyncio.Queue[Push | None], push: Push | None) -> None:
        """Bounded: whoever doesn't take its pushes is told that some are lost."""
        if queue.qsize() < STREAM_PUSHES_MAX:
            queue.put_nowait(push)
            return
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(StreamBroken(back=True, reason=f"{STREAM_PUSHES_MAX} pushes not taken"))
        if push is None:
            queue.put_nowait(None)

    def _refused(self, order: str, code: str, reason: str) -> Refused:
        return Refused(id=order, code=code, reason=reason, at=self._at)


def _stop_of(order: paper.PaperOrder) -> VenueStop:
    assert order.trigger is not None
    return VenueStop(id=order.id, venue_id=order.id, symbol=order.symbol, trigger=order.trigger)
