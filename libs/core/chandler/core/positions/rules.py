"""What makes a position leave, rule by rule, and the one order in which they are asked.

A trading mode's `watch` is `judge` with its own `Rules`. Nothing here divides but the target at an
average price (`averaged`), so a level is reached exactly or not at all. Stops, targets and steps
are measured by the last price, the risk of liquidation by the mark price, profits in percent of the
entry notional, without leverage or fees.
Knows nothing of agents, orders or topics.
"""

from collections.abc import Callable, Hashable
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import TypeVar

import msgspec

from chandler.core.trading.events import ExitKind, PositionMarked
from chandler.core.trading.modes import Fired, Held, Prices, away, beyond
from chandler.core.trading.money import PERCENT, PLACE, ZERO, minus, plus, ratio, shown, times

C = TypeVar("C", bound=Hashable)
MINUTE_MS = 60_000
ALL = Decimal(100)  # percent
FINE = Decimal("1E-12")  # of a target that is made from an average price


class Stale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position that goes nowhere: held long enough, and profit within a range."""

    hold_min: int  # minutes of event time since the first fill
    low_percent: Decimal  # of profit, may be negative
    high_percent: Decimal


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Adds to a position at ever worse prices."""

    attempts: int
    step_percent: Decimal  # of the first order's price, between two steps
    growth: Decimal  # each step's size by the one before; the first is the entry's times it


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rules hold for a position. The fixed stop and the targets are the position's own."""

    liquidation_percent: Decimal = Decimal(80)  # of the margin lost at mark; 0: not asked
    # (profit %, distance %): once the peak's profit has been there, the stop follows the peak at
    # that distance. The last row that was reached counts.
    trail: tuple[tuple[Decimal, Decimal], ...] = ()
    # Percent of all that was opened, per target. () : equal parts. What reaches 100 closes all.
    shares: tuple[Decimal, ...] = ()
    stale: Stale | None = None
    ladder: Ladder | None = None
    # One target, so much better than the average price; it follows every add. None: they stand.
    average_percent: Decimal | None = None


def judge(rules: Rules, held: Held, prices: Prices) -> tuple[Held, Fired | None]:
    """The position with its stop where it belongs now, and the first rule that fires, if any.

    The order is DESIGN.md §8's: liquidation risk, stop, take-profit levels, stale, DCA.
    """
    if rules.average_percent is not None:
        held = averaged(rules.average_percent, held)
    fired = liquidation_risk(rules.liquidation_percent, held, prices)
    if fired is not None:
        return held, fired
    held = trailed(rules.trail, held)
    fired = (
        stop(held, prices)
        or take_profit(rules.shares, held, prices)
        or stale(rules.stale, held, prices)
        or add(rules.ladder, held, prices)
    )
    return held, fired


def watch_by(
    rules_of: Callable[[C], Rules],
) -> Callable[[C, Held, Prices], tuple[Held, Fired | None]]:
    """A trading mode's watch that is `judge` by the rules of its settings."""
    known = lru_cache(maxsize=256)(rules_of)

    def watch(settings: C, held: Held, prices: Prices) -> tuple[Held, Fired | None]:
        return judge(known(settings), held, prices)

    return watch


def gained(position: PositionMarked, price: Decimal) -> Decimal:
    """What closing all of it at `price` would bring beyond its cost, without fees."""
    value = times(price, position.size)
    return minus(value, position.cost) if position.side == "long" else minus(position.cost, value)


def has_gained(position: PositionMarked, price: Decimal, percent: Decimal) -> bool:
    """Whether the profit at `price` is at least `percent` of the entry notional."""
    return gained(position, price) >= times(position.cost, percent, PERCENT)


def reached(position: PositionMarked, price: Decimal, level: Decimal) -> bool:
    """Whether a price has come to a level that is better than the entry."""
    return not beyond(position.side, price, level)


def liquidation_risk(percent: Decimal, held: Held, prices: Prices) -> Fired | None:
    """Fires when `percent` of the position's margin (cost / leverage) is lost at mark price."""
    position = held.position
    if not percent or "liquidation_risk" in held.legs:
        return None
    lost = -gained(position, prices.mark)
    if times(lost, Decimal(position.leverage)) < times(position.cost, percent, PERCENT):
        return None
    return Fired(
        kind="liquidation_risk",
        leg="liquidation_risk",
        reason=f"mark {shown(prices.mark)}: {shown(percent)} % of the margin is lost",
    )


