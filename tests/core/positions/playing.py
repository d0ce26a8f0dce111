"""A market that is played against the stage, with a desk that fills what is asked for.

The desk is the smallest one that is right: market orders at the first ticker that is due, reduce
only, in whole steps. So the order of events is that of paper money (DESIGN.md §5.10).
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Any, NamedTuple

from chandler.core.events import Event, Symbol, Ticker
from chandler.core.positions.rules import Rules, judge
from chandler.core.positions.stage import Watching, step
from chandler.core.positions.state import SymbolPositions
from chandler.core.stage import Output
from chandler.core.trading.events import (
    Direction,
    ExitRequested,
    OrderFilled,
    OrderRequested,
    Refusal,
)

BTC = Symbol("BTCUSDT")
STEP = Decimal("0.001")
LATENCY_MS = 250
START_MS = 1_800_000_000_000
RETRY_MS = 5_000
TRAIL = ((Decimal(1), Decimal(1)), (Decimal(4), Decimal("0.5")))


def watching(
    rules: Rules | None = None, *, by_arrival: bool = False, mark_every_ms: int = 10_000
) -> Watching:
    """Agent anna is watched by `rules`, ben by core's own."""
    return Watching(
        name="positions",
        judges={"anna": partial(judge, rules or Rules())},
        belongs=lambda account: account in ("anna", "ben"),
        latency_ms=LATENCY_MS,
        mark_every_ms=mark_every_ms,
        retry_ms=RETRY_MS,
        by_arrival=by_arrival,
    )


def start() -> SymbolPositions:
    return SymbolPositions(symbol=BTC)


def events_of(outputs: Iterable[Output]) -> list[Any]:
    return [output.event for output in outputs]


def exits_of(outputs: Iterable[Output]) -> list[ExitRequested]:
    return [event for event in events_of(outputs) if isinstance(event, ExitRequested)]


def ticker(at: int, last: str | Decimal | float, mark: str | Decimal | None = None) -> Ticker:
    """A ticker without a spread, so that long and short can be mirrored."""
    price = str(last)
    return Ticker(
        symbol=BTC,
        at=at,
        last=price,
        bid=price,
        ask=price,
        mark=str(mark or last),
        minute_open_ms=at // 60_000 * 60_000,
        minute_volume=0.0,
    )


def fill(
    at: int,
    price: str | Decimal,
    size: str | Decimal = "1",
    *,
    action: str = "open",
    side: Direction = "long",
    leg: str = "entry",
    order: str = "",
    position: str = "p1",
    agent: str = "anna",
    stop: str | Decimal | None = None,
    targets: tuple[str | Decimal, ...] = (),
    leverage: int = 1,
    done: bool = True,
    source: str = "trend",
) -> OrderFilled:
    """A fill without fees."""
    order = order or f"{position}-{leg}"
    return OrderFilled(
        id=order,
        trade=f"{order}-{at}",
        account=agent,
        agent=agent,
        symbol=BTC,
        position=position,
        leg=leg,
        action=action,  # type: ignore[arg-type]
        side=side,
        price=Decimal(price),
        size=Decimal(size),
        fee=Decimal(0),
        done=done,
        leverage=leverage,
        stop=None if stop is None else Decimal(stop),
        targets=[Decimal(each) for each in targets],
        source=source,
        at=at,
    )


def order(request: ExitRequested, size: Decimal, leverage: int = 1) -> OrderRequested:
    """The order that the desk makes of an exit."""
    return OrderRequested(
        id=f"o-{request.id}",
        shard=0,
        seq=1,
        account=request.account,
        agent=request.agent,
        symbol=request.symbol,
        position=request.position,
        leg=request.leg,
        action=request.action,
        side=request.side,
        size=size,
        leverage=leverage,
        price=request.price,
        cause=request.id,
        source=request.kind,
        reason=request.reason,
        at=request.due_ms,
        ready_ms=request.due_ms,
    )


def refusal(request: ExitRequested) -> Refusal:
    """The desk says no to an exit."""
    return Refusal(
        agent=request.agent,
        account=request.account,
        symbol=request.symbol,
        side="flat",
        cause=request.id,
        source=request.kind,
        reason="size",
        detail="expected more, found less",
        seq=1,
        at=request.due_ms,
    )


class Played(NamedTuple):
    """What came of a market."""

    state: SymbolPositions
    outputs: list[Any]
    inputs: list[Any]  # as the stage got them

    @property
    def exits(self) -> list[ExitRequested]:
        return [each for each in self.outputs if isinstance(each, ExitRequested)]


def play(watching: Watching, entry: OrderFilled, ticks: list[Ticker]) -> Played:
    """Folds an entry and tickers; every exit becomes an order and is filled when it is due."""
    state = SymbolPositions(symbol=BTC)
    inputs: list[Event] = []
    outputs: list[Event] = []
    waiting: list[OrderRequested] = []

    def give(event: Event) -> list[ExitRequested]:
        nonlocal state
        inputs.append(event)
        state, made = step(watching, state, event)
        outputs.extend(events_of(made))
        return exits_of(made)

    give(entry)
    for tick in ticks:
        for request in give(tick):
            size = size_of(state, request)
            if size:
                made = order(request, size)
                waiting.append(made)
                give(made)
            else:
                give(refusal(request))
        for due in [each for each in waiting if tick.at >= each.ready_ms]:
            waiting.remove(due)
            position = state.open.get(due.position)
            if position is None:
                continue
            size = due.size if due.action == "add" else min(due.size, position.money.size)
            give(filled_at(due, tick, size))
    return Played(state, outputs, inputs)


def size_of(state: SymbolPositions, request: ExitRequested) -> Decimal:
    """What the desk makes of an exit's size."""
    position = state.open[request.position]
    size = position.money.size if request.size is None else request.size
    return size.quantize(STEP, rounding=ROUND_DOWN)


def filled_at(order: OrderRequested, tick: Ticker, size: Decimal) -> OrderFilled:
    return fill(
        tick.at,
        tick.last,
        size,
        action=order.action,
        side=order.side,
        leg=order.leg,
        order=order.id,
        position=order.position,
        agent=order.agent,
        source=order.source,
        leverage=order.leverage,
    )


def fold(
    watching: Watching, state: SymbolPositions, events: list[Event]
) -> tuple[SymbolPositions, list[Output]]:
    """All events in order."""
    made: list[Output] = []
    for event in events:
        state, outputs = step(watching, state, event)
        made += outputs
    return state, made
