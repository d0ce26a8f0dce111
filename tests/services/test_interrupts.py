"""Ctrl-C in an instant in which Python drops a KeyboardInterrupt."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli import interrupts
from services.cli.app import main
from services.cli.optimise import crews
from services.exits import INTERRUPTED, WELL
from tests.services.test_optimise import command, stored, written

dropped = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Falling:
    """Interrupted in its destructor, whose exceptions Python ignores."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@dropped
def test_a_dropped_interrupt_is_found_where_it_is_looked_for() -> None:
    interrupts.listen()
    interrupts.check()

    Falling()

    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    interrupts.listen()
    interrupts.check()


def test_where_interrupts_are_ignored_they_stay_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupts.listen()
        os.kill(os.getpid(), signal.SIGINT)
        interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)


@dropped
@pytest.mark.parametrize("trials", [2, 1])  # with one it was the last: what is left is the look
def test_a_dropped_interrupt_spends_no_look_at_what_is_held_out(
    trials: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    take: Callable[[crews.Alone], Any] = crews.Alone.take

    def interrupted(crew: crews.Alone) -> Any:
        Falling()
        return take(crew)

    asked = command(written(tmp_path / "candles.csv"), trials, "--study", "s", "--processes", "1")
    with monkeypatch.context() as patched:
        patched.setattr(crews.Alone, "take", interrupted)
        assert main(asked) == INTERRUPTED
    said = capsys.readouterr().err
    between = stored("s")

    assert main(asked) in (WELL, 1)

    assert f"stopped, study s has 1 of {trials} trials: the same command goes on" in said
    assert len(between.done) == 1
    assert between.held_out is None
    assert len(stored("s").done) == trials
