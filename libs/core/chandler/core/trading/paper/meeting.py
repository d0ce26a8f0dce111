"""What a paper venue does with an account at a ticker: funding, liquidation, triggers, fills."""

from decimal import Decimal

import msgspec

from chandler.core.events import FundingRate, Symbol, Ticker
from chandler.core.granularity import HOUR_MS
from chandler.core.trading import matching
from chandler.core.trading.money import AmountError, amount, minus, places, plus, ratio, times
from chandler.core.trading.paper.account import (
    Dropped,
    Fill,
    Funding,
    Happening,
    Liquidation,
    PaperAccount,
    PaperOrder,
    Rules,
    available,
)
from chandler.core.trading.paper.placing import cancel, needed, opening_size, waiting
from chandler.core.trading.position import (
    Position,
    filled,
    funded,
    funding_amount,
    is_liquidated,
)
from chandler.core.trading.terms import Terms

replace = msgspec.structs.replace


def on_ticker(
    account: PaperAccount,
    ticker: Ticker,
    *,
    terms: Terms,
    funding: FundingRate | None,
    rules: Rules,
    shares: dict[str, Decimal] | None = None,
) -> tuple[PaperAccount, list[Happening]]:
    """What the venue does at a ticker, in this order: funding, liquidation, triggers, orders.

    Funding: each settlement mark (funding.next_ms and every interval before and after it) that
    lies after the opening and at or before the ticker, once, at the ticker's mark price and the
    rate given. Orders are filled by (ready_ms, id). `shares`: of these orders at most so much now.
    Nothing happened: the account is the one given (but for limit orders, which rest from now on).
    """
    meeting = _Meeting(ticker, terms, rules, shares or {})
    symbol = ticker.symbol
    happened: list[Happening] = []
    if symbol in account.positions:
        account = meeting.settle(account, funding, happened)
        account = meeting.liquidate(account, happened)
    there = [
        each
        for each in account.orders.values()
        if each.symbol == symbol and each.ready_ms <= ticker.at
    ]
    there.sort(key=lambda each: (each.trigger is None or each.fired, each.ready_ms, each.id))
    for order in there:
        if order.id in account.orders:  # not dropped with its position meanwhile
            account = meeting.execute(account, order, happened)
    return account, happened


