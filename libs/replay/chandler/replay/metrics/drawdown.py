"""The deepest fall of an equity curve below what it had reached."""

import msgspec
import numpy as np

from chandler.replay.result import Floats, Ints


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """A fall from a peak; the greatest as a share of that peak."""

    depth: float  # below 0: -0.25 is a quarter of what the peak was
    start_ms: int  # of the peak
    trough_ms: int
    recovered_ms: int | None  # the first time at the peak's height again; None: never
    duration_ms: int  # from the peak to the recovery, or to the end


def deepest(at_ms: Ints, equity: Floats, start: float, start_ms: int) -> Drawdown | None:
    """min(equity / running maximum - 1), where the running maximum begins with `start`.

    None without samples, and where the curve never was below its maximum. The first of several
    equally deep ones. Agrees with empyrical's `max_drawdown` of the same samples' returns.
    """
    if not len(at_ms):
        return None
    times = np.concatenate(([start_ms], at_ms))
    values = np.concatenate(([start], equity))
    highest = np.maximum.accumulate(values)
    falls = values / highest - 1.0
    trough = int(np.argmin(falls))
    if not falls[trough] < 0.0:
        return None
    peak = int(np.argmax(values[: trough + 1]))
    later = np.flatnonzero(values[trough:] >= values[peak])
    recovered = int(times[trough + later[0]]) if len(later) else None
    end = recovered if recovered is not None else int(times[-1])
    return Drawdown(
        depth=float(falls[trough]),
        start_ms=int(times[peak]),
        trough_ms=int(times[trough]),
        recovered_ms=recovered,
        duration_ms=end - int(times[peak]),
    )
