"""How ingest's transactions are cut."""

from services.ingest.output import CANDLES_MAX, CANDLES_MIN, QUICK_S, SLOW_S, Pace


def test_transactions_shrink_until_they_fit_and_grow_again():
    """On a busy machine the backfill's transactions took 11 s, were ended by the broker at 5 s,
    and were tried again as they were: no candle ever came out."""
    pace = Pace()

    for _ in range(10):
        pace.took(SLOW_S)
    shrunk = pace.candles_max
    pace.took((SLOW_S + QUICK_S) / 2)
    kept = pace.candles_max
    for _ in range(10):
        pace.took(QUICK_S / 2)

    assert shrunk == kept == CANDLES_MIN
    assert pace.candles_max == CANDLES_MAX
