"""Times of candles: in which unit they are, and how far apart."""

from typing import NamedTuple

import numpy as np

from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.replay.history.sheet import HistoryError, Integers

FIRST_MS, LAST_MS = 1_230_768_000_000, 4_102_444_800_000  # 2009 to 2100


class Unit(NamedTuple):
    """What a number counts since 1970."""

    name: str
    times: int  # how many milliseconds it is; negative: how many there are in one


UNITS = (
    Unit("milliseconds", 1),
    Unit("seconds", 1_000),
    Unit("microseconds", -1_000),
    Unit("nanoseconds", -1_000_000),
)


def milliseconds(times: Integers) -> tuple[Integers, str]:
    """The times in ms and the name of the unit that they were in.

    HistoryError where no unit puts all of them between 2009 and 2100.
    """
    least, most = int(times.min()), int(times.max())
    for unit in UNITS:
        first, last = (_in(unit, edge) for edge in (FIRST_MS, LAST_MS))
        if first <= least and most < last:
            if unit.times > 0:
                return times * unit.times, unit.name
            if (times % -unit.times).any():
                raise HistoryError(
                    f"its times look like {unit.name} with fractions of a millisecond, such as "
                    f"{int(times[(times % -unit.times) != 0][0])}: expected times on the grid"
                )
            return times // -unit.times, unit.name
    raise HistoryError(
        f"its times go from {least} to {most}: expected seconds, milliseconds, microseconds or "
        "nanoseconds since 1970, all in one unit and from 2009 on: correct them"
    )


def _in(unit: Unit, at_ms: int) -> int:
    return at_ms // unit.times if unit.times > 0 else at_ms * -unit.times


def spacing(opens: Integers, codes: Integers) -> Granularity | int | None:
    """The commonest distance between neighbours of a symbol: a granularity, or ms if it is none.

    None where no symbol has two rows. `codes` tells the symbols apart; empty: it is one.
    """
    order = np.lexsort((opens, codes)) if len(codes) else np.argsort(opens, kind="stable")
    steps = np.diff(opens[order])
    same = steps > 0
    if len(codes):
        same &= np.diff(codes[order]) == 0
    steps = steps[same]
    if not len(steps):
        return None
    lengths, counts = np.unique(steps, return_counts=True)
    commonest = int(lengths[counts.argmax()])
    known = {interval: granularity for granularity, interval in INTERVAL_MS.items()}
    return known.get(commonest, commonest)


def length_text(ms: int) -> str:
    """A distance for people: 90s, 10m, 2h."""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"
