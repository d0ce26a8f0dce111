"""UTC days and months of an equity curve.

A sample is a candle's close, the end of a slot: the one at midnight is the last of the day that
ends there. So a day holds the times in (00:00, 24:00].
"""

from datetime import UTC, datetime
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from chandler.core.granularity import DAY_MS
from chandler.replay.result import Floats, Ints

Month = NewType("Month", str)  # "2024-01"


def day_of(at_ms: int) -> int:
    """Days since 1970, UTC; midnight ends a day."""
    return (at_ms - 1) // DAY_MS


def month_of(at_ms: int) -> Month:
    """The month in which the time's day lies."""
    return Month(day_named(day_of(at_ms))[:7])


def day_named(day: int) -> str:
    """2024-01-31"""
    return f"{datetime.fromtimestamp(day * DAY_MS / 1_000, UTC):%Y-%m-%d}"


def daily(at_ms: Ints, equity: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The days from the first sample to the last, and the last equity of each.

    A day without a sample repeats the one before: a year has 365 days whatever was recorded.
    Both are empty where there is no sample.
    """
    if not len(at_ms):
        return np.empty(0, np.int64), np.empty(0)
    days = (at_ms - 1) // DAY_MS
    calendar = np.arange(days[0], days[-1] + 1)
    last = np.searchsorted(days, calendar, side="right") - 1
    return calendar, equity[last]


def monthly(days: NDArray[np.int64], closes: Floats, start: float) -> dict[Month, float]:
    """Return of each month: its last daily equity by the last one before it, less 1.

    The first month's is against `start`; the first and the last may be parts of a month.
    """
    found: dict[Month, float] = {}
    before, last = start, start
    current: Month | None = None
    for day, close in zip(days.tolist(), closes.tolist(), strict=True):
        month = Month(day_named(day)[:7])
        if month != current:
            before, current = last, month
        last = close
        found[month] = last / before - 1.0
    return found
