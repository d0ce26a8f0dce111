"""The search itself: asks trials of a study, has them made, tells them; then the one look."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from chandler.core.events import TrialTold
from chandler.replay.backtest import Past, backtest
from chandler.replay.optimise.scoring import WORST, score_of, scored
from chandler.replay.optimise.space import changes_of
from chandler.replay.optimise.walk import Walk, walk_forward
from chandler.streams.settings import Installation
from services.cli import interrupts
from services.cli.optimise.crews import Crew
from services.cli.optimise.store import Done, HeldOut, Study

Tell = Callable[[Done], None]


def pursue(study: Study, crew: Crew, trials: int, tell: Tell) -> None:
    """Until the study has `trials` finished ones, counting those from before."""
    parameters = study.plan.target.parameters
    asked: dict[int, dict[str, float]] = {}
    try:
        while len(study.done) < trials:
            interrupts.check()
            while study.flying < crew.size and len(study.done) + study.flying < trials:
                number, params = study.ask()
                asked[number] = params
                crew.give(number, changes_of(parameters, params), study.bars())
            for told in crew.take():
                if told.number not in asked:
                    continue  # told twice
                done = _done(told, asked.pop(told.number), study.plan.trades_min)
                if study.tell(done):
                    tell(done)
    finally:
        study.take_back()


def _done(told: TrialTold, params: dict[str, float], trades_min: int) -> Done:
    if told.refused:
        return Done(number=told.number, params=params, score=None, refused=told.refused)
    if told.stopped:
        return Done(
            number=told.number,
            params=params,
            score=None,
            standing=told.standing,
            trades=told.trades,
        )
    return Done(
        number=told.number,
        params=params,
        score=score_of(told.values, told.trades, trades_min),
        values=told.values,
        standing=told.standing,
        trades=told.trades,
        longest_ms=told.longest_ms,
        total_return=told.total_return,
        digest=told.digest,
    )


def winner(study: Study) -> Done | None:
    """The best trial that traded enough; the one that was looked with, if there was a look."""
    if study.held_out is not None:
        return study.done[study.held_out.trial]
    best = study.best()
    return best if best is not None and (best.score or 0.0) > WORST else None


def changes_of_trial(study: Study, done: Done) -> list[str]:
    """What it changed, as --set takes it."""
    return changes_of(study.plan.target.parameters, done.params)


def look(study: Study, best: Done, installation: Installation, past: Past, threads: int) -> HeldOut:
    """Tries the winner on what was held out. Who wins is written down before.

    It trades from the hold-out's start, with its first balance; indicators and guard are warm.
    """
    plan, held_out = study.plan, study.held_out
    window = plan.split.hold_out
    assert window is not None, "nothing is held out"
    interrupts.check()  # there is one look only
    if held_out is None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        held_out = HeldOut(trial=best.number, looked_at=now, score=best.score or 0.0)
        study.look(held_out)
    setting = plan.target.tried(installation, changes_of_trial(study, best)).setting
    past = msgspec.structs.replace(past, begin_ms=window.from_ms)
    result = backtest(setting, past, threads=threads, bars=False)
    found = scored(result, [window], plan.objective, plan.split.step_ms)
    held_out = msgspec.structs.replace(
        held_out,
        value=found.values[0],
        trades=found.trades,
        total_return=found.total_return,
    )
    study.look(held_out)
    return held_out


def walk_of(study: Study) -> Walk:
    """Walk-forward over all trials that traded enough."""
    counted = {
        each.number: each.values
        for each in study.done.values()
        if each.score is not None and each.score > WORST
    }
    return walk_forward(study.plan.split.folds, counted)


def refusals(study: Study) -> dict[str, int]:
    """Reason → trials that were refused for it."""
    found: dict[str, int] = {}
    for each in study.done.values():
        if each.refused:
            found[each.refused] = found.get(each.refused, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
