"""The grammar of faults, and what they do to a row of frames."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.faults import (
    Delay,
    Faults,
    FrameFaults,
    OrderFaults,
    Shrink,
    Spell,
    is_missing,
    parse_faults,
)


def test_all_faults_are_read() -> None:
    text = (
        "cut=20s, drop=5%,duplicate=5%,reorder=1%,late=2%,"
        "silence=60s/10s,storm429=2m/500ms,missing=0.1%"
    )

    assert parse_faults(text) == Faults(
        cut_s=20,
        drop=0.05,
        duplicate=0.05,
        reorder=0.01,
        late=0.02,
        silence=Spell(60, 10),
        storm429=Spell(120, 0.5),
        missing=0.001,
    )


def test_the_faults_of_trading_are_read() -> None:
    text = (
        "noreply=2%,hangup=3%,ambiguous=4%,vanish=5%,slow=5%/2s,stuck=1%/35s,"
        "partial=10%,strange=1%,lost=6%,twice=7%,shrink=60s/1%"
    )

    assert parse_faults(text) == Faults(
        noreply=0.02,
        hangup=0.03,
        ambiguous=0.04,
        vanish=0.05,
        slow=Delay(0.05, 2),
        stuck=Delay(0.01, 35),
        partial=0.1,
        strange=0.01,
        lost=0.06,
        twice=0.07,
        shrink=Shrink(60, 0.01),
    )


def test_requests_to_trade_fail_by_their_shares() -> None:
    faults = Faults(noreply=0.1, hangup=0.1, ambiguous=0.1, vanish=0.1)
    draws = OrderFaults(faults, 1)

    found = Counter(draws.outcome(places=True).removeprefix("!") for _ in range(4000))

    assert set(found) == {"", "noreply", "hangup", "vanish", "45001", "40725"}
    assert all(150 < count < 2600 for count in found.values())
    assert "vanish" not in {OrderFaults(faults, s).outcome(places=False) for s in range(100)}


def test_no_text_is_no_fault() -> None:
    assert parse_faults("") == Faults()
    assert not parse_faults("").frames


@pytest.mark.parametrize(
    "text",
    [
        "drop",
        "drop=5",
        "drop=101%",
        "drop=-5%",
        "lose=5%",
        "cut=20",
        "cut=0s",
        "cut=soon",
        "silence=60s",
        "silence=10s/10s",
        "silence=5s/10s",
        "storm429=30s/x",
        "drop=5%,drop=6%",
        "slow=5%",
        "slow=2s/5%",
        "stuck=5%/0s",
        "shrink=60s",
        "shrink=1%/60s",
        "partial=5s",
        "=5%",
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(text: str) -> None:
    with pytest.raises(SimulatorError) as raised:
        parse_faults(text)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        faults = parse_faults(text)
    except SimulatorError:
        return
    assert isinstance(faults, Faults)


def test_a_spell_covers_the_end_of_each_interval() -> None:
    spell = Spell(30, 5)

    assert [spell.covers(s) for s in (0, 24.9, 25, 29.9, 30, 55)] == [
        *(False, False, True, True, False, True)
    ]


FRAMES = [str(number).encode() for number in range(4000)]


def passed(faults: Faults, seed: int = 1) -> list[bytes]:
    faulty = FrameFaults(faults, seed, 1)
    return [out for frame in FRAMES for out in faulty.pass_on(frame)]


def test_about_the_share_of_frames_is_dropped() -> None:
    kept = passed(Faults(drop=0.05))

    assert 100 < len(FRAMES) - len(kept) < 300
    assert kept == sorted(kept, key=int)


def test_duplicates_come_right_after_the_first() -> None:
    out = passed(Faults(duplicate=0.05))

    assert 100 < len(out) - len(FRAMES) < 300
    assert out == sorted(out, key=int)


def test_reordered_frames_come_after_the_next_and_none_is_lost() -> None:
    out = passed(Faults(reorder=0.1))

    assert out != FRAMES
    assert sorted(out, key=int) in (FRAMES, FRAMES[:-1])
    assert all(abs(int(frame) - place) <= 1 for place, frame in enumerate(out))


def test_the_seed_alone_decides_what_happens() -> None:
    faults = Faults(drop=0.1, duplicate=0.1, reorder=0.1)

    assert passed(faults) == passed(faults)
    assert passed(faults) != passed(faults, seed=2)


def test_missing_slots_are_known_beforehand() -> None:
    taken = [open_ms for open_ms in range(100_000) if is_missing(7, "BTCUSDT", open_ms, 0.01)]

    assert 800 < len(taken) < 1200
    assert all(is_missing(7, "BTCUSDT", open_ms, 0.01) for open_ms in taken)
    assert not is_missing(7, "BTCUSDT", taken[0], 0.0)