def trailed(table: tuple[tuple[Decimal, Decimal], ...], held: Held) -> Held:
    """With the stop at the peak less the distance of the last row reached; it never moves back."""
    position = held.position
    distances = [far for profit, far in table if has_gained(position, position.peak, profit)]
    if not distances:
        return held
    level = away(position.side, position.peak, -distances[-1])
    if position.stop is not None and not beyond(position.side, position.stop, level):
        return held
    moved = msgspec.structs.replace(position, stop=level)
    return msgspec.structs.replace(held, position=moved, trailing=True)


def stop(held: Held, prices: Prices) -> Fired | None:
    """Fires when the last price is at the stop or worse."""
    position = held.position
    kind: ExitKind = "trailing" if held.trailing else "stop"
    if position.stop is None or held.legs.keys() & {"stop", "trailing"}:
        return None
    if beyond(position.side, position.stop, prices.last):
        return None
    reason = f"{shown(prices.last)} is at the stop {shown(position.stop)} or worse"
    if kind == "trailing":
        reason += f", peak {shown(position.peak)}"
    return Fired(kind=kind, leg=kind, reason=reason)


def take_profit(shares: tuple[Decimal, ...], held: Held, prices: Prices) -> Fired | None:
    """Fires at the nearest target that has not been taken; the part of it is of all opened."""
    position = held.position
    for place, level in enumerate(position.targets):
        leg = f"take_profit-{place + 1}"
        if leg in held.legs or not reached(position, prices.last, level):
            continue
        return Fired(
            kind="take_profit",
            leg=leg,
            size=_part(shares, place, len(position.targets), held.opened_size),
            reason=f"{shown(prices.last)} is at target {place + 1}, {shown(level)}",
        )
    return None


def _part(shares: tuple[Decimal, ...], place: int, targets: int, opened: Decimal) -> Decimal | None:
    """Base coin that is closed at a target, 8 places, rounded down; None: all that is left."""
    if not shares:
        if place == targets - 1:
            return None
        part = ratio(opened, Decimal(targets))
    else:
        if place >= len(shares) or plus(*shares[: place + 1]) >= ALL:
            return None
        part = times(opened, shares[place], PERCENT)
    return part.quantize(PLACE, rounding=ROUND_DOWN)


def stale(rule: Stale | None, held: Held, prices: Prices) -> Fired | None:
    """Fires when the position is older than its hold time and its profit within the range."""
    position = held.position
    if rule is None or "stale" in held.legs:
        return None
    if prices.at < position.opened_ms + rule.hold_min * MINUTE_MS:
        return None
    profit = gained(position, prices.last)
    low = times(position.cost, rule.low_percent, PERCENT)
    high = times(position.cost, rule.high_percent, PERCENT)
    if not low <= profit <= high:
        return None
    return Fired(
        kind="stale",
        leg="stale",
        reason=f"held for {rule.hold_min} min and profit is still within "
        f"{shown(rule.low_percent)} to {shown(rule.high_percent)} %",
    )


def add(ladder: Ladder | None, held: Held, prices: Prices) -> Fired | None:
    """Fires at the next step of the ladder, one at a time; its prices are the entry's."""
    if ladder is None:
        return None
    steps = [f"dca-{step + 1}" for step in range(ladder.attempts)]
    if any(held.legs.get(leg) == "flying" for leg in steps):
        return None
    place = next((place for place, leg in enumerate(steps) if leg not in held.legs), None)
    if place is None:
        return None
    fall = times(ladder.step_percent, Decimal(place + 1))
    # Both sides times the entry's size, so that nothing is divided.
    level = away(held.position.side, held.entry_cost, -fall)
    if beyond(held.position.side, level, times(prices.last, held.entry_size)):
        return None
    size = times(held.entry_size, *[ladder.growth] * (place + 1))
    return Fired(
        kind="dca",
        leg=steps[place],
        action="add",
        size=size.quantize(PLACE, rounding=ROUND_DOWN),
        reason=f"{shown(prices.last)} is {shown(fall)} % worse than the entry, "
        f"step {place + 1} of {ladder.attempts}",
    )


def averaged(percent: Decimal, held: Held) -> Held:
    """With one target, `percent` better than the average price: it follows every add."""
    position = held.position
    if position.size <= ZERO:
        return held
    level = away(position.side, ratio(position.cost, position.size).quantize(FINE), percent)
    if position.targets == [level]:
        return held
    return msgspec.structs.replace(
        held, position=msgspec.structs.replace(position, targets=[level])
    )
