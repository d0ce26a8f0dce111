"""The venue's matching: takes orders into accounts, fills them by core's model, keeps the records.

What is asked and how it is answered is elsewhere; what time brings is in course.py.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from chandler.core.events import FundingRate, Symbol, Ticker
from chandler.core.trading import matching
from chandler.core.trading.money import ZERO, amount, down_to_step, positive
from chandler.core.trading.paper import PaperOrder, Rules, on_ticker, place, transfer
from chandler.core.trading.terms import CLOSING, OPENING, Terms
from chandler.exchanges.simulator.faults import Faults, OrderFaults
from chandler.exchanges.simulator.instruments import Quotes, keep_margin_rate, number
from chandler.exchanges.simulator.market import Market
from chandler.exchanges.simulator.private.account import Account, Push
from chandler.exchanges.simulator.private.checks import refusal
from chandler.exchanges.simulator.private.keys import own_keys
from chandler.exchanges.simulator.private.records import Draft, Order, Settings
from chandler.exchanges.simulator.private.store import STORE_FILE, Store

BALANCE = Decimal(100_000)  # USDT of a new account
FIRST_ID = 1_300_000_000_000_000_000
SLICES_MAX = 5  # fills of an order that is more than a level of the book holds
STRANGE_PERCENT = Decimal(5)  # beyond the price, by the fault

replace = msgspec.structs.replace


class Exchange:
    """All accounts, and the one way in which something happens to them."""

    def __init__(
        self,
        market: Market,
        quotes: Quotes,
        data: Path | None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.market = market
        self.quotes = quotes
        self.counts: Counter[str] = Counter()
        self.accounts: dict[str, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.faults = OrderFaults(Faults(), 0)
        self.working: dict[int, tuple[Account, Decimal]] = {}  # orders filled bit by bit
        self.tell: Callable[[Account, list[Push]], None] = lambda account, pushes: None
        self.store: Store
        self._data = data
        self._wall = wall
        self._id = FIRST_ID
        self._terms: dict[tuple[str, str], Terms] = {}  # by symbol and status

    def open(self, names: tuple[str, ...]) -> None:
        """Reads the store; makes the accounts that are not there yet. SimulatorError."""
        self.store = Store(self._data / STORE_FILE if self._data is not None else None)
        for name in self.store.accounts():
            settings = self.store.one("settings", name, "", Settings)
            assert settings is not None, f"account {name} has no settings"
            account = self._add(settings)
            self._id = max(self._id, account.restore())
            self.working |= {
                each.id: (account, each.size) for each in account.pending() if each.price is None
            }
        for name in names:
            if name not in self.accounts:
                self.make(name, BALANCE)
        self.commit()

    def close(self) -> None:
        """After the last commit."""
        self.store.close()

    def make(self, name: str, balance: Decimal) -> Account:
        """A new account with its keys."""
        assert name not in self.accounts, f"account {name} is there already"
        account = self._add(Settings(name=name, uid=str(self.next_id() % 10**10), start=balance))
        account.keep_settings(account.settings)
        account.keep_paper(account.paper)
        return account

    def next_id(self) -> int:
        """One sequence for orders, plans, fills, bills and positions; it only grows."""
        self._id += 1
        return self._id

    def commit(self) -> None:
        """To the disk with all that has changed, then to the sockets. Before any answer."""
        self.store.commit()
        for account in self.accounts.values():
            if account.pushes or account.changed:
                pushes, account.pushes = account.pushes, []
                self.tell(account, pushes)
                account.changed = False

    def wall_ms(self) -> int:
        """What signatures are measured by."""
        return int(self._wall() * 1000)

    def set_faults(self, faults: Faults, seed: int) -> None:
        """These from now on."""
        self.faults = OrderFaults(faults, seed)

    def terms(self, symbol: str) -> Terms:
        """Steps, minimums and fees as `contracts` states them; they can change."""
        key = (symbol, self.status(symbol))
        if key not in self._terms:
            self._terms[key] = _terms(self.quotes.contract(self.market.index[symbol]))
        return self._terms[key]

    def change_contract(self, symbol: str, fields: dict[str, str]) -> None:
        """The venue states other steps, minimums or another status from now on.

        ValueError, and nothing changes, if orders could not be measured by them.
        """
        before = self.market.changed.get(symbol, {})
        self.market.changed[symbol] = before | fields
        try:
            _terms(self.quotes.contract(self.market.index[symbol]))
        except ValueError:
            self.market.changed[symbol] = before
            raise
        self._terms.clear()

    def status(self, symbol: str) -> str:
        """The contract's symbolStatus."""
        if symbol in self.market.delisted:
            return "off"
        return self.market.changed.get(symbol, {}).get("symbolStatus", "normal")

    def maintenance(self, symbol: str) -> Decimal:
        """Margin that has to stay, fraction of a position's value."""
        return amount(keep_margin_rate(symbol))

    def ticker(self, symbol: str, at: int, price: float | None = None) -> Ticker:
        """The symbol's prices at a time, as core's event."""
        index = self.market.index[symbol]
        last = self.market.last_price(index, at) if price is None else price
        bid, ask = self.quotes.touch(index, last)
        text = number(last)
        return Ticker(
            symbol=Symbol(symbol),
            at=at,
            last=text,
            bid=bid,
            ask=ask,
            mark=text,
            minute_open_ms=0,
            minute_volume=0.0,
        )

    def mark(self, symbol: str, at: int) -> Decimal:
        """The mark price: the simulator's is the last price."""
        return amount(number(self.market.last_price(self.market.index[symbol], at)))

    def place(self, account: Account, draft: Draft, ticker: Ticker) -> Order:
        """Takes an order and fills what can be filled now. VenueError with the venue's code."""
        terms, rules = self.terms(draft.symbol), self._rules(draft.symbol)
        order = account.order_of(draft, ticker.at)
        paper, refused = place(
            account.paper, _paper_order(order), terms=terms, ticker=ticker, rules=rules
        )
        if refused is not None:
            raise refusal(refused, terms, order.size, self.status(draft.symbol))
        account.keep_paper(paper)
        account.keep_order(order)
        if draft.force == "post_only" and _crosses(order, ticker):
            return account.cancel(order, "post_only_cancel", ticker.at)
        self._fill_now(account, order, ticker)
        order = account.orders[order.id]
        if order.open and order.force in ("ioc", "fok") and order.id not in self.working:
            return account.cancel(order, f"{order.force}_cancel", ticker.at)
        return order

    def meet(
        self,
        account: Account,
        ticker: Ticker,
        *,
        rules: Rules | None = None,
        funding: FundingRate | None = None,
        shares: dict[str, Decimal] | None = None,
    ) -> None:
        """An account meets a price; orders at market wait for their share of it."""
        symbol = str(ticker.symbol)
        allowed: dict[str, Decimal] = {}
        for order in account.pending(symbol):
            allowed[str(order.id)] = ZERO if order.price is None else self._level(symbol, ticker.at)
        before = account.paper
        paper, happened = on_ticker(
            before,
            ticker,
            terms=self.terms(symbol),
            funding=funding,
            rules=rules or self._rules(symbol),
            shares=allowed | (shares or {}),
        )
        account.book(symbol, paper, happened)

    def work(self, ticker_of: Callable[[str], Ticker]) -> None:
        """Another bit of each order that is filled bit by bit."""
        for order_id, (account, part) in [*self.working.items()]:
            order = account.orders[order_id]
            if order.open:
                share = {str(order_id): part}
                self.meet(account, ticker_of(order.symbol), shares=share)
            if not account.orders[order_id].open:
                del self.working[order_id]

    def shrink(self, account: Account, loss: Decimal) -> None:
        """The balance is less from now on, and nothing says why."""
        account.keep_paper(transfer(account.paper, -loss))

    def _add(self, settings: Settings) -> Account:
        keys = own_keys(self._data, settings.name)
        account = Account(settings, keys, self.store, self.next_id)
        self.accounts[settings.name] = account
        self.by_key[keys.key] = account
        return account

    def _rules(self, symbol: str, slippage: Decimal | None = None) -> Rules:
        rules = Rules(maintenance=self.maintenance(symbol))
        return rules if slippage is None else replace(rules, slippage_percent=slippage)

    def _fill_now(self, account: Account, order: Order, ticker: Ticker) -> None:
        """What the book holds, level by level, each a little worse; by a fault only the first."""
        faults = self.faults.faults
        slow = order.price is None and self.faults.happens(faults.partial)
        strange = order.price is None and self.faults.happens(faults.strange)
        level = self._level(order.symbol, ticker.at)
        count = min(SLICES_MAX, max(math.ceil(order.size / level), 3 if slow else 1))
        step = self.terms(order.symbol).size_step
        part = max(down_to_step(order.size / count, step), step)
        slippage = STRANGE_PERCENT if strange else Rules().slippage_percent
        for place_ in range(1 if slow else count):
            order = account.orders[order.id]
            if not order.open:
                return
            share = order.rest if place_ == count - 1 else min(part, order.rest)
            rules = self._rules(order.symbol, slippage * (place_ + 1))
            self.meet(account, ticker, rules=rules, shares={str(order.id): share})
        if account.orders[order.id].open and order.price is None:
            self.working[order.id] = (account, part)

    def _level(self, symbol: str, at: int) -> Decimal:
        """What is filled at one price, a multiple of the step."""
        size = amount(number(self.quotes.level_size(self.market.index[symbol], at)))
        step = self.terms(symbol).size_step
        return max(down_to_step(size, step), step)


def _paper_order(order: Order) -> PaperOrder:
    return PaperOrder(
        id=str(order.id),
        symbol=Symbol(order.symbol),
        buys=order.side == "buy",
        size=order.size,
        leverage=order.leverage,
        reduce_only=order.reduce_only,
        limit=order.price,
    )


def _crosses(order: Order, ticker: Ticker) -> bool:
    best = matching.touch(ticker, buys=order.side == "buy")
    assert best is not None
    assert order.price is not None
    return best <= order.price if order.side == "buy" else best >= order.price


def _terms(contract: dict[str, str]) -> Terms:
    status = contract["symbolStatus"]
    return Terms(
        symbol=Symbol(contract["symbol"]),
        price_step=positive(contract["priceEndStep"]).scaleb(-int(contract["pricePlace"])),
        size_step=positive(contract["sizeMultiplier"]),
        size_min=amount(contract["minTradeNum"]),
        notional_min=amount(contract["minTradeUSDT"]),
        maker_fee=amount(contract["makerFeeRate"]),
        taker_fee=amount(contract["takerFeeRate"]),
        leverage_max=int(contract["maxLever"]),
        opens=status in OPENING,
        closes=status in CLOSING,
    )
