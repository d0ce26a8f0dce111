"""Agents, positions and balances, as the desk's topics have them."""

from collections.abc import Iterable
from decimal import Decimal

from chandler.core.notices.text import Line
from chandler.core.notices.words import called, lasting, money, number, one_line, price, result
from chandler.core.trading.money import plus
from services.notifier.answering.asked import (
    UNKNOWN,
    Asked,
    as_of,
    cut,
    gain,
    head,
    listed,
    short,
    warned,
)
from services.showing.figures import AVERAGE
from services.showing.standing import OpenRow, Row

MARK_MS_MAX = 60_000  # venue's time that a mark may be older than the newest one without saying so


async def agents(asked: Asked) -> list[Line]:
    """Each agent: what it may do, its money, what it has open."""
    rows = rows_of(asked)
    if not rows:
        return nobody(asked)
    answer = listed([_agent(row) for row in rows])
    return _told(asked, answer)


async def positions(asked: Asked) -> list[Line]:
    """What is open, by agent, the one that gained most first; all at their symbols' newest marks.

    A mark that is older than the newest one is shown with its own time.
    """
    rows = open_of(asked)
    of = f" in {cut(asked.query.symbol)}" if asked.query.symbol else ""
    if not rows:
        return _told(asked, [Line(f"Nothing is open{of}.")])
    marked_ms = max(row.marked_ms for row in rows)
    groups: dict[str, list[OpenRow]] = {}
    for row in sorted(rows, key=lambda row: row.agent):
        groups.setdefault(row.agent, []).append(row)
    several = [head(f"{len(rows)} open{of}, {gain(unrealised(rows))}")] if len(groups) > 1 else []
    blocks: list[list[Line]] = []
    for agent, held in groups.items():
        held.sort(key=lambda row: (row.unrealised is None, -(row.unrealised or 0), row.symbol))
        said = [_position(row, marked_ms) for row in held]
        title = head(f"{called(agent)}: {len(held)} open{of}, {gain(unrealised(held))}")
        said[0] = [title._replace(gap=bool(several)), *said[0]]
        blocks += said
    return _told(asked, [*several, *listed(blocks)], marked_ms)


async def balance(asked: Asked) -> list[Line]:
    """Balances by agent, and their sum; money on paper and real money are never summed up."""
    rows = rows_of(asked)
    if not rows:
        return nobody(asked)
    modes = sorted({row.mode for row in rows})
    totals = [_total(mode, [row for row in rows if row.mode == mode]) for mode in modes]
    return _told(asked, [*totals, *listed([[_balance(row)] for row in rows])])


def rows_of(asked: Asked) -> list[Row]:
    """The agents that are asked for and may be shown."""
    rows = asked.views.desk.rows(asked.sources.profile.agents)
    return [row for row in rows if asked.sees(row.agent)]


def open_of(asked: Asked) -> list[OpenRow]:
    """The open positions that are asked for and may be shown."""
    rows = asked.views.desk.open_rows(symbol=asked.query.symbol)
    return [row for row in rows if asked.sees(row.agent)]


def unrealised(rows: Iterable[OpenRow]) -> Decimal | None:
    """Of all of them; None where one has no mark yet."""
    found = [row.unrealised for row in rows]
    known = [each for each in found if each is not None]
    return plus(*known) if len(known) == len(found) else None


def is_on(row: Row) -> bool:
    """Whether the agent makes entries, as far as its switches say."""
    return row.switches["trading"] and not row.blocked


def nobody(asked: Asked) -> list[Line]:
    """The answer where there is no agent to be shown."""
    if asked.limited:
        return [Line("None of your agents is in the profile: ask an owner.")]
    return [Line("There are no agents: set agents.NAME in the profile, and start again.")]


def _told(asked: Asked, answer: list[Line], at_ms: int = 0) -> list[Line]:
    """With its time: that of the marks, or else that the desk has come to."""
    lines = [*answer, as_of(at_ms or asked.views.desk.newest_ms())]
    return warned(lines, asked.views.trouble("desk"))


def _agent(row: Row) -> list[Line]:
    on = "trading on" if row.switches["trading"] else "trading off"
    off = [key.replace("|", " ") for key, is_on in row.switches.items() if not is_on]
    also = [each for each in off if each != "trading"]
    lines = [head(f"{called(row.agent)}: {row.mode}, {on}")]
    if row.blocked:
        lines.append(Line(one_line(f"no entries: {row.blocked}")))
    if also:
        lines.append(Line(one_line(f"off: {', '.join(also)}")))
    if row.paused:
        lines.append(Line(one_line(f"paused: {', '.join(row.paused)}")))
    if row.balance is None:
        return [*lines, Line("the desk has not begun with it")]
    held = f"balance {money(row.balance)}, today {gain(row.pnl_today)}, in all {gain(row.pnl)}"
    now = f"open {row.positions}, {gain(row.unrealised)} unrealised"
    return [
        *lines,
        Line(held),
        Line(f"{now}, orders under way {row.orders}, entries today {row.entries_today}"),
    ]


def _position(row: OpenRow, newest_ms: int) -> list[Line]:
    """`newest_ms`: the newest of all marks."""
    notional = AVERAGE.multiply(row.entry, row.size)
    gained = UNKNOWN if row.unrealised is None else result(row.unrealised, notional)
    mark = UNKNOWN if row.mark is None else price(row.mark)
    if row.mark is not None and newest_ms - row.marked_ms > MARK_MS_MAX:
        mark += f" of {short(row.marked_ms)}"
    closing = ", closing" if row.closing else ""
    return [
        Line(f"{called(row.symbol)} {row.side}: {gained}", "bold"),
        Line(f"mark {mark}, entry {price(row.entry)}, stop {price(row.stop)}"),
        Line(
            f"size {number(row.size)} at {row.leverage}x, open {lasting(row.age_ms)}, "
            f"from {called(row.source)}{closing}"
        ),
    ]


def _total(mode: str, rows: list[Row]) -> Line:
    known = [row for row in rows if row.balance is not None]
    total = plus(*(row.balance for row in known if row.balance is not None))
    today = plus(*(row.pnl_today for row in known if row.pnl_today is not None))
    more = [row.unrealised for row in known]
    unrealised = None if None in more else plus(*(each for each in more if each is not None))
    return head(f"{mode}: {money(total)}, today {gain(today)}, unrealised {gain(unrealised)}")


def _balance(row: Row) -> Line:
    if row.balance is None:
        return Line(f"{called(row.agent)}: the desk has not begun with it")
    return Line(
        f"{called(row.agent)}: {money(row.balance)}, today {gain(row.pnl_today)}, "
        f"in all {gain(row.pnl)}"
    )
