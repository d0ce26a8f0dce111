"""Rows that no candle can be: which of them, what is wrong with the first, and what to do."""

import numpy as np
import numpy.typing as npt

from chandler.core.granularity import utc
from chandler.core.indicators.compute import PRICE_MAX, VOLUME_MAX
from chandler.replay.history.sheet import PRICES, HistoryError, Integers

NAMES = (*PRICES, "volume", "quote volume")


def possible(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """For each row whether core's `check` passes it and its quote volume is a number ≥ 0."""
    opened, high, low, close, volume, quote = values.T
    # Each comparison is False for NaN too.
    right: npt.NDArray[np.bool_] = (
        (low > 0.0)
        & (low <= high)
        & (high <= PRICE_MAX)
        & (low <= opened)
        & (opened <= high)
        & (low <= close)
        & (close <= high)
        & (volume >= 0.0)
        & (volume <= VOLUME_MAX)
        & (quote >= 0.0)
        & (quote <= VOLUME_MAX * PRICE_MAX)
    )
    return right


def check_values(times: Integers, values: npt.NDArray[np.float64]) -> None:
    """HistoryError unless each row of a symbol can be a candle. `times`: open times in ms."""
    wrong = ~possible(values)
    count = int(wrong.sum())
    if not count:
        return
    first = int(np.flatnonzero(wrong)[0])
    what, is_order = wrong_with(values[first].tolist())
    cure = "correct it or leave the row out"
    if is_order and count > len(times) // 2:
        cure = "are its columns in another order than open, high, low, close, volume?"
    raise HistoryError(
        f"{count} of {len(times)} candles can't be, the first {utc(int(times[first]))} whose "
        f"{what}: {cure}"
    )


def wrong_with(row: list[float]) -> tuple[str, bool]:
    """What is wrong with an impossible row; whether its values would be right in another order."""
    named = dict(zip(NAMES, row, strict=True))
    for name, value in named.items():
        most = {"volume": VOLUME_MAX, "quote volume": VOLUME_MAX * PRICE_MAX}.get(name, PRICE_MAX)
        if np.isnan(value):
            return f"{name} is empty or NaN", False
        if name in PRICES and value <= 0.0:
            return f"{name} {value} is not above 0", False
        if value < 0.0:
            return f"{name} {value} is below 0", False
        if value > most:
            return f"{name} {value} is above {most:g}", False
    high, low = named["high"], named["low"]
    for name in ("low", "open", "close"):
        if named[name] > high:
            return f"high {high} is below {name} {named[name]}", True
    for name in ("open", "close"):
        if named[name] < low:
            return f"low {low} is above {name} {named[name]}", True
    raise AssertionError(f"a candle that can be: {row}")
