"""Named points at which a process ends or freezes itself, for chaos runs.

CHANDLER_CHAOS_POINT=commit.before:3 kills it the third time that it gets there,
stop:commit.after freezes it. Without the variable nothing happens at any of them.
"""

import os
import signal
from collections.abc import Mapping

VARIABLE = "CHANDLER_CHAOS_POINT"
POINTS = tuple(
    f"{name}.{when}"
    for name in ("begin", "journal", "commit", "request", "reply", "fill")
    for when in ("before", "after")
)
# Of the notifier: before a message is handed to its channel, and when the channel has answered and
# nobody has heard it yet.
OF_MESSAGES = ("message.before", "message.after")


class PointError(ValueError):
    """The variable names no point: one line."""


class Points:
    """Counts the passes of one point; `end` gets the signal of the nth."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        text = environ.get(VARIABLE, "")
        self._signal = signal.SIGSTOP if text.startswith("stop:") else signal.SIGKILL
        self.name, _, nth = text.removeprefix("stop:").partition(":")
        if self.name and (self.name not in (*POINTS, *OF_MESSAGES) or not (nth or "1").isdigit()):
            raise PointError(
                f"{VARIABLE} is {text!r}: expected [stop:]NAME[:N] with a name out of "
                + " ".join((*POINTS, *OF_MESSAGES))
            )
        self._left = int(nth or "1")

    def passed(self, name: str) -> int | None:
        """Counts a pass; the signal that it is time for, if any."""
        if name != self.name:
            return None
        self._left -= 1
        return self._signal if self._left == 0 else None


_points = Points()


def armed(stem: str) -> bool:
    """Whether a point of this stem ("commit", "commit.after") will end the process."""
    return bool(_points.name) and _points.name.startswith(stem)


def point(name: str) -> None:
    """A place where the process may end."""
    number = _points.passed(name)
    if number is not None:
        os.kill(os.getpid(), number)
