"""Machine code is made once: that it is being made is told, that it is there is not."""

from pathlib import Path

import pytest

from chandler.replay.dense.native import cache_in, compiling, config, machine
from services.cli.backtest.command import COMPILING, _bar


def doubled(number: float) -> float:
    """In a file of the tests, so that its machine code can be kept."""
    return 2.0 * number


def halved(number: float) -> float:
    return number / 2.0


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of machine code."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    cache_in(tmp_path, "code")


def test_compiling_is_told_once_and_what_is_kept_is_not_told() -> None:
    told: list[str] = []
    for name in ("first", "again"):
        with compiling(lambda name=name: told.append(name)):  # type: ignore[misc]
            assert machine(doubled)(2.0) == 4.0
            assert machine(doubled)(3.0) == 6.0

    assert told == ["first"]


def test_a_pipe_is_told_of_compiling_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A first backtest took 94 s without a word where there was no terminal."""
    with _bar(quiet=True):
        machine(doubled)(2.0)
        machine(halved)(2.0)

    found = capsys.readouterr()
    assert found.err.splitlines() == [COMPILING]
    assert found.out == ""
