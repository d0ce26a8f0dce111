"""Finds the next price that matters to an open position, without asking the folds at each.

Rules (core/positions/rules.py) and the paper venue's liquidation become limits in whole numbers of
the price's finest digit, exactly: what is said here of a price is what they would say. A price is
never skipped at which they would do something; one at which they do nothing may be looked at.
"""

from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from chandler.core.positions.rules import MINUTE_MS, Rules, trailed
from chandler.core.positions.state import Open, held
from chandler.core.trading.position import Position, margin
from chandler.replay.dense.native import machine
from chandler.replay.sparse.prices import Prices

NEVER = 2**62  # beyond any price and any time
ONE_PLACES = 60  # a product of three of the venue's numbers has fewer
ONE = 10**ONE_PLACES
DISTANCE_PLACES_MAX = 4
ROWS_MAX = 2_048  # looked through at once: most positions end before the end of the past

Ratio = tuple[int, int]  # numerator and a denominator above 0


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
    size, cost, sign = exact(money.size), exact(money.cost), money.direction
    unit = 10**places
    worse: list[Ratio] = []  # prices × unit at which something fires when they are as bad
    better: list[Ratio] = []
    mark: list[Ratio] = []
    stopped = _is_done(position, "stop") or _is_done(position, "trailing")
    if position.stop is not None and not stopped:
        worse.append((exact(position.stop) * unit, ONE))
    for place, level in enumerate(position.targets):
        if not _is_done(position, f"take_profit-{place + 1}"):
            better.append((exact(level) * unit, ONE))
    if rules.ladder is not None:
        worse += _step(rules, position, unit)
    if rules.liquidation_percent and not _is_done(position, "liquidation_risk"):
        lost = exact(rules.liquidation_percent)
        all_of_it = 100 * ONE * money.leverage
        mark.append((cost * (all_of_it - sign * lost) * unit, all_of_it * size))
    low, high = _bounds(sign, worse, better)
    mark_low, mark_high = _bounds(sign, mark, [])
    stale_ms, stale_low, stale_high = NEVER, 0, 0
    if rules.stale is not None and not _is_done(position, "stale"):
        stale_ms = money.opened_ms + rules.stale.hold_min * MINUTE_MS
        ends = [
            cost * (100 * ONE + sign * exact(percent)) * unit
            for percent in (rules.stale.low_percent, rules.stale.high_percent)
        ]
        whole = 100 * ONE * size
        stale_low, stale_high = _ceil((min(ends), whole)), _floor((max(ends), whole))
    return Limits(low, high, mark_low, mark_high, stale_ms, stale_low, stale_high)


def exact(value: Decimal) -> int:
    """A Decimal as a whole number of 1 / ONE; all money, prices and sizes are some."""
    above, below = value.as_integer_ratio()
    factor, rest = divmod(ONE, below)
    assert not rest, f"{value} has more than {ONE_PLACES} places"
    made: int = above * factor
    return made


def _floor(ratio: Ratio) -> int:
    return max(-NEVER, min(NEVER, ratio[0] // ratio[1]))


def _ceil(ratio: Ratio) -> int:
    return max(-NEVER, min(NEVER, -(-ratio[0] // ratio[1])))


def _is_done(position: Open, leg: str) -> bool:
    state = position.legs.get(leg)
    return state is not None and state.done


def _step(rules: Rules, position: Open, unit: int) -> list[Ratio]:
    """The price of the ladder's next step."""
    assert rules.ladder is not None
    for place in range(rules.ladder.attempts):
        if not _is_done(position, f"dca-{place + 1}"):
            fall = exact(rules.ladder.step_percent) * (place + 1)
            left = 100 * ONE - position.money.direction * fall
            entry = exact(position.entry_cost)
            return [(entry * left * unit, exact(position.entry_size) * 100 * ONE)]
    return []


def _bounds(sign: int, worse: list[Ratio], better: list[Ratio]) -> tuple[int, int]:
    below, above = (worse, better) if sign > 0 else (better, worse)
    return max(map(_floor, below), default=-NEVER), min(map(_ceil, above), default=NEVER)


def liquidated(position: Position, maintenance: Decimal, taker_fee: Decimal, places: int) -> Limits:
    """Where the paper venue takes the position: is_liquidated, solved for the mark price."""
    size, cost, unit = exact(position.size), exact(position.cost), 10**places
    kept, free = exact(maintenance) + exact(taker_fee), exact(margin(position))
    if position.side == "long":
        price = (cost - free) * ONE * unit, size * (ONE - kept)
        return NO_LIMITS._replace(mark_low=_floor(price))
    price = (cost + free) * ONE * unit, size * (ONE + kept)
    return NO_LIMITS._replace(mark_high=_ceil(price))


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
    size, cost, sign = exact(money.size), exact(money.cost), money.direction
    whole = 100 * 10**DISTANCE_PLACES_MAX
    rows = []
    for profit, distance in rules.trail:
        left, rest = divmod(whole * (100 * ONE - sign * exact(distance)), 100 * ONE)
        if rest:
            return None
        begins = cost * (100 * ONE + sign * exact(profit)) * unit, 100 * ONE * size
        rows.append((_ceil(begins) if sign > 0 else _floor(begins), left))
    peak, rest = divmod(exact(position.peak) * unit, ONE)
    stop = -sign * NEVER
    if position.stop is not None:
        at = exact(position.stop) * unit * whole, ONE
        stop = _floor(at) if sign > 0 else _ceil(at)
    if rest or max(peak, 1) * whole * 4 >= NEVER:
        return None
    return Trail(sign, whole, np.array(rows, np.int64), peak, stop)


def next_row(
    prices: Prices,
    first: int,
    until_ms: int,
    around: Limits,
    follows: Trail,
    rows_max: int = ROWS_MAX,
) -> Next:
    """The first row from `first` on that matters, or that is at or after `until_ms`.

    Where none of `rows_max` does it is the one behind them, whatever it is.
    """
    row, peak, best = _scan(
        prices.at,
        prices.last,
        prices.mark,
        prices.odd,
        first,
        min(first + rows_max, len(prices.at)),
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
    end: int,
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
    for i in range(first, end):
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
    return end, peak, best
