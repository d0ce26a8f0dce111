"""`check-causal [MODULE]`: no evaluator may know of a candle that hasn't closed yet."""

import math
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from chandler.core.engine import ResolvedEngine, resolve
from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.exchanges.simulator.recording import SHIPPED, SLOT_MS, Tape, read_recording
from chandler.replay.causal import Report, check
from chandler.replay.forbidden import forbidden
from services import plugins
from services.layers import root

SYMBOLS = 2
CANDLES = 2_304  # of each symbol: eight days, so that a 4H indicator over 30 candles is warm


def check_causal(
    module: Annotated[
        str | None, typer.Argument(help="A module, or a .py file. Without: every plug-in.")
    ] = None,
    candles: Annotated[
        Path | None, typer.Option(help="5m candles, Parquet or CSV. Without: the shipped ones.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check that no evaluator looks ahead: its decisions over the first candles stand."""
    chosen = _chosen(module)
    recording = read_recording(candles or SHIPPED, SYMBOLS, 1)
    lanes = {Symbol(each.symbol): sealed(recording.origin_ms, each) for each in recording.tapes}
    report = _report(chosen, lanes)
    if json:
        typer.echo(msgspec.json.encode(report._asdict()).decode())
    else:
        for line in (*chosen.faults, *report.violations, *report.unchecked):
            typer.echo(line)
        typer.echo(
            f"evaluators={report.evaluators} engines={report.engines} "
            f"decisions={report.decisions} violations={len(report.violations)}"
            + (f" unchecked={len(report.unchecked)}" if report.unchecked else "")
        )
    if report.violations or report.unchecked or not report.decisions:
        raise typer.Exit(1)


def _chosen(module: str | None) -> plugins.Plugins:
    if module is None:
        return plugins.load()
    if module.endswith(".py") or Path(module).is_file():
        return plugins.load_one(Path(module))
    for place in (Path(module), root() / module):
        if (single := place / f"{place.name}.py").is_file():
            return plugins.load_one(single)
    return plugins.load_module(module)


def _report(chosen: plugins.Plugins, candles: dict[Symbol, list[CandleSealed]]) -> Report:
    known = {**plugins.load().evaluators, **chosen.evaluators}
    engines: list[ResolvedEngine] = [
        resolve(engine.name, engine.version, engine.config, known)
        for engine in chosen.engines.values()
    ]
    found = check(list(chosen.evaluators.values()), engines, candles)
    return found._replace(violations=[*_sources(chosen), *found.violations])


def _sources(chosen: plugins.Plugins) -> list[str]:
    """What the sources of the plug-ins do that they may not."""
    lines = []
    for source in chosen.sources:
        files = plugins.files(source.path)
        own = {source.module, *(Path(name).stem for name, _ in files)}
        for name, raw in files:
            if not Path(name).name.startswith(("test_", "conftest")):
                found = forbidden(raw.decode(), own=own)
                lines += [f"plug-in {source.name}, {name} {line}" for line in found]
    return lines


def sealed(origin_ms: int, tape: Tape) -> list[CandleSealed]:
    """The tape's first candles, up to a gap."""
    found: list[CandleSealed] = []
    for slot in range(tape.first, min(len(tape.open), tape.first + CANDLES)):
        if math.isnan(tape.open[slot]):
            break
        found.append(
            CandleSealed(
                symbol=Symbol(tape.symbol),
                granularity=Granularity("5m"),
                open_ms=origin_ms + slot * SLOT_MS,
                open=tape.open[slot],
                high=tape.high[slot],
                low=tape.low[slot],
                close=tape.close[slot],
                volume=tape.volume[slot],
                quote_volume=tape.volume[slot] * tape.close[slot],
            )
        )
    return found
