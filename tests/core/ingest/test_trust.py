"""A connection's word counts after complete closes, and no more after a sign of loss."""

import pytest

from chandler.core.granularity import Granularity
from chandler.core.ingest.lane import GRACE_MS
from chandler.core.ingest.trust import CLOSES_MIN, Seal, Trust, confirms_all

M5, H1 = Granularity("5m"), Granularity("1H")
HOUR = 1_700_006_400_000
STEP = 300_000


def earned(closes: int = CLOSES_MIN + 1) -> Trust:
    """Two symbols, all of whose closes were complete."""
    trust = Trust({M5: 2, H1: 2}, always=False, never=False)
    for number in range(closes):
        close(trust, HOUR + number * STEP)
    return trust


def close(trust: Trust, close_ms: int, lanes: int | None = None) -> None:
    expected = 4 if close_ms % 3_600_000 == 0 else 2
    for _ in range(expected if lanes is None else lanes):
        trust.rolled(close_ms)
    trust.tick(close_ms + GRACE_MS)


def test_complete_closes_earn_trust() -> None:
    assert not earned(CLOSES_MIN).trusted  # the first close ends what was lost before it
    assert earned(CLOSES_MIN + 1).trusted


def test_a_lane_that_does_not_roll_over_in_time_ends_trust() -> None:
    trust = earned()

    close(trust, HOUR + 4 * STEP, lanes=1)

    assert not trust.trusted


def test_a_sign_of_loss_ends_trust_at_once_and_it_is_earned_anew() -> None:
    trust = earned()
    trust.lost()
    after_loss = trust.trusted
    for number in range(4, 4 + CLOSES_MIN + 1):
        close(trust, HOUR + number * STEP)

    assert not after_loss
    assert trust.trusted


def test_a_close_counts_longer_lanes_where_they_close_too() -> None:
    trust = earned(12)

    close(trust, HOUR + 12 * STEP, lanes=2)

    assert not trust.trusted


@pytest.mark.parametrize(
    ("seal", "symbols", "rate", "base", "confirmed"),
    [
        ("auto", 20, 1.0, "1m", True),
        ("auto", 21, 1.0, "5m", False),
        ("auto", 200, 60.0, "5m", True),
        ("auto", 40, 60.0, "1m", True),
        ("auto", 40, 300.0, "5m", True),
        ("auto", 40, 300.0, "1m", False),  # 200 requests a second of wall time
        ("confirm", 800, 1.0, "1m", True),
        ("rollover", 1, 60.0, "1m", False),
    ],
)
def test_rest_confirms_all_where_it_can_within_a_second_and_keep_up(
    seal: Seal, symbols: int, rate: float, base: str, confirmed: bool
) -> None:
    granularities = [Granularity(base), Granularity("1H")]

    assert confirms_all(seal, symbols, 20, rate, granularities) is confirmed
