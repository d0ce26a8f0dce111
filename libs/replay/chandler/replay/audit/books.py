"""The books: what fills, fees and funding come to, against the balances and positions told.

Knows nothing of Kafka: it takes the events of `orders` and `positions`, each key in its order.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.events import Event, Symbol
from chandler.core.trading.events import (
    BalanceChanged,
    FundingPaid,
    Liquidated,
    OrderFilled,
    PositionClosed,
    PositionMarked,
    PositionOpened,
    PositionUpdated,
    Refusal,
)
from chandler.core.trading.money import ONE, ZERO, minus, plus, total
from chandler.core.trading.position import Position, filled, funded

SHOWN_MAX = 10  # differences that are spelled out

Place = tuple[str, Symbol]  # agent, symbol
Figures = tuple[Decimal, Decimal]  # signed size, cost
FLAT: Figures = (ZERO, ZERO)


class AgentBooks(NamedTuple):
    """One agent's money. balance = start + realised - fees - funding."""

    agent: str
    account: str
    start: Decimal
    fills: int
    realised: Decimal
    fees: Decimal
    funding: Decimal
    balance: Decimal  # as the fills have it
    told: Decimal  # as the desk has it
    open_positions: int


class Books(NamedTuple):
    """What `desk check` prints. All is well: difference is 0."""

    agents: list[AgentBooks]
    fills: int
    difference: Decimal  # Σ of the absolute differences, of money and of sizes
    differences: list[str]  # the first few, for people
    in_flight: int  # positions that topic positions has as they were a few fills ago
    refusals: dict[str, int]  # by reason


class _Account(msgspec.Struct):
    """What is summed up of one agent."""

    account: str = ""
    start: Decimal = ZERO
    changed: Decimal = ZERO  # Σ of all changes told
    newest: int = -1  # `at` of the newest balance told
    told: set[Decimal] = msgspec.field(default_factory=set)  # balances told at that time
    fills: int = 0
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def balance(self) -> Decimal:
        return minus(plus(self.start, self.realised), self.fees, self.funding)


class _Ledger:
    """The fold over `orders`."""

    def __init__(self) -> None:
        self.agents: defaultdict[str, _Account] = defaultdict(_Account)
        self.open: dict[Place, Position] = {}
        self.ids: dict[Place, str] = {}  # of what is open
        self.ended: dict[str, Position] = {}  # by position id
        self.past: defaultdict[Place, set[Figures]] = defaultdict(lambda: {FLAT})  # after each fill
        self.trades: set[tuple[str, str]] = set()
        self.refusals: Counter[str] = Counter()
        self.faults: list[str] = []

    def take(self, event: Event) -> None:
        if isinstance(event, Refusal):
            self.refusals[event.reason] += 1
        elif isinstance(event, BalanceChanged):
            self._balance(event)
        elif isinstance(event, OrderFilled):
            self._fill(event)
        elif isinstance(event, FundingPaid):
            self._funding(event)
        elif isinstance(event, Liquidated):
            self._trade(event, event.position, buys=event.side == "short")

    def _balance(self, event: BalanceChanged) -> None:
        agent = self.agents[event.agent]
        agent.account = event.account
        if event.kind == "start":
            agent.start = event.balance
        else:
            agent.changed = plus(agent.changed, event.change)
        if event.kind == "transfer":
            agent.start = plus(agent.start, event.change)
            agent.changed = minus(agent.changed, event.change)
        if event.at > agent.newest:
            agent.newest, agent.told = event.at, set()
        if event.at == agent.newest:
            agent.told.add(event.balance)

    def _fill(self, event: OrderFilled) -> None:
        if (event.id, event.trade) in self.trades:
            self.faults.append(f"{event.agent} {event.symbol}: fill {event.trade} is there twice")
        self.trades.add((event.id, event.trade))
        self._trade(event, event.position, buys=event.buys, leverage=event.leverage)

    def _trade(
        self, event: OrderFilled | Liquidated, name: str, *, buys: bool, leverage: int = 1
    ) -> None:
        place = (event.agent, event.symbol)
        agent = self.agents[event.agent]
        found = filled(
            self.open.get(place),
            symbol=event.symbol,
            buys=buys,
            price=event.price,
            size=event.size,
            fee=event.fee,
            leverage=leverage,
            at=event.at,
        )
        agent.fills += 1
        agent.realised = plus(agent.realised, found.realised)
        agent.fees = plus(agent.fees, event.fee)
        if found.ended is not None:
            self.ended[self.ids.get(place, name)] = found.ended
        if found.position is None:
            self.open.pop(place, None)
            self.ids.pop(place, None)
        else:
            self.open[place] = found.position
            self.ids[place] = name
        self.past[place].add(_figures(self.open.get(place)))

    def _funding(self, event: FundingPaid) -> None:
        place = (event.agent, event.symbol)
        agent = self.agents[event.agent]
        agent.funding = plus(agent.funding, event.amount)
        if place in self.open:
            self.open[place] = funded(
                self.open[place], amount=event.amount, mark_ms=event.settled_ms
            )


