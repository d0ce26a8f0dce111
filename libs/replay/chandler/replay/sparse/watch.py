"""Finds the next price that matters to an open position, without asking the folds at each.

Rules (core/positions/rules.py) and the paper venue's liquidation become limits in whole numbers of
the price's finest digit, exactly: what is said here of a price is what they would say. A price is
never skipped at which they would do something; one at which they do nothing may be looked at.
"""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from chandler.core.positions.rules import MINUTE_MS, Rules, trailed
from chandler.core.positions.state import Open, held
from chandler.core.trading.events import Direction
from chandler.core.trading.position import Position, margin
from chandler.replay.dense.native import machine
from chandler.replay.sparse.prices import Prices

NEVER = 2**62  # beyond any price and any time
DISTANCE_PLACES_MAX = 4


class Limits(NamedTuple):
    """What stands around a position; a price at or beyond one of them matters."""

    last_low: int
    last_high: int
    mark_low: int
    mark_high: int
    stale_ms: int  # from then on a last price within its range matters
    stale_low: int
    stale_high: int


NO_LIMITS = Limits(-NEVER, NEVER, -NEVER, NEVER, NEVER, 0, 0)


class Trail(NamedTuple):
    """A stop that follows the peak; numbers are prices × `whole`."""

    sign: int  # 1 long, -1 short; 0: there is none
    whole: int
    rows: Any  # of (the peak's price from which it holds, what is left of the peak × whole)
    peak: int  # finest digits
    stop: int  # × whole, rounded to where the price still matters


NO_TRAIL = Trail(0, 1, np.zeros((0, 2), np.int64), 0, 0)


class Next(NamedTuple):
    """The row that matters, and how the trail stands before it."""

    row: int  # len(at): none
    peak: int
    best: int  # the peak at which the stop was moved last; 0: it was not


def limits(rules: Rules, position: Open, places: int) -> Limits:
    """Where the rules fire next, for a position of which nothing is under way."""
    money = position.money
    side, size, cost = money.side, Fraction(money.size), Fraction(money.cost)
    sign, unit = money.direction, 10**places
    worse: list[Fraction] = []  # prices at which something fires when they are as bad
    better: list[Fraction] = []
    mark: list[Fraction] = []
    stopped = _is_done(position, "stop") or _is_done(position, "trailing")
    if position.stop is not None and not stopped:
        worse.append(Fraction(position.stop))
    for place, level in enumerate(position.targets):
        if not _is_done(position, f"take_profit-{place + 1}"):
            better.append(Fraction(level))
    if rules.ladder is not None:
        worse += _step(rules, position)
    if rules.liquidation_percent and not _is_done(position, "liquidation_risk"):
        lost = cost * Fraction(rules.liquidation_percent) / 100 / money.leverage
        mark.append((cost - sign * lost) / size)
    low, high = _bounds(side, worse, better, unit)
    mark_low, mark_high = _bounds(side, mark, [], unit)
    stale_ms, stale_low, stale_high = NEVER, 0, 0
    if rules.stale is not None and not _is_done(position, "stale"):
        stale_ms = money.opened_ms + rules.stale.hold_min * MINUTE_MS
        ends = [
            (cost + sign * cost * Fraction(percent) / 100) / size
            for percent in (rules.stale.low_percent, rules.stale.high_percent)
        ]
        stale_low, stale_high = ceil(min(ends) * unit), floor(max(ends) * unit)
    return Limits(low, high, mark_low, mark_high, stale_ms, stale_low, stale_high)


def _is_done(position: Open, leg: str) -> bool:
    state = position.legs.get(leg)
    return state is not None and state.done


def _step(rules: Rules, position: Open) -> list[Fraction]:
    """The price of the ladder's next step."""
    assert rules.ladder is not None
    for place in range(rules.ladder.attempts):
        if not _is_done(position, f"dca-{place + 1}"):
            fall = Fraction(rules.ladder.step_percent) * (place + 1) / 100
            entry = Fraction(position.entry_cost) / Fraction(position.entry_size)
            return [entry * (1 - position.money.direction * fall)]
    return []


def _bounds(
    side: Direction, worse: list[Fraction], better: list[Fraction], unit: int
) -> tuple[int, int]:
    below, above = (worse, better) if side == "long" else (better, worse)
    low = max((floor(each * unit) for each in below), default=-NEVER)
    high = min((ceil(each * unit) for each in above), default=NEVER)
    return low, high


