"""`bench optimise`: what a search costs beside its backtests, its memory, and 200 trials in all.

Memory: a short recording of one coin, resident after 100 trials and after 1,000. Search: the
scalper over the file of `--candles` (default: the shipped recording), wall time. Optuna, pipes and
figures are what is left when the backtests' own seconds are taken away; one process for that.
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from chandler.exchanges.simulator.recording import SHIPPED
from chandler.replay.backtest import Running
from chandler.streams.settings import installation
from services.cli.optimise.crews import Alone, Processes
from services.cli.optimise.preparing import Wish, prepared
from services.cli.optimise.search import pursue
from services.past.sources import Period

MORE_MB_MAX = 20.0
SECONDS_MAX = 120.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb() -> float:
    """What this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


@contextmanager
def study(candles, symbols=(), period=None, folds=4, purge_ms=86_400_000):
    """A fresh one in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="chandler-bench-") as folder:
        base = installation({"CHANDLER_DATA": folder})
        wish = Wish(
            word="engine:scalper",
            profile="demo",
            changes=[],
            candles=[candles],
            period=period or Period(),
            symbols=symbols,
            objective="sharpe",
            folds=folds,
            hold_out=0.2,
            purge_ms=purge_ms,
            rolling=False,
            trades_min=1,
            stop_early=True,
            seed=1,
            study="",
        )
        with prepared(base, wish) as ready:
            yield base, ready


def memory(trials, days):
    """MB after a tenth of the trials and after all; ms of a trial beside its backtest."""
    with study(SHIPPED, ["BTCUSDT"], folds=2, purge_ms=0) as (_, ready):
        first_ms = ready.study.plan.split.in_sample.from_ms
    period = Period(first_ms, first_ms + days * 86_400_000)
    with study(SHIPPED, ["BTCUSDT"], period, folds=2, purge_ms=0) as (base, ready):
        spent = timed_backtests()
        crew = Alone(ready.task(base, 1))
        pursue(ready.study, crew, 1, lambda _: None)  # compiles
        spent.clear()
        begun, cpu = time.perf_counter(), time.process_time()
        pursue(ready.study, crew, trials // 10, lambda _: None)
        early = resident_mb()
        pursue(ready.study, crew, trials, lambda _: None)
        late = resident_mb()
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        own = sum(wall_s for wall_s, _ in spent), sum(cpu_s for _, cpu_s in spent)
    made = trials - 1
    print(
        f"trials={made} seconds={wall:.1f} trial_ms={1e3 * wall / made:.1f} "
        f"beside_ms={1e3 * (wall - own[0]) / made:.1f} "
        f"beside_cpu_ms={1e3 * (cpu - own[1]) / made:.1f}"
    )
    print(f"memory_mb after {trials // 10}: {early:.1f}, after {trials}: {late:.1f}")
    return late - early <= MORE_MB_MAX


def timed_backtests():
    """Wall and CPU seconds of each part of a backtest from now on."""
    spent = []

    def timed(part):
        def measured(*args, **options):
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return part(*args, **options)
            finally:
                spent.append((time.perf_counter() - wall, time.process_time() - cpu))

        return measured

    for name in ("__init__", "until"):
        setattr(Running, name, timed(getattr(Running, name)))
    return spent


def search(candles, trials, processes):
    """Trials of the scalper over all of the file."""
    begun = time.perf_counter()
    with study(candles) as (base, ready):
        read = time.perf_counter() - begun
        size = processes or len(os.sched_getaffinity(0))
        task = ready.task(base, 1)
        crew = Alone(task) if size == 1 else Processes(task, size, print)
        try:
            pursue(ready.study, crew, trials, lambda _: None)
        finally:
            crew.close()
        whole = time.perf_counter() - begun
        best = ready.study.best()
        stopped = sum(each.stopped for each in ready.study.done.values())
        symbols = len(ready.sample.lanes)
    print(
        f"search: {trials} trials over {symbols} symbols, {size} processes: seconds={whole:.1f} "
        f"(reading {read:.1f}) trials/s={trials / whole:.2f} stopped={stopped} "
        f"best={best.score:.3f} trades={best.trades}"
    )
    return trials != 200 or whole < SECONDS_MAX


def main():
    """1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="bench optimise")
    parser.add_argument("--candles", type=Path, default=SHIPPED)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--memory-trials", type=int, default=1_000, help="0: leave it out")
    parser.add_argument("--memory-days", type=int, default=3)
    given = parser.parse_args()
    well = search(given.candles, given.trials, given.processes) if given.trials else True
    if given.memory_trials:
        well = memory(given.memory_trials, given.memory_days) and well
    return 0 if well else 1
