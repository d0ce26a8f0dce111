"""The venue's books against ours: a difference stops new entries until it is resolved.

Symbols with an order on its way are not compared, nor is the wallet while there is one.
"""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.desk.books import Trade, book
from chandler.core.desk.live.inputs import Reconciled
from chandler.core.desk.state import AgentState, Block, Holding, pending, signed
from chandler.core.desk.turn import Turn
from chandler.core.events import Symbol
from chandler.core.hashing import digest
from chandler.core.trading.events import Command, OrderRequested
from chandler.core.trading.money import ZERO, minus, places, plus, ratio, shown, total

WALLET_TOLERANCE = Decimal("0.01")  # quote coin: what a venue rounds away


class _Books(NamedTuple):
    """One comparison."""

    sizes: dict[Symbol, tuple[Decimal, Decimal]]  # that differ: (the venue's, ours), signed
    orders: dict[Symbol, str]  # open at the venue and not ours: a line on them
    skipped: set[Symbol]  # not compared
    marks: dict[Symbol, Decimal]
    wallet: tuple[Decimal, Decimal] | None  # where it differs: (the venue's, expected)
    wallet_compared: bool


def on_reconciled(turn: Turn, told: Reconciled) -> None:
    """Compares, blocks the agents whose books differ, and frees those whose books agree again."""
    if told.account != turn.desk.account:
        return
    for state in turn.states():
        turn.put(replace(state, known_ms=max(state.known_ms, told.known_ms)))
    turn.kept = True
    _keep_wallet(turn, told)
    books = _compared(turn, told)
    for state in turn.states():
        found = _block(turn, state, books)
        if found is not None:
            _blocked(turn, state, found)
        elif state.blocked is not None and _agrees(state.blocked, books):
            turn.put(replace(state, blocked=None))
            text = f"the books of {state.agent} and the venue agree again: entries are allowed"
            turn.notice("info", state.agent, text, str(told.at), "agrees")


def _keep_wallet(turn: Turn, told: Reconciled) -> None:
    """The first look: what of the wallet is no agent's balance stays so."""
    states = turn.states()
    if not states or _busy(states) or all(each.wallet_free is not None for each in states):
        return
    free = minus(told.balance.wallet, total(each.balance for each in states))
    for state in states:
        turn.put(replace(state, wallet_free=free))
    text = (
        f"account {told.account} holds {shown(told.balance.wallet)}, "
        f"{shown(free)} of it beyond the agents' balances"
    )
    turn.notice("warning" if free < 0 else "info", states[0].agent, text, str(told.at), "wallet")


def _busy(states: list[AgentState]) -> bool:
    return any(pending(state) for state in states)


def _compared(turn: Turn, told: Reconciled) -> _Books:
    states = turn.states()
    theirs = {each.symbol: signed(each.side, each.size) for each in told.positions}
    ours: dict[Symbol, Decimal] = {}
    for state in states:
        ours.update({symbol: size for symbol, size in state.foreign.items() if size})
    for state in states:
        for symbol, holding in state.holdings.items():
            size = signed(holding.position.side, holding.position.size)
            ours[symbol] = plus(ours.get(symbol, ZERO), size)
    skipped = {each.request.symbol for state in states for each in pending(state)}
    sizes = {}
    for symbol in sorted({*theirs, *ours} - skipped):
        both = theirs.get(symbol, ZERO), ours.get(symbol, ZERO)
        if both[0] != both[1]:
            sizes[symbol] = both
    known = {key for state in states for key in state.intents}
    stops = {stop.id for state in states for stop in state.stops.values()}
    orders = {
        each.symbol: f"order {each.id or each.venue_id} is open in {each.symbol}"
        for each in told.orders
        if each.id not in known and each.id not in stops
    }
    wallet, compared = None, not _busy(states) and bool(states)
    if compared:
        free = states[0].wallet_free or ZERO
        expected = plus(free, *(each.balance for each in states))
        if abs(minus(told.balance.wallet, expected)) > WALLET_TOLERANCE:
            wallet = told.balance.wallet, expected
    marks = {each.symbol: each.mark for each in told.positions}
    return _Books(sizes, orders, skipped, marks, wallet, compared)


