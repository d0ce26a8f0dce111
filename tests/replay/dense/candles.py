"""Lanes for tests, out of seeded candles."""

from collections.abc import Iterable

import numpy as np

from chandler.core.events import Candle, CandleSealed
from chandler.replay.dense.lanes import Lane, lane


def lane_of(candles: Iterable[Candle]) -> Lane:
    """The candles of one symbol and granularity, missing slots among them."""
    rows = list(candles)
    numbers = {
        name: [getattr(each, name, 0.0) for each in rows]
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    return lane(
        rows[0].symbol,
        rows[0].granularity,
        {
            "open_ms": np.array([each.open_ms for each in rows], np.int64),
            **numbers,
            "missing": [not isinstance(each, CandleSealed) for each in rows],
        },
    )
