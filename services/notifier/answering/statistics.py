"""Statistics and the day so far, from the ledger."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection

from chandler.core.granularity import DAY_MS
from chandler.core.notices.digest import Day, Ended, Extreme, Refused, Tally, day_notice
from chandler.core.notices.text import Line, lines_of
from chandler.core.notices.words import called, money, signed, utc_day
from services.following.sources import UnanswerableError
from services.ledger import queries
from services.ledger.queries import Wanted
from services.notifier.answering.asked import Asked, as_of, cut, gain, head, listed
from services.notifier.answering.standing import open_of, unrealised

Period = Literal["day", "week", "month", "all"]
DAYS: dict[Period, int] = {"day": 1, "week": 7, "month": 30}
COLUMNS = {"agent": "agent", "engine": "source", "symbol": "symbol"}
NO_TIME = "the venue's time is not known yet: nothing was traded, ask again later"


class Span(NamedTuple):
    """A stretch of the venue's time: whole UTC days, the last one as far as it has come."""

    since_ms: int  # 0: from the beginning
    now_ms: int

    def __str__(self) -> str:
        last = utc_day(self.now_ms - self.now_ms % DAY_MS)
        if not self.since_ms:
            return f"up to {last} (UTC)"
        first = utc_day(self.since_ms)
        return f"{last} (UTC)" if first == last else f"{first} to {last} (UTC)"


async def statistics(asked: Asked) -> list[Line]:
    """Trades, won, PnL, fees, profit factor, best and worst: in all, and by agent or other."""
    by = asked.query.by or "agent"

    def ask(connection: Connection) -> tuple[Span, list[dict[str, Any]], list[dict[str, Any]]]:
        span = span_of(asked.query.period or "day", asked.views.clock_ms(), connection)
        wanted = asked.wanted()._replace(since_ms=span.since_ms)
        found = queries.trips(connection, wanted)
        return span, found, queries.pnl_by(connection, COLUMNS[by], wanted)

    span, found, groups = await asked.sources.ledger(ask)
    of = [each for each in (asked.query.agent, asked.query.engine, asked.query.symbol) if each]
    title = head(", ".join(map(cut, ("Statistics", *of))) + f", {span}")
    if not found:
        return [title, Line("no trades")]
    rows = [[head(called(row[COLUMNS[by]])), *_figures(row)] for row in groups]
    shown = rows if len(rows) > 1 or asked.query.by else []
    return [title, *_figures(queries.figures(found)), *listed(shown)]


async def digest(asked: Asked) -> tuple[list[Line], str]:
    """The day of the venue so far, as the daily digest tells it; and its picture."""

    def ask(connection: Connection) -> tuple[Span, Day]:
        span = span_of("day", asked.views.clock_ms(), connection)
        return span, _day(connection, asked.wanted()._replace(since_ms=span.since_ms), span)

    span, day = await asked.sources.ledger(ask)
    notice = day_notice(Ended(day, 0), asked.query.user, asked.sees)
    opened = open_of(asked)
    now = f"open now: {len(opened)}, {gain(unrealised(opened))} unrealised"
    lines = [*lines_of(notice), Line(now), as_of(span.now_ms)]
    if not day.tallies:
        return lines, ""
    names = [quote(name, safe="") for name in sorted(asked.agents)]
    return lines, " ".join(("equity", utc_day(span.since_ms), *names))


def span_of(period: Period, clock_ms: int, connection: Connection) -> Span:
    """The period that ends now, in the venue's time; UnanswerableError where nobody knows it."""
    now_ms = max(clock_ms, queries.newest_ms(connection))
    if not now_ms:
        raise UnanswerableError(NO_TIME)
    if period not in DAYS:
        return Span(0, now_ms)
    return Span(max(0, now_ms - now_ms % DAY_MS - (DAYS[period] - 1) * DAY_MS), now_ms)


def _figures(row: dict[str, Any]) -> list[Line]:
    factor = "-" if row["profit_factor"] is None else f"{row['profit_factor']:g}"
    share = f" ({row['wins'] / row['trades']:.0%})"
    return [
        Line(f"{signed(row['pnl'])}, trades {row['trades']}, won {row['wins']}{share}"),
        Line(
            f"fees {money(row['fees'])}, funding {money(row['funding'])}, profit factor {factor}, "
            f"best {signed(row['best'])}, worst {signed(row['worst'])}"
        ),
    ]


def _day(connection: Connection, wanted: Wanted, span: Span) -> Day:
    """What the ledger knows of the day, as the digest's fold would have seen it."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in queries.trips(connection, wanted):
        groups.setdefault((row["agent"], row["source"]), []).append(row)
    refused = queries.refusal_counts(connection, wanted)
    return Day(
        start_ms=span.since_ms,
        tallies=[_tally(*key, rows) for key, rows in sorted(groups.items())],
        refusals=[
            Refused(agent=agent, reason=reason, count=count)
            for (agent, reason), count in sorted(refused.items())
        ],
    )


def _tally(agent: str, engine: str, rows: list[dict[str, Any]]) -> Tally:
    row = queries.figures(rows)
    return Tally(
        agent=agent,
        engine=engine,
        trades=row["trades"],
        wins=row["wins"],
        pnl=row["pnl"],
        fees=row["fees"],
        funding=row["funding"],
        best=_extreme(row["best"], rows) if row["best"] > 0 else None,
        worst=_extreme(row["worst"], rows) if row["worst"] < 0 else None,
    )


def _extreme(pnl: Any, rows: Iterable[dict[str, Any]]) -> Extreme:
    row = next(each for each in rows if each["pnl"] == pnl)
    return Extreme(pnl=pnl, agent=row["agent"], symbol=row["symbol"])