def _block(turn: Turn, state: AgentState, books: _Books) -> Block | None:
    """What of the differences concerns the agent: its symbols, those of nobody, the wallet."""
    held = {symbol for each in turn.states() for symbol in each.holdings}
    mine = {
        symbol: both
        for symbol, both in books.sizes.items()
        if symbol in state.holdings or symbol not in held
    }
    orders = {
        symbol: line
        for symbol, line in books.orders.items()
        if symbol in state.holdings or symbol not in held
    }
    lines = [
        f"{symbol}: the venue has {shown(both[0])}, ours is {shown(both[1])}"
        for symbol, both in mine.items()
    ]
    lines += [f"{line} that is not ours" for line in orders.values()]
    if books.wallet is not None:
        there, expected = books.wallet
        lines.append(f"wallet: the venue has {shown(there)}, expected {shown(expected)}")
    if not lines:
        return None
    return Block(
        reason=f"the venue's books differ: {'; '.join(lines)}; look, then resolve",
        sizes={symbol: both[0] for symbol, both in mine.items()},
        orders=sorted(orders),
        marks={symbol: books.marks[symbol] for symbol in mine if symbol in books.marks},
        wallet=None if books.wallet is None else books.wallet[0],
        since_ms=turn.at,
    )


def _blocked(turn: Turn, state: AgentState, found: Block) -> None:
    if state.blocked is not None and state.blocked.reason == found.reason:
        return
    turn.put(replace(state, blocked=found))
    text = f"{state.agent} enters nothing: {found.reason}"
    turn.notice("alarm", state.agent, text, found.reason, str(turn.at))


def _agrees(before: Block, books: _Books) -> bool:
    """Whether all that differed was compared again."""
    if books.skipped & {*before.sizes, *before.orders}:
        return False
    return before.wallet is None or books.wallet_compared


def resolve(turn: Turn, agent: str, command: Command) -> bool:
    """A person takes the venue's books as right: ours follow. Whether there was a difference.

    What the venue has less of is booked as closed at its mark; what it has more of is kept apart
    as nobody's. The wallet is measured anew at the next reconciliation.
    """
    state = turn.state(agent)
    block = state.blocked
    if block is None:
        return False
    for symbol, theirs in block.sizes.items():
        state = turn.state(agent)
        holding = state.holdings.get(symbol)
        if holding is not None:
            theirs = _closed(turn, agent, holding, theirs, block, command)
        state = turn.state(agent)
        foreign = {key: each for key, each in state.foreign.items() if key != symbol}
        if theirs:
            foreign[symbol] = theirs
        turn.put(replace(state, foreign=foreign))
    for each in turn.states():
        turn.put(replace(each, wallet_free=None))
    turn.put(replace(turn.state(agent), blocked=None))
    return True


def _closed(
    turn: Turn, agent: str, holding: Holding, theirs: Decimal, block: Block, command: Command
) -> Decimal:
    """Books what of the position the venue no longer has; what the venue has beyond ours."""
    position = holding.position
    same = theirs if position.side == "long" else theirs.copy_negate()
    left = min(max(same, ZERO), position.size)
    beyond = minus(theirs, signed(position.side, left))
    gone = minus(position.size, left)
    if not gone:
        return beyond
    price = block.marks.get(position.symbol) or places(ratio(position.cost, position.size))
    id_ = digest("resolve", command.id, agent, position.symbol)
    made = OrderRequested(
        id=id_,
        shard=turn.desk.shard,
        seq=turn.seq,
        account=turn.state(agent).account,
        agent=agent,
        symbol=position.symbol,
        position=holding.id,
        leg="resolve",
        action="close",
        side=position.side,
        size=gone,
        leverage=position.leverage,
        price=price,
        stop=holding.stop,
        targets=holding.targets,
        cause=command.id,
        source="person",
        reason=f"resolved by {command.who}",
        at=turn.at,
        ready_ms=turn.at,
    )
    book(turn, agent, made, Trade(f"{id_}-1", price, gone, ZERO, True, turn.at))
    return beyond
