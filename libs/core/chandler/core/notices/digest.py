"""The day's figures: trades, PnL, fees, refusals, by UTC days of event time, from what was seen."""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.events import Event
from chandler.core.granularity import DAY_MS
from chandler.core.hashing import digest
from chandler.core.notices.kinds import Notice
from chandler.core.notices.trades import net
from chandler.core.notices.words import called, counted, in_words, money, signed, utc_day
from chandler.core.trading.events import (
    OrderFilled,
    OrdersOut,
    PositionClosed,
    PumpState,
    Refusal,
)
from chandler.core.trading.money import ZERO, plus

GRACE_MS = 60_000  # event time after a day's end in which what belongs to it is awaited
ROWS_MAX = 40  # of agents and engines in one digest
REASONS_MAX = 12
REFUSALS_MAX = 500  # agents and reasons of a day that are told apart; the rest are OTHERS
AT_MAX = 253_402_300_800_000  # the year 10,000: no calendar has what is beyond it
OTHERS = "other reasons"


class Extreme(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that won or lost most."""

    pnl: Decimal
    agent: str
    symbol: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Trades of one agent by one engine."""

    agent: str
    engine: str
    trades: int = 0
    wins: int = 0
    pnl: Decimal = ZERO  # after fees and funding
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    best: Extreme | None = None  # that won most
    worst: Extreme | None = None  # that lost most


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Refusals of one agent for one reason."""

    agent: str
    reason: str
    count: int = 0


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one day."""

    start_ms: int
    tallies: list[Tally] = []
    refusals: list[Refused] = []


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """The days that are not told yet, oldest first."""

    at: int = 0  # greatest event time
    told_ms: int = 0  # end of the newest day that was told
    open: list[Day] = []
    late: int = 0  # events of days that were told already; named in the next digest


class Ended(NamedTuple):
    """A day that is over."""

    day: Day
    late: int


def take(days: Days, event: Event) -> tuple[Days, list[Ended]]:
    """The days after an event, and those that ended. ArithmeticError where figures are no numbers.

    Events that say nothing of a day's trades change nothing, but those that carry event time on.
    """
    if not isinstance(event, PositionClosed | Refusal | OrderFilled | OrdersOut | PumpState):
        return days, []
    if not 0 <= event.at < AT_MAX:
        return days, []
    start_ms = event.at - event.at % DAY_MS
    if event.at < days.told_ms:
        counts = isinstance(event, PositionClosed | Refusal)
        return (msgspec.structs.replace(days, late=days.late + 1) if counts else days), []
    found = {day.start_ms: day for day in days.open}
    day = found.get(start_ms) or Day(start_ms=start_ms)
    if isinstance(event, PositionClosed):
        day = _traded(day, event)
    elif isinstance(event, Refusal):
        day = _refused(day, event)
    found[start_ms] = day
    days = msgspec.structs.replace(
        days, at=max(days.at, event.at), open=[found[start] for start in sorted(found)]
    )
    over = [day for day in days.open if day.start_ms + DAY_MS + GRACE_MS <= days.at]
    if not over:
        return days, []
    ended = [Ended(each, days.late if each is over[0] else 0) for each in over]
    told_ms = over[-1].start_ms + DAY_MS
    rest = days.open[len(over) :]
    return msgspec.structs.replace(days, open=rest, told_ms=told_ms, late=0), ended


def day_notice(ended: Ended, user: str, sees: Callable[[str], bool]) -> Notice:
    """A day's digest for one user: of the agents that the user sees."""
    day = ended.day
    tallies = [each for each in day.tallies if sees(each.agent)]
    trades, wins = sum(each.trades for each in tallies), sum(each.wins for each in tallies)
    pnl = signed(plus(*(each.pnl for each in tallies)))
    figures = f"{pnl}, trades {trades}, won {wins}" if trades else "no trades"
    lines = [
        f"{called(each.agent)}, {called(each.engine)}: {signed(each.pnl)}, trades {each.trades}, "
        f"won {each.wins}, fees {money(each.fees)}, funding {money(each.funding)}"
        for each in tallies[:ROWS_MAX]
    ]
    if len(tallies) > ROWS_MAX:
        lines.append(f"… and {len(tallies) - ROWS_MAX} more rows")
    return Notice(
        id=digest("digest", user, str(day.start_ms)),
        kind="digest",
        at=day.start_ms + DAY_MS,
        head=f"Day {utc_day(day.start_ms)} (UTC): {figures}",
        lines=[*lines, *_extremes(tallies), *_refusals(day, sees), *_late(ended.late)],
    )


def _extremes(tallies: list[Tally]) -> list[str]:
    best = [each.best for each in tallies if each.best is not None]
    worst = [each.worst for each in tallies if each.worst is not None]
    lines = []
    for name, trade in (
        ("biggest win", max(best, key=lambda each: each.pnl, default=None)),
        ("biggest loss", min(worst, key=lambda each: each.pnl, default=None)),
    ):
        if trade is not None:
            who = f"{called(trade.agent)}, {called(trade.symbol)}"
            lines.append(f"{name}: {signed(trade.pnl)} ({who})")
    return lines


def _refusals(day: Day, sees: Callable[[str], bool]) -> list[str]:
    counts: dict[str, int] = {}
    for each in day.refusals:
        if sees(each.agent):
            counts[each.reason] = counts.get(each.reason, 0) + each.count
    if not counts:
        return []
    most = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:REASONS_MAX])
    words = {reason: in_words(reason) for reason in most}
    return [f"refusals: {sum(counts.values())}: {counted(most, words)}"]


def _late(count: int) -> list[str]:
    return [f"late: {count} trades or refusals of days before, in no digest"] if count else []


def _traded(day: Day, event: PositionClosed) -> Day:
    position = event.position
    pnl = net(position)
    if not pnl.is_finite():
        raise ArithmeticError("a PnL of no number")
    at = _place(day.tallies, position.agent, position.source)
    tally = day.tallies[at] if at >= 0 else Tally(agent=position.agent, engine=position.source)
    trade = Extreme(pnl=pnl, agent=position.agent, symbol=event.symbol)
    best = trade if pnl > 0 and (tally.best is None or pnl > tally.best.pnl) else tally.best
    worst = trade if pnl < 0 and (tally.worst is None or pnl < tally.worst.pnl) else tally.worst
    tally = msgspec.structs.replace(
        tally,
        trades=tally.trades + 1,
        wins=tally.wins + (1 if pnl > 0 else 0),
        pnl=plus(tally.pnl, pnl),
        fees=plus(tally.fees, position.fees),
        funding=plus(tally.funding, position.funding),
        best=best,
        worst=worst,
    )
    rest = [each for number, each in enumerate(day.tallies) if number != at]
    tallies = sorted([*rest, tally], key=lambda each: (each.agent, each.engine))
    return msgspec.structs.replace(day, tallies=tallies)


def _place(tallies: list[Tally], agent: str, engine: str) -> int:
    for number, each in enumerate(tallies):
        if (each.agent, each.engine) == (agent, engine):
            return number
    return -1


def _refused(day: Day, event: Refusal) -> Day:
    counts = {(each.agent, each.reason): each.count for each in day.refusals}
    key = event.agent, event.reason
    if key not in counts and len(counts) >= REFUSALS_MAX:
        key = event.agent, OTHERS
    counts[key] = counts.get(key, 0) + 1
    refusals = [Refused(agent=a, reason=r, count=count) for (a, r), count in counts.items()]
    return msgspec.structs.replace(day, refusals=refusals)
