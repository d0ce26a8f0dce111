"""What a service says of itself: how old what it works on is, and whether it is behind."""

import pytest

from chandler.streams.telemetry.health import (
    BEHIND_S_MAX,
    CAUGHT_UP_S,
    Behind,
    Health,
    readiness,
)
from chandler.streams.telemetry.parts import Parts


def test_old_with_nothing_before_it_is_not_behind() -> None:
    health = Health()
    health.state, health.age_s = "running", 300.0

    assert health.behind_s == 0.0
    assert readiness("executor", health).state == "running"

    health.lag = 7

    assert health.behind_s == pytest.approx(300.0, abs=5.0)
    assert readiness("executor", health).state == "running, 300 s behind"
    assert readiness("executor", health).behind_s == pytest.approx(300.0, abs=5.0)


def test_a_part_without_inputs_makes_the_others_lag_no_older_than_it_is() -> None:
    whole = Health()
    parts = Parts(whole)
    busy, idle = parts.one(), parts.one()
    idle.age_s = 500.0
    busy.age_s, busy.lag = 2.0, 30

    assert whole.behind_s == pytest.approx(2.0, abs=1.0)

    busy.lag = 0

    assert (whole.lag, whole.behind_s) == (0, 0.0)
    assert whole.age_s == pytest.approx(500.0, abs=5.0)


def test_only_what_stays_behind_is_told_and_once() -> None:
    behind = Behind()
    far = BEHIND_S_MAX + 1

    assert [behind.seen(far, now) for now in (0.0, BEHIND_S_MAX - 1)] == ["", ""]
    assert behind.seen(far, BEHIND_S_MAX) == "behind"
    assert behind.seen(far, 2 * BEHIND_S_MAX) == ""
    assert behind.seen(CAUGHT_UP_S + 1, 3 * BEHIND_S_MAX) == ""  # nearly
    assert behind.seen(CAUGHT_UP_S, 4 * BEHIND_S_MAX) == "caught_up"
    assert behind.seen(0.0, 5 * BEHIND_S_MAX) == ""


def test_what_is_read_again_after_a_start_is_not_told() -> None:
    behind = Behind()

    told = [behind.seen(late, now) for late, now in ((900.0, 0.0), (40.0, 20.0), (1.0, 29.0))]
    told += [behind.seen(BEHIND_S_MAX + 1, now) for now in (50.0, 79.0)]

    assert told == [""] * 5
