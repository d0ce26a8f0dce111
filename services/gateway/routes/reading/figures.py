"""What was earned: PnL by agent, symbol, source or day, and equity over time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from chandler.core.trading.money import ZERO, minus, plus
from chandler.replay.thinning import thinned
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import found, of_whom
from services.gateway.parts import Parts
from services.gateway.problems import refusals
from services.gateway.routes.reading.trading import counted
from services.gateway.shapes.forms import Listed, of_row
from services.gateway.shapes.traded import (
    Curves,
    Earned,
    Earnings,
    EquityAsked,
    EquityCurve,
    EquityPoint,
    PnlAsked,
)
from services.ledger import queries
from services.ledger.lists import Rows, Wanted
from services.ledger.queries import EARNED
from services.showing.standing import Row

router = APIRouter(tags=["trading"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
CHANGES_MAX = 100_000  # the newest ones, of all agents that are asked for
LONGER_S = 15.0  # of sums over much


@router.get("/pnl", responses=refusals(401, 403, 404, 503))
async def pnl(caller: Reader, parts: Here, asked: Annotated[PnlAsked, Query()]) -> Earnings:
    """Closed round trips summed up, best first; by day the newest first, with fees of open ones.

    By day `symbol` and `source` are not looked at: the ledger keeps days by agent.
    """
    which = counted(parts, caller, asked)

    def ask(connection: Connection) -> list[Earned]:
        if asked.by == "day":
            return [_day(row) for row in queries.days(connection, which)]
        rows = queries.pnl_by(connection, asked.by, which)
        return [of_row(Earned, {**row, "agent": "", "name": row[asked.by]}) for row in rows]

    return Listed[Earned](items=await found(parts.sources.ledger(ask), LONGER_S))


@router.get("/equity", responses=refusals(401, 403, 404, 503))
async def equity(caller: Reader, parts: Here, asked: Annotated[EquityAsked, Query()]) -> Curves:
    """Balances over time by agent; the last point is now, with what is open, if it is known."""
    which = Wanted(
        agents=of_whom(parts, caller, asked.agent),
        limit=CHANGES_MAX,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
    )
    standing: dict[str, Row] = {}
    if parts.views.known("desk"):
        rows = parts.views.desk.rows(parts.profile.agents)
        standing = {row.agent: row for row in rows if caller.sees(row.agent)}
    clock_ms = 0 if asked.until_ms else parts.views.clock_ms()

    def ask(connection: Connection) -> list[EquityCurve]:
        by: dict[str, Rows] = {}
        for row in queries.balance_points(connection, which):
            by.setdefault(row["agent"], []).append(row)
        return [
            curve_of(agent, changes, standing.get(agent), clock_ms, asked.points)
            for agent, changes in sorted(by.items())
        ]

    return Listed[EquityCurve](items=await found(parts.sources.ledger(ask), LONGER_S))


def curve_of(
    agent: str, changes: Sequence[dict[str, Any]], now: Row | None, clock_ms: int, points: int
) -> EquityCurve:
    """A curve of balance changes in order of time, of at most so many points and now.

    What is paid in or out is no gain and no loss: it moves the best so far along.
    """
    first = changes[0]
    times, balances, drawdowns = [], [], []
    best: Decimal | None = None
    for row in changes:
        balance = row["balance"]
        if best is None:
            best = balance if row["kind"] not in EARNED else minus(balance, row["change"])
        elif row["kind"] not in EARNED:
            best = plus(best, row["change"])
        best = max(best, balance)
        times.append(row["at"])
        balances.append(balance)
        drawdowns.append(_below(balance, best))
    kept = thinned(np.array([float(each) for each in balances]), points - 1).tolist()
    shown = [
        EquityPoint(at=times[each], equity=balances[each], drawdown=drawdowns[each])
        for each in kept
    ]
    is_open = bool(
        clock_ms and now is not None and now.balance is not None and now.unrealised is not None
    )
    if is_open:
        assert now is not None
        assert now.balance is not None
        equity = plus(now.balance, now.unrealised or ZERO)
        best = max(best or ZERO, equity)
        drawdowns.append(_below(equity, best))
        shown.append(
            EquityPoint(at=max(clock_ms, times[-1]), equity=equity, drawdown=drawdowns[-1])
        )
    return EquityCurve(
        agent=agent,
        mode=now.mode if now is not None else "",
        start=first["balance"]
        if first["kind"] == "start"
        else minus(first["balance"], first["change"]),
        drawdown_max=max(drawdowns),
        open=is_open,
        points=shown,
    )


def _below(balance: Decimal, best: Decimal) -> float:
    """How far a balance lies below the best one, a fraction."""
    return round(float(minus(best, balance) / best), 6) if best > 0 else 0.0


def _day(row: dict[str, Any]) -> Earned:
    nothing = dict.fromkeys(("best", "worst", "profit_factor", "minutes"))
    return of_row(Earned, row, name=row["day"], **nothing)
