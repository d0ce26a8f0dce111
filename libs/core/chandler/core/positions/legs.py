"""One exit in flight per leg: what was asked for, what the desk made of it, when it may fire again.

A request that nobody answered, or that the desk gave back, may fire again as the next attempt after
a wait that doubles. While the desk has an order for it, it may not: the desk ends each of its
orders, by a fill or with a reason.
"""

from msgspec.structs import replace

from chandler.core.hashing import digest
from chandler.core.positions.state import ATTEMPT_MARK, LegState, Open, Working
from chandler.core.trading.events import ExitRequested, OrderRequested
from chandler.core.trading.modes import Fired, Prices

DOUBLINGS_MAX = 6  # of the wait between two attempts


def name_of(leg: str) -> str:
    """The leg without the number of its attempt."""
    return leg.partition(ATTEMPT_MARK)[0]


def wait_ms(attempt: int, retry_ms: int) -> int:
    """How long an attempt is waited for, event time."""
    return retry_ms << min(max(attempt, 1) - 1, DOUBLINGS_MAX)


def unable(position: Open, at: int, retry_ms: int) -> dict[str, bool]:
    """Legs that can't fire at `at` → whether they are under way (False: they are done)."""
    found = {}
    for leg, state in position.legs.items():
        if state.done:
            found[leg] = False
        elif state.order or (state.id and at < state.since_ms + wait_ms(state.attempt, retry_ms)):
            found[leg] = True
    return found


def closing(position: Open, flying: dict[str, bool]) -> bool:
    """Whether a close of all that is open is under way, whoever asked for it."""
    return any(order.whole for order in position.orders.values()) or any(
        under_way and position.legs[leg].whole for leg, under_way in flying.items()
    )


def request(position: Open, fired: Fired, prices: Prices, latency_ms: int) -> ExitRequested:
    """The request for what fired; its id comes from the position, the leg and the attempt."""
    before = position.legs.get(fired.leg)
    attempt = before.attempt + 1 if before is not None else 1
    leg = fired.leg if attempt == 1 else f"{fired.leg}{ATTEMPT_MARK}{attempt}"
    whole = fired.action == "close" and (fired.size is None or fired.size >= position.money.size)
    return ExitRequested(
        id=digest(position.id, leg),
        position=position.id,
        account=position.account,
        agent=position.agent,
        symbol=position.money.symbol,
        side=position.money.side,
        kind=fired.kind,
        leg=leg,
        action=fired.action,
        size=None if whole else fired.size,
        price=prices.last,
        reason=fired.reason,
        at=prices.at,
        due_ms=prices.at + latency_ms,
    )


def asked(position: Open, event: ExitRequested) -> Open:
    """After a request: its leg is under way."""
    leg, _, attempt = event.leg.partition(ATTEMPT_MARK)
    state = LegState(
        attempt=int(attempt or 1),
        id=event.id,
        since_ms=event.due_ms,
        whole=event.action == "close" and event.size is None,
    )
    return replace(position, legs={**position.legs, leg: state})


def ordered(position: Open, event: OrderRequested) -> Open:
    """After the desk made an order that adds or closes: of a leg, or of its own accord."""
    leg = name_of(event.leg)
    state = position.legs.get(leg)
    ours = state is not None and state.id == event.cause
    whole = event.action == "close" and event.size >= position.money.size
    working = Working(leg=leg if ours else "", whole=whole)
    legs = position.legs
    if state is not None and ours:
        legs = {**legs, leg: replace(state, order=event.id)}
    return replace(position, orders={**position.orders, event.id: working}, legs=legs)


def refused(position: Open, cause: str, at: int) -> Open:
    """After the desk refused a request: the leg may fire again after its wait."""
    for leg, state in position.legs.items():
        if state.id == cause and not state.order:
            back = replace(state, since_ms=max(at, state.since_ms))
            return replace(position, legs={**position.legs, leg: back})
    return position


def ended(position: Open, order: str, at: int, *, took: bool) -> Open:
    """After the end of an order. `took`: a fill of it is known.

    A leg that closes or adds a part is done then. One that closes all isn't: as long as something
    is open it may fire again, at once where this order did what it could.
    """
    working = position.orders.get(order)
    if working is None:
        return position
    orders = {each: other for each, other in position.orders.items() if each != order}
    state = position.legs.get(working.leg)
    legs = position.legs
    if state is not None and state.order == order:
        if took and state.whole:
            after = replace(state, order="", id="")
        else:
            after = replace(state, order="", since_ms=max(at, state.since_ms), done=took)
        legs = {**legs, working.leg: after}
    return replace(position, orders=orders, legs=legs)
