"""How a service knows that its last life did not end well."""

import os
from pathlib import Path

import pytest

from chandler.streams.settings import Installation, installation
from services.watchdog.life import FOLDER, UNSAID, Life

BORN_MS = 1_700_000_000_000


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return installation({"CHANDLER_DATA": str(tmp_path)})


def killed(here: Installation, name: str, at_ms: int = BORN_MS) -> None:
    """A life whose process went without a word: its lock goes with it."""
    life = Life(here, name)
    life.begin()
    os.close(life._file)
    os.utime(here.data / FOLDER / name, (at_ms / 1_000, at_ms / 1_000))


def test_a_first_life_has_none_before_it(here: Installation) -> None:
    assert Life(here, "executor").begin() is None


def test_who_was_killed_left_the_time_of_the_last_beat(here: Installation) -> None:
    killed(here, "executor")

    before = Life(here, "executor").begin()

    assert before is not None
    assert before == (BORN_MS, UNSAID)
    assert before.recovered(BORN_MS + 41_000) == f"41 s after it {UNSAID}"


def test_who_failed_left_the_reason(here: Installation) -> None:
    life = Life(here, "executor")
    life.begin()
    life.end("ended with exit 1: StateError")

    before = Life(here, "executor").begin()

    assert before is not None
    assert before.why == "ended with exit 1: StateError"


def test_who_was_asked_to_end_needs_no_recovery(here: Installation) -> None:
    killed(here, "executor")
    life = Life(here, "executor")
    life.begin()
    life.beat()
    life.end()

    assert Life(here, "executor").begin() is None


def test_a_beat_moves_the_time(here: Installation) -> None:
    life = Life(here, "executor")
    life.begin()
    file = here.data / FOLDER / "executor"
    os.utime(file, (1.0, 1.0))

    life.beat()

    assert file.stat().st_mtime > 1_000.0


def test_a_neighbour_that_lives_is_no_predecessor(here: Installation) -> None:
    """Two of a name with one data directory: the second may not say that the first has died."""
    first = Life(here, "executor")
    first.begin()

    second = Life(here, "executor")

    assert second.begin() is None
    second.end("ended with exit 1: StateError")
    first.end()
    assert Life(here, "executor").begin() is None


def test_a_data_directory_that_can_not_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    life = Life(installation({"CHANDLER_DATA": str(tmp_path / "data")}), "executor")

    assert life.begin() is None
    life.beat()
    life.end()
