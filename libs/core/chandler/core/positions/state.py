"""What the positions of one symbol remember, and the figures that are published of them."""

from decimal import Decimal

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.events import OrderFilled, PositionMarked
from chandler.core.trading.modes import Held, Prices, beyond
from chandler.core.trading.money import ZERO, plus, times
from chandler.core.trading.position import Position, filled, unrealised

CLOSED_MAX = 16  # positions of a symbol whose legs are remembered after their end
ATTEMPT_MARK = "."  # between a leg and the number of its attempt, from the second on


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """A ticker that was judged, kept for fills that come after it."""

    at: int
    last: Decimal
    bid: Decimal
    ask: Decimal
    mark: Decimal

    @property
    def prices(self) -> Prices:
        return Prices(self.at, self.last, self.bid, self.ask, self.mark)


class LegState(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of the watch: what became of the last request for it."""

    attempt: int
    id: str  # of the ExitRequested
    since_ms: int  # when it was due, or when the desk gave it back
    whole: bool  # closes all that is open
    order: str = ""  # the desk's, while it is under way
    done: bool = False


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """An order of an open position whose end isn't known yet."""

    leg: str  # of the watch; "" for an order that others caused
    whole: bool  # closes all that is open


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """An open position."""

    id: str
    account: str
    agent: str
    source: str  # what opened it
    money: Position
    stop: Decimal | None
    targets: list[Decimal]
    mark: Decimal
    peak: Decimal  # best last price since the first fill
    entry_size: Decimal  # of the orders that opened it
    entry_cost: Decimal
    opened_size: Decimal  # with what was added
    add_orders: list[str] = []  # those with a fill
    trailing: bool = False
    legs: dict[str, LegState] = {}
    orders: dict[str, Working] = {}
    marked_ms: int  # event time of the last figures that are out


class SymbolPositions(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one symbol: open positions of all agents of the variant."""

    symbol: Symbol
    newest_ms: int = 0  # of the newest ticker that was looked at
    open: dict[str, Open] = {}  # by position
    attempts: dict[str, dict[str, int]] = {}  # of the last closed positions: leg → attempts
    pending: dict[str, int] = {}  # orders that open something, until their end: id → at
    ticks: list[Tick] = []  # by arrival only, oldest first


def figures(position: Open, money: Position | None = None) -> PositionMarked:
    """A position's whole figures; `money` where it has ended."""
    book = money or position.money
    return PositionMarked(
        id=position.id,
        account=position.account,
        agent=position.agent,
        symbol=book.symbol,
        side=book.side,
        size=book.size,
        cost=book.cost,
        leverage=book.leverage,
        stop=position.stop,
        targets=position.targets,
        adds=len(position.add_orders),
        opened_ms=book.opened_ms,
        source=position.source,
        mark=position.mark,
        peak=position.peak,
        unrealised=unrealised(book, position.mark) if book.size else ZERO,
        realised=book.realised,
        fees=book.fees,
        funding=book.funding,
    )


def held(position: Open, flying: dict[str, bool]) -> Held:
    """The position for the watch. `flying`: legs that can't fire → whether they are under way."""
    return Held(
        position=figures(position),
        entry_size=position.entry_size,
        entry_cost=position.entry_cost,
        opened_size=position.opened_size,
        legs={leg: "flying" if under_way else "done" for leg, under_way in flying.items()},
        trailing=position.trailing,
    )


def opened(event: OrderFilled, attempts: dict[str, int]) -> Open:
    """The position of a first fill. Its mark and peak are the fill's price until a ticker comes."""
    cost = times(event.price, event.size)
    return Open(
        id=event.position,
        account=event.account,
        agent=event.agent,
        source=event.source,
        money=_book(None, event),
        stop=event.stop,
        targets=event.targets,
        mark=event.price,
        peak=event.price,
        entry_size=event.size,
        entry_cost=cost,
        opened_size=event.size,
        legs={
            leg: LegState(attempt=attempt, id="", since_ms=0, whole=False)
            for leg, attempt in attempts.items()
        },
        marked_ms=event.at,
    )


def grown(position: Open, event: OrderFilled) -> Open:
    """After another fill that opens or adds.

    A stop that comes with it counts where it is better: the desk knows none that has moved.
    """
    entry = event.action == "open"
    stop = position.stop
    if event.stop is not None and (stop is None or beyond(event.side, stop, event.stop)):
        stop = event.stop
    adds = position.add_orders
    if not entry and event.id not in adds:
        adds = [*adds, event.id]
    return msgspec.structs.replace(
        position,
        money=_book(position.money, event),
        stop=stop,
        targets=position.targets if entry else event.targets or position.targets,
        entry_size=plus(position.entry_size, event.size if entry else ZERO),
        entry_cost=plus(position.entry_cost, times(event.price, event.size) if entry else ZERO),
        opened_size=plus(position.opened_size, event.size),
        add_orders=adds,
    )


def _book(money: Position | None, event: OrderFilled) -> Position:
    after = filled(
        money,
        symbol=event.symbol,
        buys=event.buys,
        price=event.price,
        size=event.size,
        fee=event.fee,
        leverage=event.leverage,
        at=event.at,
    ).position
    assert after is not None, f"{event.id} grows {event.position} and leaves nothing"
    return after


def marked(position: Open, prices: Prices) -> Open:
    """At the prices of a ticker: the mark, and the peak where it is better."""
    last = prices.last
    peak = last if beyond(position.money.side, position.peak, last) else position.peak
    if peak == position.peak and prices.mark == position.mark:
        return position
    return msgspec.structs.replace(position, mark=prices.mark, peak=peak)