class _Told:
    """The newest of each position, as topic `positions` has it."""

    def __init__(self) -> None:
        self.open: dict[Place, PositionMarked] = {}
        self.closed: dict[str, PositionMarked] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, PositionOpened | PositionUpdated):
            self.open[event.position.agent, event.symbol] = event.position
        elif isinstance(event, PositionClosed):
            self.open.pop((event.position.agent, event.symbol), None)
            self.closed[event.position.id] = event.position


def check_books(
    positions: Iterable[Event],
    orders: Iterable[Event],
    balances: Mapping[str, Decimal] | None = None,
) -> Books:
    """Adds everything up. `balances`: the desk's own by agent, where its state is at hand.

    To be honest while the desk trades: positions were read before orders.
    """
    told, ledger = _Told(), _Ledger()
    for event in positions:
        told.take(event)
    for event in orders:
        ledger.take(event)
    differences = [(ZERO, fault) for fault in ledger.faults]
    agents = []
    for name in sorted(ledger.agents):
        agent = ledger.agents[name]
        final = (balances or {}).get(name, _last_told(agent))
        differences += _money(name, agent, final)
        agents.append(
            AgentBooks(
                agent=name,
                account=agent.account,
                start=agent.start,
                fills=agent.fills,
                realised=agent.realised,
                fees=agent.fees,
                funding=agent.funding,
                balance=agent.balance,
                told=final,
                open_positions=sum(place[0] == name for place in ledger.open),
            )
        )
    sizes, in_flight = _sizes(ledger, told)
    differences += sizes + _round_trips(ledger, told)
    return Books(
        agents=agents,
        fills=sum(agent.fills for agent in agents),
        difference=total(abs(amount) or ONE for amount, _ in differences),
        differences=[line for _, line in differences[:SHOWN_MAX]],
        in_flight=in_flight,
        refusals=dict(ledger.refusals.most_common()),
    )


def _last_told(agent: _Account) -> Decimal:
    """The balance told last; of several at one time the one that all changes lead to."""
    final = plus(agent.start, agent.changed)
    return final if final in agent.told or not agent.told else min(agent.told)


def _money(name: str, agent: _Account, final: Decimal) -> list[tuple[Decimal, str]]:
    found = []
    by_changes = plus(agent.start, agent.changed)
    for what, amount in (("the desk has", final), ("the changes told come to", by_changes)):
        if amount != agent.balance:
            off = minus(amount, agent.balance)
            found.append((off, f"{name}: fills come to {agent.balance}, {what} {amount} ({off})"))
    return found


def _sizes(ledger: _Ledger, told: _Told) -> tuple[list[tuple[Decimal, str]], int]:
    """What is open on both sides. One that stands where we stood before is only behind."""
    found, in_flight = [], 0
    for place in sorted({*ledger.open, *told.open}):
        ours, theirs = _figures(ledger.open.get(place)), _figures(told.open.get(place))
        if ours == theirs:
            continue
        if theirs in ledger.past[place]:
            in_flight += 1
            continue
        off = minus(ours[0], theirs[0])
        line = f"{place[0]} {place[1]}: fills leave {ours[0]}, positions has {theirs[0]}"
        found.append((off, f"{line} (cost {ours[1]}, {theirs[1]})"))
    return found, in_flight


def _figures(position: Position | PositionMarked | None) -> Figures:
    """Size, signed, and cost."""
    if position is None:
        return FLAT
    is_long = position.side == "long"
    return (position.size if is_long else position.size.copy_negate(), position.cost)


def _round_trips(ledger: _Ledger, told: _Told) -> list[tuple[Decimal, str]]:
    found = []
    for name, theirs in told.closed.items():
        ours = ledger.ended.get(name)
        if ours is None:
            found.append(
                (ZERO, f"{theirs.agent} {theirs.symbol}: {name} was never closed by fills")
            )
            continue
        for what in ("realised", "fees", "funding"):
            left, right = getattr(ours, what), getattr(theirs, what)
            if left != right:
                line = f"{theirs.agent} {theirs.symbol}: {what} {left}, positions has {right}"
                found.append((minus(left, right), line))
    return found
