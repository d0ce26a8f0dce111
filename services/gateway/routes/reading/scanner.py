"""What the engines make of each symbol: the matrix, the engines themselves, the guard's pumps."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from chandler.core.decision import score_of
from chandler.core.engine import ResolvedEngine
from chandler.core.trading.events import PumpState
from services import plugins
from services.following.scanned import Noted as Kept
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import agents_of, found, stale
from services.gateway.parts import Parts
from services.gateway.problems import refusals
from services.gateway.shapes.forms import Known, Listed
from services.gateway.shapes.market import (
    EngineShown,
    EvaluatorShown,
    MatrixAsked,
    MatrixSymbol,
    Noted,
    Pump,
    PumpsAsked,
)

router = APIRouter(tags=["market"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
FOR_EVER_S = float("inf")  # engines are those of our start


@router.get("/matrix", responses=refusals(401, 403, 503))
async def matrix(
    _: Reader, parts: Here, asked: Annotated[MatrixAsked, Query()]
) -> Known[MatrixSymbol]:
    """The newest notes of each symbol by engine, with the weighted score."""
    trouble = stale(parts, "scanned")
    engines = (await _resolved(parts)).engines
    by_name = {engine.name: engine for engine in engines}
    wanted = asked.symbol.upper()
    items = []
    for symbol, kept in sorted(parts.views.scanned.notes.items()):
        shown = {
            name: _noted(by_name.get(name), noted)
            for name, noted in sorted(kept.items())
            if asked.engine in ("", name)
        }
        if shown and wanted in ("", symbol):
            close_ms = max(each.close_ms for each in shown.values())
            items.append(MatrixSymbol(symbol=symbol, close_ms=close_ms, engines=shown))
    return Known[MatrixSymbol](items=items, at_ms=parts.views.clock_ms(), stale=trouble)


@router.get("/engines", responses=refusals(401, 403, 503))
async def engines(caller: Reader, parts: Here) -> Listed[EngineShown]:
    """Engines as they are configured, with the tunables' values and who follows them."""
    resolution = await _resolved(parts)
    resolved = {engine.name: engine for engine in resolution.engines}
    mine = agents_of(parts, caller)
    items = []
    for name in sorted(parts.profile.engines):
        faults = [each for each in resolution.faults if each.startswith(f"engine {name} ")]
        items.append(_engine(parts, name, resolved.get(name), "; ".join(faults), mine))
    return Listed[EngineShown](items=items)


@router.get("/pumps", responses=refusals(401, 403, 503))
async def pumps(_: Reader, parts: Here, asked: Annotated[PumpsAsked, Query()]) -> Known[Pump]:
    """Symbols that are pumped now, the newest first; with `all` the others, too."""
    trouble = stale(parts, "scanned")
    wanted = asked.symbol.upper()
    states = [
        state
        for state in parts.views.scanned.pumps.values()
        if wanted in ("", state.symbol) and (asked.all or state.pump != "none")
    ]
    states.sort(key=lambda each: (each.pump == "none", -each.since_ms, each.symbol))
    items = [_pump(state) for state in states]
    return Known[Pump](items=items, at_ms=parts.views.clock_ms(), stale=trouble)


async def _resolved(parts: Parts) -> plugins.Resolution:
    async def resolve() -> plugins.Resolution:
        return await parts.sources.apart(lambda: plugins.resolution(parts.profile, plugins.load()))

    return await found(parts.recent.of("engines", FOR_EVER_S, resolve))


def _noted(engine: ResolvedEngine | None, kept: Kept) -> Noted:
    score = None
    if engine is not None and kept.notes:
        score = round(score_of(engine, kept.notes), 6)
    return Noted(
        granularity=kept.granularity,
        close_ms=kept.close_ms,
        score=score,
        verdict=kept.verdict,
        notes=kept.notes,
        absent=kept.absent,
    )


def _engine(
    parts: Parts, name: str, resolved: ResolvedEngine | None, fault: str, mine: list[str]
) -> EngineShown:
    config = parts.profile.engines[name]
    shipped = plugins.load().engines.get(name)
    followed = [
        agent
        for agent in mine
        if agent in parts.profile.agents and name in (parts.profile.agents[agent].engines or [name])
    ]
    evaluators = [] if resolved is None else resolved.evaluators
    return EngineShown(
        engine=name,
        version=resolved.version if resolved else "",
        doc=shipped.doc if shipped else "",
        granularity=config.granularity,
        enabled=config.enabled,
        fault=fault,
        evaluators=[
            EvaluatorShown(
                name=each.evaluator.name,
                version=each.evaluator.version,
                weight=each.weight,
                required=each.required,
                tunables=each.tunables,
                reads=[
                    f"{one.key} {one.on}" if one.on else one.key
                    for one in each.evaluator.inputs.values()
                ],
                doc=each.evaluator.doc,
            )
            for each in evaluators
        ],
        long_threshold=config.long_threshold,
        short_threshold=config.short_threshold,
        cooldown=config.cooldown,
        sides=list(config.sides),
        symbols=config.symbols,
        freshness_s=config.freshness_s,
        stop_atr=config.stop_atr,
        target_atr=config.target_atr,
        config=resolved.hash if resolved else "",
        agents=followed,
    )


def _pump(state: PumpState) -> Pump:
    return Pump(
        symbol=state.symbol,
        pump=state.pump,
        both=state.both,
        since_ms=state.since_ms,
        change=state.change,
        volume_ratio=state.volume_ratio,
        at=state.at,
    )
