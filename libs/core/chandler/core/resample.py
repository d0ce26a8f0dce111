"""Longer candles out of shorter ones, by one fixed rule.

The simulator serves its longer granularities with it and the audit checks against it, so both
add volumes up in the same order and agree to the last bit.
"""

from collections.abc import Iterable
from typing import NamedTuple

from chandler.core.granularity import Granularity, interval_ms


class Bar(NamedTuple):
    """A candle as numbers: no symbol, no granularity."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float  # base coin
    quote_volume: float  # quote coin


def typical_quote_volume(high: float, low: float, close: float, volume: float) -> float:
    """Quote volume where only the base volume is recorded: volume times the typical price."""
    return volume * ((high + low + close) / 3.0)


def joined(bar: Bar, following: Bar) -> Bar:
    """`bar` continued by `following`, with the open time and the open of `bar`."""
    return Bar(
        bar.open_ms,
        bar.open,
        following.high if following.high > bar.high else bar.high,
        following.low if following.low < bar.low else bar.low,
        following.close,
        bar.volume + following.volume,
        bar.quote_volume + following.quote_volume,
    )


def resample(rows: Iterable[Bar], granularity: Granularity) -> list[Bar]:
    """Candles of `granularity` from shorter ones, ascending; one for each slot that has any.

    Volumes are summed as floats from left to right, ((a + b) + c) + …, starting at the slot's
    first row, never through an intermediate granularity: float addition isn't associative, so
    4H of 5m differs from 4H of 1H in the last bits. A slot with holes is made of what is there.
    """
    return resample_by(rows, interval_ms(granularity), 0)


def resample_by(rows: Iterable[Bar], interval: int, anchor_ms: int) -> list[Bar]:
    """As `resample`, for slots of `interval` ms that begin at `anchor_ms` past its multiples."""
    bars: list[Bar] = []
    current: Bar | None = None
    for row in rows:
        open_ms = row.open_ms - (row.open_ms - anchor_ms) % interval
        if current is not None and current.open_ms == open_ms:
            current = joined(current, row)
            continue
        if current is not None:
            bars.append(current)
        current = row._replace(open_ms=open_ms)
    if current is not None:
        bars.append(current)
    return bars