class _Meeting:
    """One ticker and what holds at it; `happened` of each step is what it adds to."""

    def __init__(
        self, ticker: Ticker, terms: Terms, rules: Rules, shares: dict[str, Decimal]
    ) -> None:
        self._ticker = ticker
        self._terms = terms
        self._rules = rules
        self._shares = shares

    def settle(
        self, account: PaperAccount, funding: FundingRate | None, happened: list[Happening]
    ) -> PaperAccount:
        """Pays each settlement of funding that has come since the last one paid."""
        mark, rate = matching.mark_of(self._ticker), _rate(funding)
        if mark is None or rate is None or funding is None:
            return account
        symbol, interval = self._ticker.symbol, funding.interval_h * HOUR_MS
        position = account.positions[symbol]
        since = max(position.opened_ms, position.funded_ms)
        settled = funding.next_ms - (funding.next_ms - since) // interval * interval
        settled += interval if settled <= since else 0
        while settled <= self._ticker.at:
            paid = funding_amount(position, rate=rate, mark=mark)
            position = funded(position, amount=paid, mark_ms=settled)
            account = replace(
                account,
                funding=plus(account.funding, paid),
                positions={**account.positions, symbol: position},
            )
            happened.append(
                Funding(
                    symbol=symbol,
                    rate=rate,
                    mark=mark,
                    size=position.size,
                    amount=paid,
                    settled_ms=settled,
                    position=position,
                    at=self._ticker.at,
                )
            )
            settled += interval
        return account

    def liquidate(self, account: PaperAccount, happened: list[Happening]) -> PaperAccount:
        """Closes the position at mark if its margin is gone."""
        position, mark = account.positions[self._ticker.symbol], matching.mark_of(self._ticker)
        taker_fee = self._terms.taker_fee
        if mark is None or not is_liquidated(
            position, mark, maintenance=self._rules.maintenance, taker_fee=taker_fee
        ):
            return account
        size, fee = position.size, matching.fee_of(mark, position.size, taker_fee)
        after = filled(
            position,
            symbol=position.symbol,
            buys=position.side == "short",
            price=mark,
            size=size,
            fee=fee,
            leverage=position.leverage,
            at=self._ticker.at,
        )
        assert after.ended is not None
        happened.append(
            Liquidation(
                symbol=position.symbol,
                side=position.side,
                price=mark,
                size=size,
                fee=fee,
                realised=after.realised,
                ended=after.ended,
                at=self._ticker.at,
            )
        )
        account = _booked(account, position.symbol, None, after.realised, fee)
        return self._without_stops(account, happened)

    def execute(
        self, account: PaperAccount, order: PaperOrder, happened: list[Happening]
    ) -> PaperAccount:
        """Fills what of an order this ticker fills; drops one that has nothing to reduce."""
        if order.trigger is not None and not order.fired:
            if not self._fires(order):
                return account
            order = replace(order, fired=True)
        position = account.positions.get(order.symbol)
        reducible = position is not None and (position.side == "long") != order.buys
        if (order.reduce_only or order.size is None) and not reducible:
            return self._drop(account, order, "no position to reduce", happened)
        if order.size is None:
            assert position is not None
            order = replace(order, size=position.size, reduce_only=True)
        price, maker = self._price(order)
        if price is None:
            return waiting(account, replace(order, rested=order.limit is not None))
        size = order.left
        if order.reduce_only and position is not None:
            size = min(size, position.size)
        if order.fired and not order.fills and not order.reduce_only:
            bound = needed(order, price, opening_size(order, position), self._terms)
            if bound > available(account):
                return self._drop(account, order, "margin", happened)
        size = min(size, self._shares.get(order.id, size))
        if size <= 0:
            return waiting(account, order)
        return self._fill(account, order, price, size, maker, happened)

    def _fires(self, order: PaperOrder) -> bool:
        read = matching.mark_of if order.by == "mark" else matching.last_of
        price = read(self._ticker)
        if price is None or order.trigger is None:
            return False
        return price >= order.trigger if order.above else price <= order.trigger

    def _price(self, order: PaperOrder) -> tuple[Decimal | None, bool]:
        """The price of a fill at this ticker, none if there is none now; whether as maker."""
        assert order.size is not None
        found = matching.quote(
            self._ticker,
            buys=order.buys,
            size=order.left,
            terms=self._terms,
            slippage_percent=self._rules.slippage_percent,
        )
        if found is None or order.limit is None:
            return (found.price if found else None), False
        crossed = found.best <= order.limit if order.buys else found.best >= order.limit
        if not crossed:
            return None, False
        if order.rested:
            return order.limit, True
        bound = min if order.buys else max
        return bound(order.limit, found.price), False

    def _fill(
        self,
        account: PaperAccount,
        order: PaperOrder,
        price: Decimal,
        size: Decimal,
        maker: bool,
        happened: list[Happening],
    ) -> PaperAccount:
        rate = self._terms.maker_fee if maker else self._terms.taker_fee
        fee = matching.fee_of(price, size, rate)
        position = account.positions.get(order.symbol)
        after = filled(
            position,
            symbol=order.symbol,
            buys=order.buys,
            price=price,
            size=size,
            fee=fee,
            leverage=position.leverage if order.reduce_only and position else order.leverage,
            at=self._ticker.at,
        )
        order = _after_fill(order, size)
        gone = order.reduce_only and after.position is None
        done = not order.left or gone
        happened.append(
            Fill(
                id=order.id,
                trade=f"{order.id}-{order.fills}",
                symbol=order.symbol,
                buys=order.buys,
                price=price,
                size=size,
                fee=fee,
                realised=after.realised,
                done=done,
                reduce_only=order.reduce_only,
                maker=maker,
                triggered=order.fired,
                position=after.position,
                ended=after.ended,
                at=self._ticker.at,
            )
        )
        account = _booked(account, order.symbol, after.position, after.realised, fee)
        account = cancel(account, order.id)[0] if done else waiting(account, order)
        return account if after.ended is None else self._without_stops(account, happened)

    def _drop(
        self, account: PaperAccount, order: PaperOrder, reason: str, happened: list[Happening]
    ) -> PaperAccount:
        happened.append(
            Dropped(
                id=order.id,
                symbol=order.symbol,
                filled=order.filled,
                reason=reason,
                at=self._ticker.at,
            )
        )
        return cancel(account, order.id)[0]

    def _without_stops(self, account: PaperAccount, happened: list[Happening]) -> PaperAccount:
        """The stops of a position that has ended go with it."""
        for order in [*account.orders.values()]:
            if order.of_position and order.symbol == self._ticker.symbol:
                account = self._drop(account, order, "its position has ended", happened)
        return account


def _rate(funding: FundingRate | None) -> Decimal | None:
    if funding is None or funding.interval_h <= 0:
        return None
    try:
        return amount(funding.rate, "funding rate")
    except AmountError:
        return None


def _after_fill(order: PaperOrder, size: Decimal) -> PaperOrder:
    assert order.size is not None
    left = minus(order.left, size)
    return replace(
        order,
        filled=plus(order.filled, size),
        fills=order.fills + 1,
        reserved=places(ratio(times(order.reserved, left), order.left)),
    )


def _booked(
    account: PaperAccount,
    symbol: Symbol,
    position: Position | None,
    realised: Decimal,
    fee: Decimal,
) -> PaperAccount:
    """The account after a fill: its position, realised PnL and fee."""
    positions = {key: each for key, each in account.positions.items() if key != symbol}
    if position is not None:
        positions[symbol] = position
    return replace(
        account,
        positions=positions,
        realised=plus(account.realised, realised),
        fees=plus(account.fees, fee),
    )
