"""The venue's clock: recorded time that runs `speed` times as fast as the wall's.

It stands still while the simulator is down and never goes back: no time is shown to anyone
before a place behind it is on disk.
"""

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from chandler.exchanges.simulator.config import SPEED_MAX, SPEED_MIN, SimulatorError

RESERVE_S = 1.0  # wall seconds between two writes; after a kill -9 time goes on that far ahead


class VenueClock:
    """Venue time in ms."""

    def __init__(
        self,
        file: Path | None,
        start_ms: int,
        speed: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Goes on at the place in `file`, or at `start_ms` if that is later or there is none."""
        self._file = file
        self._monotonic = monotonic
        saved = _saved(file)
        self.resumed = saved is not None and saved >= start_ms
        self._speed = _checked(speed)
        self._from_ms = float(max(start_ms, saved if saved is not None else start_ms))
        self._from_wall = monotonic()
        self._last_ms = math.floor(self._from_ms)
        self._reserved_ms = self._last_ms - 1

    @property
    def speed(self) -> float:
        """Venue seconds per wall second."""
        return self._speed

    def now(self) -> int:
        """Venue time, ms; never less than what was returned before, also over restarts."""
        elapsed = (self._monotonic() - self._from_wall) * self._speed
        now = max(self._last_ms, math.floor(self._from_ms + elapsed * 1000))
        if now > self._reserved_ms:
            self._reserve(now + math.ceil(RESERVE_S * self._speed * 1000))
        self._last_ms = now
        return now

    def set_speed(self, speed: float) -> None:
        """Runs on at another speed."""
        checked = _checked(speed)
        self._rebase(self.now())
        self._speed = checked

    def advance(self, to_ms: int) -> None:
        """Jumps forward to `to_ms`; SimulatorError if that is in the past."""
        now = self.now()
        if to_ms < now:
            raise SimulatorError(f"the clock is at {now} and doesn't go back to {to_ms}")
        self._rebase(to_ms)

    def wall_until(self, at_ms: int) -> float:
        """Wall seconds from now to `at_ms`; negative if that is over."""
        elapsed = (self._monotonic() - self._from_wall) * self._speed
        return (at_ms - self._from_ms - elapsed * 1000) / 1000 / self._speed

    def close(self) -> None:
        """Writes the exact place down, so that the next start goes on right here."""
        self._reserve(self.now())

    def _rebase(self, at_ms: int) -> None:
        self._from_ms = float(at_ms)
        self._from_wall = self._monotonic()

    def _reserve(self, at_ms: int) -> None:
        if self._file is not None:
            draft = self._file.with_suffix(".draft")
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                draft.write_text(json.dumps({"now_ms": at_ms}))
                os.replace(draft, self._file)
            except OSError as error:  # a full disk's names no file
                said = f"{error.strerror}: the simulator's clock needs room there to go on"
                raise OSError(error.errno, said, str(self._file)) from None
        self._reserved_ms = at_ms


def _checked(speed: float) -> float:
    if not SPEED_MIN <= speed <= SPEED_MAX:
        raise SimulatorError(f"speed is {speed:g}: expected {SPEED_MIN:g} to {SPEED_MAX:g}")
    return float(speed)


def _saved(file: Path | None) -> int | None:
    if file is None or not file.exists():
        return None
    try:
        return int(json.loads(file.read_text())["now_ms"])
    except (ValueError, KeyError, TypeError) as error:
        raise SimulatorError(
            f"{file} should hold the venue's time and can't be read ({error}): "
            "restore it, or delete it together with the candles' topics to begin anew"
        ) from None
