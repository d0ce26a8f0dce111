"""Granularities: how long a candle is, and which slot a time falls into.

Bitget's words (1m 5m 15m 30m 1H 4H 1D). All of them align to the UTC epoch.
"""

from datetime import UTC, datetime
from typing import NewType

Granularity = NewType("Granularity", str)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

INTERVAL_MS: dict[Granularity, int] = {
    Granularity("1m"): MINUTE_MS,
    Granularity("5m"): 5 * MINUTE_MS,
    Granularity("15m"): 15 * MINUTE_MS,
    Granularity("30m"): 30 * MINUTE_MS,
    Granularity("1H"): HOUR_MS,
    Granularity("4H"): 4 * HOUR_MS,
    Granularity("1D"): DAY_MS,
}


def parse_granularity(text: str) -> Granularity:
    """The granularity called `text`; ValueError names the ones that exist."""
    granularity = Granularity(text)
    if granularity not in INTERVAL_MS:
        known = " ".join(INTERVAL_MS)
        raise ValueError(f"unknown granularity {text!r}: expected one of {known}")
    return granularity


def interval_ms(granularity: Granularity) -> int:
    """Length of a candle, ms."""
    return INTERVAL_MS[granularity]


def slot_open(at_ms: int, granularity: Granularity) -> int:
    """Open time of the slot that holds `at_ms`, ms."""
    interval = INTERVAL_MS[granularity]
    return at_ms - at_ms % interval


def last_close(at_ms: int, granularity: Granularity) -> int:
    """Close time of the newest slot that is over at `at_ms` (DESIGN: "the exact slot"), ms."""
    return slot_open(at_ms, granularity)


def by_length(granularities: frozenset[Granularity] | set[Granularity]) -> list[Granularity]:
    """Shortest first."""
    return sorted(granularities, key=INTERVAL_MS.__getitem__)


def utc(at_ms: int) -> str:
    """The time for people: 2024-01-03 10:05 (seconds only where there are any)."""
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
