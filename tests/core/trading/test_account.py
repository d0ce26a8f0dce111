"""After any sequence of orders, tickers, funding and liquidations the wallet adds up exactly."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chandler.core.events import Symbol
from chandler.core.trading import paper
from chandler.core.trading.money import ZERO, minus, plus, times
from chandler.core.trading.paper import (
    Dropped,
    Fill,
    Funding,
    Liquidation,
    PaperAccount,
    PaperOrder,
    Rules,
)
from chandler.core.trading.position import margin
from tests.core.trading.venue import BTC, HOUR_MS, TERMS, dec, rate, ticker

ETH = Symbol("ETHUSDT")
RULES = Rules(slippage_percent=dec("0.05"), maintenance=dec("0.01"))
START = dec("5000")
ALL_TERMS = {
    BTC: TERMS,
    ETH: msgspec.structs.replace(TERMS, symbol=ETH, taker_fee=dec("0.000613")),
}

symbols = st.sampled_from([BTC, ETH])
tenths = st.integers(200, 4000).map(lambda n: dec(str(n)) / 10)
sizes = st.integers(1, 8_000).map(lambda n: dec(str(n)) / 1000)
kinds = st.sampled_from(["market", "market", "market", "limit", "trigger", "reduce"])


class Account(RuleBasedStateMachine):
    """The venue's account against a second book, kept from what it says has happened."""

    def __init__(self):
        super().__init__()
        self.account = paper.open_account(START)
        self.at = 0
        self.newest = {symbol: ticker("100", 0, symbol=symbol) for symbol in ALL_TERMS}
        self.moved = ZERO  # into the account
        self.realised = ZERO
        self.fees = ZERO
        self.funding = ZERO
        self.flow = ZERO  # quote coin of all fills, received less paid
        self.held = dict.fromkeys(ALL_TERMS, ZERO)  # base coin
        self.trades = set()
        self.settled = set()
        self.placed = 0

    @rule(
        symbol=symbols,
        buys=st.booleans(),
        size=sizes,
        leverage=st.integers(1, 50),
        kind=kinds,
        wait=st.integers(0, 3),
        price=tenths,
        above=st.booleans(),
    )
    def place(self, symbol, buys, size, leverage, kind, wait, price, above):
        self.placed += 1
        order = PaperOrder(
            id=f"o{self.placed}",
            symbol=symbol,
            buys=buys,
            size=size,
            leverage=leverage,
            reduce_only=kind == "reduce",
            ready_ms=self.at + wait * HOUR_MS,
            limit=price if kind == "limit" else None,
            trigger=price if kind == "trigger" else None,
            above=above,
        )
        free = paper.available(self.account)
        before = self.account
        self.account, refused = paper.place(
            before, order, terms=ALL_TERMS[symbol], ticker=self.newest[symbol], rules=RULES
        )
        assert (refused is None) == (order.id in self.account.orders)
        assert refused is None or self.account is before
        if refused is None:
            bound = self.account.orders[order.id].reserved
            assert 0 <= bound <= max(free, ZERO)

    @rule(symbol=symbols, size=st.none() | sizes, trigger=tenths)
    def stop(self, symbol, size, trigger):
        position = self.account.positions.get(symbol)
        if position is None:
            return
        self.placed += 1
        order = PaperOrder(
            id=f"o{self.placed}",
            symbol=symbol,
            buys=position.side == "short",
            size=size,
            reduce_only=True,
            trigger=trigger,
            above=position.side == "short",
            of_position=True,
        )
        self.account, _ = paper.place(
            self.account, order, terms=ALL_TERMS[symbol], ticker=None, rules=RULES
        )

    @precondition(lambda self: self.account.orders)
    @rule(data=st.data())
    def cancel(self, data):
        name = data.draw(st.sampled_from(sorted(self.account.orders)))
        self.account, found = paper.cancel(self.account, name)
        assert found is not None

    @rule(change=st.integers(-100, 100))
    def transfer(self, change):
        self.account = paper.transfer(self.account, dec(str(change)))
        self.moved += change

    @rule(
        symbol=symbols,
        price=tenths,
        hours=st.integers(1, 20),
        spread=st.integers(0, 5),
        basis=st.none() | st.integers(-90, 90),
        share=st.none() | sizes,
    )
    def tick(self, symbol, price, hours, spread, basis, share):
        self.at += hours * HOUR_MS
        self.newest[symbol] = ticker(
            str(price), self.at, spread=str(dec(str(spread)) / 10), symbol=symbol
        )
        funding = None
        if basis is not None:
            funding = rate(str(dec(str(basis)) / 10_000), 8 * HOUR_MS)
        shares = {} if share is None else dict.fromkeys(self.account.orders, share)
        self.meet(symbol, funding, shares)

    @rule(symbol=symbols)
    def tick_again(self, symbol):
        """The newest ticker once more: nothing that it did is done twice."""
        before = self.account
        trades = len(self.trades)
        waits = {name: each.ready_ms for name, each in before.orders.items()}
        self.meet(symbol, None, {})
        self.meet(symbol, None, {})
        assert len(self.trades) - trades <= len(waits)

    def meet(self, symbol, funding, shares):
        before = self.account
        self.account, happened = paper.on_ticker(
            before,
            self.newest[symbol],
            terms=ALL_TERMS[symbol],
            funding=funding,
            rules=RULES,
            shares=shares,
        )
        for each in happened:
            self.book(each)
        if not happened:
            assert self.account.wallet == before.wallet
            assert self.account.positions is before.positions

    def book(self, each):
        if isinstance(each, Fill):
            assert each.trade not in self.trades
            self.trades.add(each.trade)
            self.fees += each.fee
            self.realised = plus(self.realised, each.realised)
            self.trade(each.symbol, each.buys, each.price, each.size)
        elif isinstance(each, Liquidation):
            self.fees += each.fee
            self.realised = plus(self.realised, each.realised)
            self.trade(each.symbol, each.side == "short", each.price, each.size)
        elif isinstance(each, Funding):
            key = (each.symbol, each.settled_ms)
            assert key not in self.settled
            self.settled.add(key)
            self.funding += each.amount
        else:
            assert isinstance(each, Dropped)

    def trade(self, symbol, buys, price, size):
        notional = times(price, size)
        self.flow = plus(self.flow, -notional if buys else notional)
        self.held[symbol] = plus(self.held[symbol], size if buys else -size)

    @invariant()
    def the_wallet_is_what_came_in_and_what_trading_made_of_it(self):
        expected = minus(plus(START, self.moved, self.realised), self.fees, self.funding)
        assert self.account.wallet == expected

    @invariant()
    def the_books_of_the_market_say_the_same(self):
        """Money by another way: cash flows and what is still open, at cost."""
        costs = [
            times(each.cost, dec(str(each.direction))) for each in self.account.positions.values()
        ]
        by_flow = minus(plus(START, self.moved, self.flow, *costs), self.fees, self.funding)
        assert self.account.wallet == by_flow

    @invariant()
    def positions_are_what_was_bought_less_what_was_sold(self):
        for symbol, held in self.held.items():
            position = self.account.positions.get(symbol)
            signed = ZERO if position is None else position.size * position.direction
            assert signed == held
            assert position is None or position.size > 0

    @invariant()
    def what_is_available_is_what_nothing_binds(self):
        bound = plus(*(margin(each) for each in self.account.positions.values()))
        reserved = plus(*(each.reserved for each in self.account.orders.values()))
        assert all(each.reserved >= 0 for each in self.account.orders.values())
        assert plus(paper.available(self.account), bound, reserved) == self.account.wallet

    @invariant()
    def orders_that_wait_have_something_left(self):
        for each in self.account.orders.values():
            assert each.size is None or each.left > 0
            if each.of_position:
                assert each.symbol in self.account.positions

    @invariant()
    def it_comes_back_from_json_byte_for_byte(self):
        raw = msgspec.json.encode(self.account)
        again = msgspec.json.decode(raw, type=PaperAccount)
        assert again == self.account
        assert msgspec.json.encode(again) == raw


TestAccount = Account.TestCase
