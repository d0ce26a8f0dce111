"""Backtests that `./chandler backtest` has kept in the data directory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query

from chandler.core.trading.money import plus
from chandler.replay.result import Trade
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.cursors import cursor_of, place_of
from services.gateway.lookups import found
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.shapes.forms import IdPath, Listed
from services.gateway.shapes.running import (
    Backtest,
    Backtests,
    BacktestsAsked,
    BacktestTrade,
    BacktestTrades,
    BacktestTradesAsked,
    BacktestWhole,
    Curve,
)
from services.layers import ConfigurationError
from services.showing import runs

router = APIRouter(tags=["backtests"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
LIST_S = 5.0  # that the list of them holds

R = TypeVar("R")


@router.get("/backtests", responses=refusals(401, 403, 503))
async def backtests(
    caller: Reader, parts: Here, asked: Annotated[BacktestsAsked, Query()]
) -> Backtests:
    """Runs, the newest first; those with agents that you don't see are left out."""
    place = place_of(asked.after, (int, str))
    rows = [
        _backtest(each)
        for each in await _known(parts)
        if _may_see(each.kept, caller) and asked.profile in ("", each.kept.origin.profile)
    ]
    after = (-int(place[0]), str(place[1])) if place else None
    later = [row for row in rows if after is None or (-row.made_ms, row.id) > after]
    kept = later[: asked.limit]
    following = cursor_of((kept[-1].made_ms, kept[-1].id)) if len(later) > len(kept) else ""
    return Listed[Backtest](items=kept, next=following)


@router.get("/backtests/{run}", responses=refusals(401, 403, 404, 503))
async def backtest(run: IdPath, caller: Reader, parts: Here) -> BacktestWhole:
    """One run with its figures and curves."""
    listed, folder = await _one(parts, caller, run)
    curves = await _read(parts, partial(runs.curves_in, folder))
    kept = listed.kept
    return BacktestWhole(
        **_backtest(listed).model_dump(),
        starts=kept.starts,
        balances=kept.balances,
        metrics=msgspec.to_builtins(kept.metrics),
        refusals=kept.refusals,
        signals=kept.signals,
        notes=kept.notes,
        timings=kept.timings,
        curves=[Curve(**msgspec.structs.asdict(each)) for each in curves],
    )


@router.get("/backtests/{run}/trades", responses=refusals(401, 403, 404, 503))
async def backtest_trades(
    run: IdPath, caller: Reader, parts: Here, asked: Annotated[BacktestTradesAsked, Query()]
) -> BacktestTrades:
    """A run's trades, in the order in which they were opened."""
    _, folder = await _one(parts, caller, run)
    place = place_of(asked.after, (int,))
    begin = int(place[0]) if place else 0
    wanted = asked.symbol.upper()
    trades = [
        each
        for each in await _read(parts, partial(runs.trades_in, folder))
        if wanted in ("", each.symbol)
    ]
    kept = trades[max(begin, 0) :][: asked.limit]
    end = max(begin, 0) + len(kept)
    following = cursor_of((end,)) if kept and end < len(trades) else ""
    return Listed[BacktestTrade](items=[_trade(each) for each in kept], next=following)


async def _known(parts: Parts) -> list[runs.Listed]:
    async def ask() -> list[runs.Listed]:
        return await parts.sources.apart(partial(runs.runs, parts.installation))

    return await found(parts.recent.of("backtests", LIST_S, ask))


async def _one(parts: Parts, caller: Caller, run: str) -> tuple[runs.Listed, Path]:
    for each in await _known(parts):
        if each.id == run and _may_see(each.kept, caller):
            return each, parts.installation.data / runs.FOLDER / each.id
    raise Problem(404, "unknown_backtest", "no backtest is called so: see /v1/backtests")


async def _read(parts: Parts, read: Callable[[], R]) -> R:
    def whole() -> R:
        try:
            return read()
        except ConfigurationError:
            raise Problem(
                503, "backtest_unreadable", "its files can't be read: run the backtest again"
            ) from None

    return await found(parts.sources.apart(whole))


def _may_see(kept: runs.Kept, caller: Caller) -> bool:
    return all(caller.sees(agent) for agent in kept.starts)


def _backtest(listed: runs.Listed) -> Backtest:
    kept = listed.kept
    portfolio = kept.metrics.portfolio
    performance = portfolio.performance
    deepest = performance.drawdown_within
    return Backtest(
        id=listed.id,
        profile=kept.origin.profile,
        made_ms=listed.made_ms,
        from_ms=kept.from_ms,
        to_ms=kept.to_ms,
        agents=sorted(kept.starts),
        candles=kept.origin.candles,
        digest=kept.origin.digest,
        config=kept.origin.config,
        code=kept.origin.code,
        start=plus(*kept.starts.values()),
        balance=plus(*kept.balances.values()),
        trades=portfolio.trades.trades,
        pnl=portfolio.trades.pnl,
        win_rate=portfolio.trades.win_rate,
        profit_factor=portfolio.trades.profit_factor,
        total_return=performance.total_return,
        drawdown=deepest.depth if deepest is not None else None,
        sharpe=performance.sharpe,
        sortino=performance.sortino,
    )


def _trade(trade: Trade) -> BacktestTrade:
    names = BacktestTrade.model_fields
    return BacktestTrade(**{name: getattr(trade, name) for name in names})
