"""Tries a trial: the profile with its changes, by a backtest over the in-sample candles."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

import chandler.replay
from chandler.core.evaluator import PluginError
from chandler.core.events import Instrument, Symbol, TrialTold
from chandler.core.hashing import digest
from chandler.replay.backtest import Past, Prepared, Running, Setting, shortest
from chandler.replay.dense.lanes import Lanes
from chandler.replay.optimise.scoring import parts_of, scored, standing
from chandler.replay.optimise.windows import Window
from chandler.replay.sparse.assumed import instrument
from chandler.replay.sparse.prices import of_candles
from chandler.streams.settings import Installation
from services import plugins
from services.cli.optimise.target import Target
from services.layers import ConfigurationError


class Task(NamedTuple):
    """What all trials of a study have in common; goes to each process once."""

    installation: Installation
    target: Target
    past: Past  # of the in-sample period alone
    windows: list[Window]
    objective: str
    step_ms: int
    threads: int
    study: str
    code: str
    data: str


class Trier:
    """Keeps the candles, and what can be kept between two backtests of them."""

    def __init__(self, task: Task) -> None:
        self._task, self._prepared = task, Prepared(task.past)

    def __call__(
        self, number: int, changes: Sequence[str], bars: Sequence[float | None] = ()
    ) -> TrialTold:
        """What comes of it; a profile that can't be is refused, with its reason.

        `bars`: looked at after each of the first parts; below one, it goes no further.
        """
        task = self._task
        told = TrialTold(
            study=task.study,
            run="",
            number=number,
            worker=str(os.getpid()),
            code=task.code,
            data=task.data,
        )
        try:
            setting = task.target.tried(task.installation, changes).setting
        except (ConfigurationError, PluginError) as error:
            return msgspec.structs.replace(told, refused=" ".join(str(error).split()))
        try:
            return self._tried(told, setting, bars)
        except Exception as error:  # whatever a plug-in's code does, the other trials go on
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return msgspec.structs.replace(told, refused=f"the backtest failed: {said}")

    def _tried(self, told: TrialTold, setting: Setting, bars: Sequence[float | None]) -> TrialTold:
        task = self._task
        running = Running(setting, self._prepared, threads=task.threads)
        so_far: list[float] = []
        for part, (window, bar) in enumerate(zip(parts_of(task.windows), bars, strict=False), 1):
            result = running.until(window.to_ms)
            so_far.append(standing(result, task.windows, part, task.objective, task.step_ms))
            if bar is not None and so_far[-1] < bar:
                return msgspec.structs.replace(
                    told, standing=so_far, stopped=True, trades=len(result.trades)
                )
        result = running.until(running.end_ms)
        found = scored(result, task.windows, task.objective, task.step_ms)
        return msgspec.structs.replace(told, standing=so_far, **msgspec.structs.asdict(found))


def until(past: Past, to_ms: int) -> Past:
    """What was known at `to_ms`: candles that were over, rates that were said.

    Where steps and sizes are assumed from prices, it is from those prices alone.
    """
    lanes: dict[Symbol, Lanes] = {}
    terms: dict[Symbol, Sequence[Instrument]] = {}
    for symbol, of in past.lanes.items():
        cut = {each: lane.between(0, to_ms) for each, lane in of.items()}
        cut = {each: lane for each, lane in cut.items() if len(lane.open_ms)}
        if not cut:
            continue
        lanes[symbol] = cut
        known = past.instruments[symbol]
        is_assumed = list(known) == [instrument(of_candles(shortest(of)))]
        terms[symbol] = [instrument(of_candles(shortest(cut)))] if is_assumed else known
    funding = {
        symbol: [each for each in rates if each.at <= to_ms]
        for symbol, rates in past.funding.items()
        if symbol in lanes
    }
    return msgspec.structs.replace(past, lanes=lanes, instruments=terms, funding=funding)


def data_hash(past: Past) -> str:
    """One hash over the candles, steps, fees and rates that a backtest reads."""
    parts: list[str | bytes] = []
    encode = msgspec.json.Encoder().encode
    for symbol in sorted(past.lanes):
        for granularity in sorted(past.lanes[symbol]):
            lane = past.lanes[symbol][granularity]
            arrays = (lane.open_ms, lane.open, lane.high, lane.low, lane.close, lane.volume)
            parts += [symbol, granularity, *(each.tobytes() for each in arrays)]
            parts.append(lane.missing.tobytes())
        parts.append(encode(past.instruments.get(symbol, ())))
        parts.append(encode(past.funding.get(symbol, ())))
    return digest(*parts)


def code_hash() -> str:
    """Over what decides (core and plug-ins) and what tries it (replay)."""
    folder = Path(next(iter(chandler.replay.__path__)))
    parts: list[str | bytes] = [plugins.code_hash()]
    for path in sorted(folder.rglob("*.py")):
        parts += [path.relative_to(folder).as_posix(), path.read_bytes()]
    return digest(*parts)


def config_of(setting: Setting) -> str:
    """Hash over engines and agents, as a backtest's origin has it."""
    return digest(*(each.hash for each in setting.engines), *(each.hash for each in setting.desks))
