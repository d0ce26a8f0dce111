"""Agents, positions and balances: as the desk's topics have them now."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query

from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.limits import LIMITS
from chandler.core.trading.money import plus
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import agents_of, found, of_whom, seen, stale
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.routes.reading.trading import fill_of
from services.gateway.shapes.desk import (
    Agent,
    AgentWhole,
    Balance,
    Balances,
    Limit,
    OpenPosition,
    Position,
    Total,
)
from services.gateway.shapes.forms import Form, IdPath, Known, Name, NamePath, SymbolName, of_row
from services.ledger import queries
from services.ledger.lists import Rows
from services.showing.standing import OpenRow, Row

router = APIRouter(tags=["desk"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]


class PositionsAsked(Form):
    agent: Name = ""
    symbol: SymbolName = ""


@router.get("/agents", responses=refusals(401, 403, 503))
async def agents(caller: Reader, parts: Here) -> Known[Agent]:
    """Agents that you see, by name."""
    trouble = stale(parts, "desk")
    rows = [_agent(row) for row in _rows(parts, caller)]
    return Known[Agent](items=rows, at_ms=parts.views.clock_ms(), stale=trouble)


@router.get("/agents/{name}", responses=refusals(401, 403, 404, 503))
async def agent(name: NamePath, caller: Reader, parts: Here) -> AgentWhole:
    """One agent with its settings and limits."""
    trouble = stale(parts, "desk")
    seen(parts, caller, name)
    [row] = [each for each in _rows(parts, caller) if each.agent == name]
    config = parts.profile.agents.get(name) or AgentConfig(enabled=False)
    state = parts.views.desk.states().get(name)
    changed = state.limits if state is not None else {}
    return AgentWhole(
        **_agent(row).model_dump(),
        enabled=config.enabled,
        symbols=config.symbols,
        sides=list(config.sides),
        on_opposite=config.on_opposite,
        set=msgspec.to_builtins(config.set),
        limits=_limits(config, changed),
        at_ms=parts.views.clock_ms(),
        stale=trouble,
    )


@router.get("/positions", responses=refusals(401, 403, 404, 503))
async def positions(
    caller: Reader, parts: Here, asked: Annotated[PositionsAsked, Query()]
) -> Known[OpenPosition]:
    """What is open now, by agent and symbol, at each symbol's newest mark."""
    trouble = stale(parts, "desk")
    if asked.agent:
        seen(parts, caller, asked.agent)
    rows = parts.views.desk.open_rows(asked.agent, asked.symbol.upper())
    shown = [_open(row) for row in rows if caller.sees(row.agent)]
    return Known[OpenPosition](items=shown, at_ms=parts.views.clock_ms(), stale=trouble)


@router.get("/positions/{position}", responses=refusals(401, 403, 404, 503))
async def position(position: IdPath, caller: Reader, parts: Here) -> Position:
    """One position, open or closed, with its fills; as the ledger has it."""
    row, fills = await found(
        parts.sources.ledger(
            lambda connection: (
                queries.position_of(connection, position),
                queries.fills_by(connection, "position", position),
            )
        )
    )
    if row is None or not caller.sees(row["agent"]):
        raise Problem(404, "unknown_position", "no position has this id: see /v1/positions")
    mine: Rows = [each for each in fills if each["agent"] == row["agent"]]
    return of_row(Position, row, fills=[fill_of(each) for each in mine])


@router.get("/balances", responses=refusals(401, 403, 404, 503))
async def balances(
    caller: Reader, parts: Here, asked: Annotated[PositionsAsked, Query()]
) -> Balances:
    """Money of the agents that you see, and by mode."""
    trouble = stale(parts, "desk")
    wanted = of_whom(parts, caller, asked.agent)
    rows = [each for each in _rows(parts, caller) if not wanted or each.agent in wanted]
    items = [_balance(row) for row in rows]
    totals = [_total(mode, rows) for mode in sorted({row.mode for row in rows})]
    return Balances(items=items, totals=totals, at_ms=parts.views.clock_ms(), stale=trouble)


def _rows(parts: Parts, caller: Caller) -> list[Row]:
    mine = agents_of(parts, caller)
    return [row for row in parts.views.desk.rows(parts.profile.agents) if row.agent in mine]


def _agent(row: Row) -> Agent:
    return Agent(**row._asdict(), equity=_equity(row))


def _equity(row: Row) -> Decimal | None:
    if row.balance is None or row.unrealised is None:
        return None
    return plus(row.balance, row.unrealised)


def _balance(row: Row) -> Balance:
    known: dict[str, Any] = row._asdict()
    names = Balance.model_fields.keys() - {"equity"}
    return Balance(**{name: known[name] for name in names}, equity=_equity(row))


def _total(mode: str, rows: Iterable[Row]) -> Total:
    of = [row for row in rows if row.mode == mode]
    return Total(
        mode=mode,
        agents=len(of),
        balance=plus(*(row.balance for row in of if row.balance is not None)),
        pnl_today=plus(*(row.pnl_today for row in of if row.pnl_today is not None)),
        pnl=plus(*(row.pnl for row in of if row.pnl is not None)),
        unrealised=_sum(row.unrealised for row in of if row.balance is not None),
        equity=_sum(_equity(row) for row in of if row.balance is not None),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """None where one of them is not known."""
    found = list(amounts)
    known = [each for each in found if each is not None]
    return plus(*known) if len(known) == len(found) else None


def _limits(config: AgentConfig, changed: dict[str, Decimal]) -> dict[str, Limit]:
    shown = {}
    for name, limit in LIMITS.items():
        profile = Decimal(str(getattr(config, name)))
        shown[name] = Limit(
            value=changed.get(name, profile),
            profile=profile,
            least=limit.least,
            most=limit.most,
            whole=limit.whole,
            words=limit.words,
        )
    return shown


def _open(row: OpenRow) -> OpenPosition:
    return OpenPosition(**row._asdict())
