"""Signals of the compiled path are those of the live folds, closes, levels and ids."""

from typing import Any, NamedTuple

import pytest

from chandler.core.engine import EngineConfig, EvaluatorConfig, ResolvedEngine, resolve
from chandler.core.evaluator import Tunable, evaluator
from chandler.core.events import Signal
from chandler.core.granularity import Granularity
from chandler.core.indicators import Ema, Rsi
from chandler.core.indicators.spec import Bars, Indicator
from chandler.replay.audit.recompute import recompute
from chandler.replay.dense.lanes import LaneError, lane, longer
from chandler.replay.dense.signals import Ways, signals_of
from chandler.strategies import engines as shipped
from chandler.strategies import evaluators
from tests.candles import BASE, missing, path
from tests.candles import longer as longer_candles
from tests.replay.dense.candles import lane_of

HOUR, FOUR = Granularity("1H"), Granularity("4H")


def engine(name: str, **changes: Any) -> ResolvedEngine:
    found = {each.name: each for each in vars(evaluators).values() if hasattr(each, "tunables")}
    wanted = getattr(shipped, name)
    config = wanted.config
    for field, value in changes.items():
        config = EngineConfig(
            **{f: getattr(config, f) for f in config.__struct_fields__} | {field: value}
        )
    return resolve(name, wanted.version, config, found)


def facts(signal: Signal) -> tuple[Any, ...]:
    return (
        *(signal.close_ms, signal.source, signal.id, signal.symbol, signal.side),
        *(signal.strength, signal.stop, tuple(signal.targets), signal.expires_ms),
    )


def with_gaps(candles: list[Any]) -> list[Any]:
    """Some slots that the venue never had: single ones, a row of them, a whole hour."""
    gone = {50, 51, 400, *range(600, 660), 1_207}
    return [missing(each) if place in gone else each for place, each in enumerate(candles)]


def both(lanes: list[Any], engines: list[ResolvedEngine]) -> tuple[Any, Any, Ways]:
    ways = Ways()
    made = signals_of({each[0].granularity: lane_of(each) for each in lanes}, engines, ways)
    live = recompute(lanes, engines, code="").signals
    return sorted(map(facts, made)), sorted(map(facts, live)), ways


@pytest.mark.parametrize("seed", [1, 2])
def test_the_shipped_engines_give_the_live_signals(seed: int) -> None:
    five = path(3_000, seed=seed)
    engines = [engine("scalper", short_threshold=-0.2, long_threshold=0.2), engine("trend")]
    engines.append(engine("reverter", long_threshold=0.1, short_threshold=-0.1))

    made, live, ways = both(
        [with_gaps(five), with_gaps(longer_candles(five, "1H"))[:200], longer_candles(five, "4H")],
        engines,
    )

    assert made == live
    assert len({source for _, source, *_ in made}) >= 2
    assert not ways.interpreted


def test_a_close_whose_longer_slot_has_not_come_is_not_evaluated() -> None:
    five = path(1_500, seed=5)
    hours = longer_candles(five, "1H")
    engines = [engine("reverter", long_threshold=0.05, short_threshold=-0.05)]

    made, live, _ = both([five, hours[20:80]], engines)

    assert made == live
    assert made
    assert max(close for close, *_ in made) < hours[81].close_ms


def test_longer_candles_are_those_of_the_one_rule() -> None:
    five = with_gaps(path(1_000, seed=6))[7:]
    sealed = [each for each in five if each.__class__.__name__ == "CandleSealed"]

    made = longer(lane_of(five), HOUR)

    there = {int(at): i for i, at in enumerate(made.open_ms) if not made.missing[i]}
    whole = [each for each in longer_candles(sealed, "1H") if each.open_ms in there]
    assert len(whole) == len(there) > 70
    for each in whole:
        row = there[each.open_ms]
        numbers = [float(column[row]) for column in made[3:9]]
        assert numbers == [
            *(each.open, each.high, each.low, each.close, each.volume, each.quote_volume)
        ]


@evaluator(version="1.0")
def by_text(rsi: Rsi(5), *, low: float = Tunable(30.0, 1.0, 50.0)) -> float:  # type: ignore[valid-type]
    """Outside the compiled subset: it formats a number."""
    return 1.0 if float(f"{rsi:.3f}") < low else 0.0


@evaluator(version="1.0")
def divides(rsi: Rsi(5), ema: Ema(3)) -> float:  # type: ignore[valid-type]
    """Divides by what may be 0."""
    return 0.9 / (1.0 if rsi < 60.0 else 0.0) if rsi > 0.0 else 0.0


def resolved(function: Any) -> ResolvedEngine:
    config = EngineConfig(
        granularity="5m", evaluators={function.name: EvaluatorConfig()}, cooldown=0
    )
    return resolve("own", "1.0", config, {function.name: function})


@pytest.mark.parametrize("function", [by_text, divides])
def test_what_can_not_be_compiled_runs_interpreted_and_is_named(function: Any) -> None:
    made, live, ways = both([path(400, seed=7)], [resolved(function)])

    assert made == live
    assert made
    assert list(ways.interpreted) == [f"evaluator {function.name}"]


class Back(NamedTuple):
    value: float
    seen: int


def back_step(state: Back, bars: Bars, i: int, n: int) -> Back:
    """Looks back further than it says."""
    return Back(bars.close[i - n] if state.seen >= n else 0.0, state.seen + 1)


def back_ready(state: Back, n: int) -> bool:
    return state.seen > n


def back_value(state: Back, n: int) -> float:
    return state.value


def test_an_indicator_that_looks_back_too_far_is_what_it_is_live() -> None:
    liar = Indicator(
        name="liar",
        params=(9,),
        start=Back(0.0, 0),
        step=back_step,
        ready=back_ready,
        value=back_value,
        lookback=0,
    )

    @evaluator(version="1.0")
    def believes(then: liar, now: Ema(2)) -> float:  # type: ignore[valid-type]
        """Compares."""
        return 0.8 if now > then else -0.8

    made, live, ways = both([path(300, seed=8)], [resolved(believes)])

    assert made == live == []  # live it raises at each bar and starts anew
    assert "indicator liar(9)" in ways.interpreted


def test_a_hole_in_a_lane_says_where_it_is() -> None:
    five = path(10)
    columns = {
        name: [getattr(each, name) for each in [*five[:4], *five[6:]]]
        for name in ("open_ms", "open", "high", "low", "close", "volume")
    }

    with pytest.raises(LaneError, match="2024-01-01 00:30 follows that of 2024-01-01 00:15"):
        lane("BTCUSDT", BASE, columns)
