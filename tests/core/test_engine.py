"""Resolving engines: what they read, what is refused, what their hash depends on."""

import math
from typing import Any

import pytest

from chandler.core.engine import EngineConfig, EvaluatorConfig, indicators_of, resolve
from chandler.core.evaluator import PluginError
from tests.planted import ALL, engine


def test_an_engine_reads_what_its_evaluators_read_and_atr_for_its_stop() -> None:
    found = engine("one", "mood", "hourly", stop_atr=1.5)

    assert {on: [each.key for each in read] for on, read in found.inputs().items()} == {
        "5m": ["atr(14)", "rsi(3)"],
        "1H": ["ema_slope(2,1)"],
    }


def test_what_several_engines_read_is_asked_for_once() -> None:
    engines = [engine("one", "mood", "hourly"), engine("two", "mood", granularity="1H")]

    found = indicators_of(engines)

    assert {on: [each.key for each in read] for on, read in found.items()} == {
        "5m": ["rsi(3)"],
        "1H": ["ema_slope(2,1)", "rsi(3)"],
    }


def test_an_evaluator_without_weight_is_left_out() -> None:
    chosen = {"mood": EvaluatorConfig(), "hourly": EvaluatorConfig(weight=0.0)}

    assert list(engine("one", evaluators=chosen).inputs()) == ["5m"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"evaluators": {"moood": EvaluatorConfig()}}, "unknown evaluator 'moood': there are"),
        ({"evaluators": {}}, "it has no evaluators"),
        (
            {"evaluators": {"mood": EvaluatorConfig(set={"low": 3})}},
            "mood has no tunable 'low': there are middle",
        ),
        (
            {"evaluators": {"mood": EvaluatorConfig(set={"middle": 70})}},
            "mood.middle is 70: expected 40 to 60",
        ),
        ({"evaluators": {"mood": EvaluatorConfig(weight=-1)}}, "weight -1 of mood"),
        ({"evaluators": {"mood": EvaluatorConfig(weight=math.nan)}}, "weight nan of mood"),
        ({"evaluators": {"mood": EvaluatorConfig(weight=math.inf)}}, "weight inf of mood"),
        ({"stop_atr": math.inf}, "stop_atr is inf: expected 0 to 1e+06"),
        ({"granularity": "7m"}, "unknown granularity '7m'"),
        ({"granularity": "4H", "evaluators": {"hourly": EvaluatorConfig()}}, "shorter than"),
        ({"long_threshold": 0.0}, "long_threshold is 0.0: expected above 0, at most 1"),
        ({"short_threshold": 0.4}, "short_threshold is 0.4: expected below 0"),
        ({"cooldown": -1}, "cooldown is -1: expected 0 or more"),
        ({"freshness_s": 0}, "freshness_s is 0: expected above 0"),
        ({"sides": ("flat",)}, "expected long, short or both"),
        ({"target_atr": [1.0, -2.0]}, "target_atr is [1.0, -2.0]: expected all above 0"),
    ],
)
def test_what_can_not_run_is_refused_in_one_line(config: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError) as refused:
        engine("one", **{"evaluators": {"mood": EvaluatorConfig()}, **config})

    assert str(refused.value).startswith("engine one: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_hash_changes_with_what_decides_and_with_nothing_else() -> None:
    plain = engine("one", "mood")
    tuned = {"mood": EvaluatorConfig(set={"middle": 45.0})}
    spelled = {"mood": EvaluatorConfig(set={"middle": 50.0})}

    assert engine("one", "mood", cooldown=4).hash != plain.hash
    assert engine("one", evaluators=tuned).hash != plain.hash
    assert engine("one", evaluators=spelled).hash == plain.hash
    assert resolve("one", "1.1", EngineConfig(evaluators=spelled), ALL).hash != plain.hash