def liquidated(position: Position, maintenance: Decimal, taker_fee: Decimal, places: int) -> Limits:
    """Where the paper venue takes the position: is_liquidated, solved for the mark price."""
    size, cost = Fraction(position.size), Fraction(position.cost)
    kept, free = Fraction(maintenance + taker_fee), Fraction(margin(position))
    if position.side == "long":
        price = (cost - free) / (size * (1 - kept))
        return NO_LIMITS._replace(mark_low=floor(price * 10**places))
    price = (cost + free) / (size * (1 + kept))
    return NO_LIMITS._replace(mark_high=ceil(price * 10**places))


def both(one: Limits, other: Limits) -> Limits:
    """The nearer of each; the stale range is `one`'s."""
    return one._replace(
        last_low=max(one.last_low, other.last_low),
        last_high=min(one.last_high, other.last_high),
        mark_low=max(one.mark_low, other.mark_low),
        mark_high=min(one.mark_high, other.mark_high),
    )


def trail(rules: Rules, position: Open, places: int) -> Trail | None:
    """The trailing rule in whole numbers; None where they would be too large to be exact."""
    if not rules.trail:
        return NO_TRAIL
    money, unit = position.money, 10**places
    size, cost, sign = Fraction(money.size), Fraction(money.cost), money.direction
    whole = 100 * 10**DISTANCE_PLACES_MAX
    rows = []
    for profit, distance in rules.trail:
        left = Fraction(whole) * (100 - sign * Fraction(distance)) / 100
        if left.denominator != 1:
            return None
        from_price = (cost + sign * cost * Fraction(profit) / 100) / size * unit
        rows.append((ceil(from_price) if sign > 0 else floor(from_price), int(left)))
    peak = Fraction(position.peak) * unit
    stop = -sign * NEVER
    if position.stop is not None:
        exact = Fraction(position.stop) * unit * whole
        stop = floor(exact) if sign > 0 else ceil(exact)
    if peak.denominator != 1 or max(abs(int(peak)), 1) * whole * 4 >= NEVER:
        return None
    return Trail(sign, whole, np.array(rows, np.int64), int(peak), stop)


def next_row(prices: Prices, first: int, until_ms: int, around: Limits, follows: Trail) -> Next:
    """The first row from `first` on that matters, or that is at or after `until_ms`."""
    row, peak, best = _scan(
        prices.at,
        prices.last,
        prices.mark,
        prices.odd,
        first,
        until_ms,
        tuple(around),
        follows.sign,
        follows.whole,
        follows.rows,
        follows.peak,
        follows.stop,
    )
    return Next(int(row), int(peak), int(best))


def brought_up(rules: Rules, position: Open, found: Next, places: int) -> Open:
    """The position as the watch would have left it before the row: its peak and its stop."""
    if not rules.trail:
        return position
    if found.best:
        peak = Decimal(found.best).scaleb(-places)
        seen = held(replace(position, peak=peak), {})
        after = trailed(rules.trail, seen)
        position = replace(position, stop=after.position.stop, trailing=after.trailing)
    peak = Decimal(found.peak).scaleb(-places)
    return position if peak == position.peak else replace(position, peak=peak)


@machine
def _scan(
    at: Any,
    last: Any,
    mark: Any,
    odd: Any,
    first: int,
    until_ms: int,
    around: Any,
    sign: int,
    whole: int,
    rows: Any,
    peak: int,
    stop: int,
) -> Any:
    last_low, last_high, mark_low, mark_high, stale_ms, stale_low, stale_high = around
    best = 0
    for i in range(first, len(at)):
        price = last[i]
        if (
            price <= last_low
            or price >= last_high
            or mark[i] <= mark_low
            or mark[i] >= mark_high
            or at[i] >= until_ms
            or odd[i]
        ):
            return i, peak, best
        if at[i] >= stale_ms and stale_low <= price <= stale_high:
            return i, peak, best
        if sign == 0:
            continue
        if (price - peak) * sign > 0:
            level = stop
            for r in range(len(rows)):
                if (price - rows[r, 0]) * sign >= 0:
                    level = price * rows[r, 1]
            if (level - stop) * sign > 0:
                if (price * whole - level) * sign <= 0:
                    return i, peak, best
                stop = level
                best = price
            peak = price
        if (price * whole - stop) * sign <= 0:
            return i, peak, best
    return len(at), peak, best
