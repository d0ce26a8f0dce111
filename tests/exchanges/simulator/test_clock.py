"""The venue's clock runs at its speed, stands still while it is down and never goes back."""

import shutil
from pathlib import Path

import pytest

from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.config import SimulatorError


class Wall:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


def test_it_runs_as_fast_as_its_speed(wall: Wall) -> None:
    clock = VenueClock(None, 5000, 60, wall)
    wall.s += 2

    assert clock.now() == 5000 + 120_000
    assert clock.wall_until(5000 + 180_000) == pytest.approx(1.0)


def test_after_a_stop_it_goes_on_where_it_stood(wall: Wall, file: Path) -> None:
    clock = VenueClock(file, 5000, 60, wall)
    wall.s += 10
    clock.close()
    wall.s += 1000

    again = VenueClock(file, 5000, 60, wall)

    assert again.now() == 5000 + 600_000
    assert again.resumed


def test_after_a_kill_it_is_never_before_what_anyone_saw(wall: Wall, file: Path) -> None:
    clock = VenueClock(file, 5000, 300, wall)
    for _ in range(50):
        wall.s += 0.37
        seen = clock.now()

        left = shutil.copy(file, file.with_suffix(".left"))
        again = VenueClock(Path(left), 5000, 300, wall)

        assert seen <= again.now() <= seen + 300_000


def test_a_later_start_wins_over_the_kept_place(wall: Wall, file: Path) -> None:
    VenueClock(file, 5000, 1, wall).close()

    assert VenueClock(file, 900_000, 1, wall).now() == 900_000


def test_another_speed_does_not_move_the_time(wall: Wall) -> None:
    clock = VenueClock(None, 0, 60, wall)
    wall.s += 1
    clock.set_speed(3600)

    assert clock.now() == 60_000
    wall.s += 1
    assert clock.now() == 60_000 + 3_600_000


def test_it_jumps_forward_and_refuses_to_go_back(wall: Wall) -> None:
    clock = VenueClock(None, 0, 1, wall)
    clock.advance(7000)

    assert clock.now() == 7000
    with pytest.raises(SimulatorError, match="doesn't go back"):
        clock.advance(6999)


@pytest.mark.parametrize("speed", [0, 0.5, 3601, float("nan")])
def test_a_speed_out_of_range_is_refused(speed: float) -> None:
    with pytest.raises(SimulatorError, match="expected 1 to 3600"):
        VenueClock(None, 0, speed)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"now_ms": "soon"}'])
def test_a_broken_file_is_named_in_one_line(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(SimulatorError, match=str(file)) as raised:
        VenueClock(file, 0, 1)
    assert "\n" not in str(raised.value)


def test_a_disk_without_room_is_named(wall: Wall, tmp_path: Path) -> None:
    """It said `No space left on device`, and not where."""
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be")

    with pytest.raises(OSError, match=r"clock needs room there to go on: '.*taken/clock.json'"):
        VenueClock(taken / "clock.json", 0, 1, wall).now()
