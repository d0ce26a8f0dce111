"""The shipped engines: they resolve, read few granularities, and speak now and then."""

from collections import Counter

import pytest

import chandler.strategies as shipped
from chandler.core.engine import Engine, ResolvedEngine, indicators_of, resolve
from chandler.core.evaluator import Evaluator
from chandler.exchanges.simulator.recording import SHIPPED, read_recording
from chandler.replay.audit.recompute import Recomputed, recompute
from services.cli.check_causal import sealed
from tests.candles import longer

EVALUATORS = {each.name: each for each in vars(shipped).values() if isinstance(each, Evaluator)}
ENGINES = [each for each in vars(shipped).values() if isinstance(each, Engine)]


def resolved() -> list[ResolvedEngine]:
    return [resolve(each.name, each.version, each.config, EVALUATORS) for each in ENGINES]


@pytest.fixture(scope="module")
def week() -> Recomputed:
    """Eight real days of two coins."""
    recording = read_recording(SHIPPED, 2, 1)
    lanes = []
    for tape in recording.tapes:
        base = sealed(recording.origin_ms, tape)
        lanes += [base, longer(base, "1H"), longer(base, "4H")]
    return recompute(lanes, resolved(), code="code")


def test_five_evaluators_and_three_engines_ship() -> None:
    assert len(EVALUATORS) == 5
    assert sorted(each.name for each in ENGINES) == ["reverter", "scalper", "trend"]
    assert {name for each in ENGINES for name in each.config.evaluators} == set(EVALUATORS)


def test_together_they_read_three_granularities() -> None:
    assert list(indicators_of(resolved())) == ["5m", "1H", "4H"]


def test_on_real_candles_they_speak_now_and_then(week: Recomputed) -> None:
    days = 16
    counts = Counter(signal.source for signal in week.signals)

    assert 2 * days <= counts["scalper"] <= 12 * days
    assert days // 2 <= counts["reverter"] <= 6 * days
    assert 1 <= counts["trend"] <= 3 * days
    assert {signal.side for signal in week.signals} == {"long", "short"}


def test_on_real_candles_no_evaluator_is_at_fault(week: Recomputed) -> None:
    assert week.letters == []


def test_every_signal_has_a_stop_on_its_side(week: Recomputed) -> None:
    for signal in week.signals:
        assert signal.stop is not None
        first = signal.targets[0]
        assert (signal.stop < first) is (signal.side == "long")
        assert signal.targets == sorted(signal.targets, reverse=signal.side == "short")
