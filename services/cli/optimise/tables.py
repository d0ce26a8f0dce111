"""A study as people see it."""

from rich.console import Console

from chandler.core.granularity import HOUR_MS, utc
from chandler.replay.optimise.space import Parameter
from services.cli.desk.columns import table
from services.cli.optimise.report import Outcome
from services.cli.optimise.store import Done


def show(wide: Console, found: Outcome, parameters: list[Parameter]) -> None:
    """Parameters, folds, refusals, the winner."""
    best = found.winner
    chosen = table(("parameter",), ("as it is", "found", "from", "to"))
    for each in parameters:
        value = "-" if best is None else f"{each.applied(best.params[each.path]):.4g}"
        chosen.add_row(each.path, f"{each.now:.4g}", value, f"{each.low:.4g}", f"{each.high:.4g}")
    wide.print(chosen)
    folds = table(("train from", "to", "test from", "to"), ("trial", "train", "test", "best test"))
    for one in found.walk.folds:
        train, test = one.fold.train, one.fold.test
        windows = (train.from_ms, train.to_ms, test.from_ms, test.to_ms)
        numbers = (f"{one.train:.3f}", f"{one.test:.3f}", f"{one.best_test:.3f}")
        folds.add_row(*map(utc, windows), str(one.trial), *numbers)
    wide.print(folds)
    for reason, count in found.refused.items():
        wide.print(f"refused: {count} trials: {reason}", markup=False)
    if found.stopped:
        wide.print(f"stopped early, below the middle of the others: {found.stopped} trials")
    if found.idle:
        wide.print(f"too few trades: {found.idle} trials")
    if not found.trials:
        wide.print("no trial is finished yet: run it again to go on")
        return
    wide.print(f"as it is: {_told(found.as_it_is)}")
    wide.print(f"winner:   {_told(best)}")
    if best is not None and best.total_return <= 0:
        wide.print("the winner gains nothing in its own sample: don't trade by it")
    if best is not None and best.longest_ms > found.purge_ms:
        wide.print(
            f"its longest trade was open for {best.longest_ms / HOUR_MS:.1f} h, longer than the "
            f"purge gap of {found.purge_ms / HOUR_MS:g} h: take a larger --purge"
        )
    looked = found.held_out
    if looked is not None and looked.value is not None:
        assert found.hold_out is not None
        period = " to ".join(map(utc, found.hold_out))
        wide.print(
            f"held out, {period}: {found.objective} {looked.value:.3f}, return "
            f"{looked.total_return:+.2%}, {looked.trades} trades; looked at once, "
            f"{looked.looked_at}"
        )


def line(found: Outcome) -> str:
    """For scripts that read the last line."""
    efficiency = "-" if found.walk.efficiency is None else f"{found.walk.efficiency:.3f}"
    looked = found.held_out
    held = "-" if looked is None or looked.value is None else f"{looked.value:.4f}"
    best = "-" if found.winner is None else f"{found.winner.score:.4f}"
    number = "-" if found.winner is None else str(found.winner.number)
    return (
        f"trials={found.trials} refused={sum(found.refused.values())} stopped={found.stopped} "
        f"winner={number} best={best} efficiency={efficiency} held_out={held} study={found.study}"
    )


def _told(done: Done | None) -> str:
    if done is None:
        return "none: no trial traded enough, take more candles or a smaller --trades-min"
    if done.score is None:
        return f"trial {done.number} was refused: {done.refused}"
    return (
        f"trial {done.number}: score {done.score:.3f}, return {done.total_return:+.2%}, "
        f"{done.trades} trades"
    )
