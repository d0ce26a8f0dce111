"""Fewer points for the same picture: extremes stay, what lies between them goes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.replay.result import Floats

LENGTHS_MS = (
    *(MINUTE_MS * minutes for minutes in (1, 5, 15, 30)),
    *(HOUR_MS * hours for hours in (1, 2, 4, 6, 12, 24, 48)),
)
POINTS_A_BUCKET = 4  # first, least, greatest, last


def thinned(values: Floats, points_max: int) -> NDArray[np.int64]:
    """Ascending indices of at most `points_max` values (≥ 8) that draw the same curve.

    All where they are few enough; else of each of equal buckets the first, the least, the greatest
    and the last, so that no peak and no trough is lost.
    """
    assert points_max >= 2 * POINTS_A_BUCKET, f"{points_max} points cannot draw a curve"
    if len(values) <= points_max:
        return np.arange(len(values))
    buckets = points_max // POINTS_A_BUCKET
    edges = np.linspace(0, len(values), buckets + 1).astype(np.int64)
    kept = set()
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[begin:end]
        kept |= {begin, end - 1, begin + int(part.argmin()), begin + int(part.argmax())}
    return np.array(sorted(kept), dtype=np.int64)


def merged(bars: dict[str, Any], bars_max: int) -> tuple[dict[str, Any], int]:
    """At most about `bars_max` longer candles, and how long they are, ms (0: no candles).

    Several neighbours become one: the first's open, the greatest high, the least low, the last's
    close. The slots are multiples of the shortest one's length, aligned to the UTC epoch; gaps
    stay gaps.
    """
    open_ms = np.asarray(bars["open_ms"], dtype=np.int64)
    if not len(open_ms):
        return {**bars, "open_ms": open_ms}, 0
    step_ms = int(np.diff(open_ms).min()) if len(open_ms) > 1 else 60_000
    if len(open_ms) <= bars_max:
        return {**bars, "open_ms": open_ms}, step_ms
    length_ms = _length_ms(step_ms, int(open_ms[-1] - open_ms[0] + step_ms), bars_max)
    slots = open_ms // length_ms
    starts = np.flatnonzero(np.concatenate(([True], slots[1:] != slots[:-1])))
    ends = np.concatenate((starts[1:], [len(slots)])) - 1
    return {
        "open_ms": slots[starts] * length_ms,
        "open": np.asarray(bars["open"])[starts],
        "high": np.maximum.reduceat(np.asarray(bars["high"]), starts),
        "low": np.minimum.reduceat(np.asarray(bars["low"]), starts),
        "close": np.asarray(bars["close"])[ends],
    }, length_ms


def _length_ms(step_ms: int, span_ms: int, bars_max: int) -> int:
    """The shortest length that fits: one that people know, else a multiple of the step."""
    least = span_ms / bars_max
    fitting = (each for each in LENGTHS_MS if each >= least and each % step_ms == 0)
    return next(fitting, -(-span_ms // (step_ms * bars_max)) * step_ms)
