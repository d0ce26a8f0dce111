"""The fold from candles to indicator rows."""

import math
from typing import Any

import msgspec
import pytest

from chandler.core.events import Candle, DeadLetter, Event, IndicatorRow
from chandler.core.granularity import Granularity
from chandler.core.indicator_stage import SeriesState, stage
from chandler.core.indicators import Ema, Macd, Rsi
from chandler.core.indicators.compute import history
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.stage import HoleError
from tests.candles import BASE, BTC, longer, missing, path

WANTED = {BASE: [Macd(3, 5, 2), Rsi(3)], Granularity("1H"): [Ema(2)]}
STAGE = stage(WANTED, code="code")


def fold(
    candles: list[Candle], state: SeriesState | None = None
) -> tuple[SeriesState, list[Event]]:
    state = state or STAGE.start(STAGE.key(candles[0]))
    made: list[Event] = []
    for candle in candles:
        state, outputs = STAGE.step(state, candle)
        made += [output.event for output in outputs]
    return state, made


def rows(made: list[Event]) -> list[IndicatorRow]:
    return [event for event in made if isinstance(event, IndicatorRow)]


def test_each_candle_gives_one_row_with_the_values_that_are_warm() -> None:
    candles = path(12)
    bars = Bars(*([getattr(candle, name) for candle in candles] for name in Bars._fields))

    _, made = fold([*candles])

    assert [row.close_ms for row in rows(made)] == [candle.close_ms for candle in candles]
    for row, candle, rsi in zip(rows(made), candles, history(Rsi(3), bars), strict=True):
        assert row.values["close"] == candle.close
        assert row.values.get("rsi(3)") == rsi
        assert row.candle.hash == candle.hash
    assert set(rows(made)[0].values) == {"close"}
    assert "macd(3,5,2).histogram" in rows(made)[-1].values


def test_the_row_goes_to_its_granularity_under_its_symbol() -> None:
    hour = longer(path(12), "1H")[0]

    _, (output,) = STAGE.step(STAGE.start(STAGE.key(hour)), hour)

    assert (output.topic, output.key) == ("indicators.1H", "BTCUSDT")
    assert STAGE.key(hour) == "BTCUSDT|1H"


def test_a_skipped_slot_stops_the_fold_with_one_clear_line() -> None:
    candles = path(5)
    state, _ = fold([*candles[:2]])

    with pytest.raises(HoleError) as hole:
        STAGE.step(state, candles[3])

    assert str(hole.value) == (
        "BTCUSDT 5m: candle of 2024-01-01 00:20 follows that of 2024-01-01 00:10: expected "
        "2024-01-01 00:15, look for what is missing in candles.5m"
    )


def test_a_recorded_missing_slot_is_passed_on_and_changes_no_indicator() -> None:
    candles = path(12)
    holed: list[Candle] = [*candles[:8], missing(candles[8])]
    before, _ = fold([*candles[:8]])

    after, made = fold(holed)

    assert (rows(made)[-1].missing, rows(made)[-1].values) == (True, {})
    assert after.series == before.series
    assert len(rows(fold([*candles[9:]], after)[1])) == 3


def test_what_is_not_newer_is_dropped() -> None:
    candles = path(6)
    state, _ = fold([*candles])

    for again in (candles[2], candles[5]):
        assert STAGE.step(state, again) == (state, ())


def test_a_second_candle_with_other_values_is_a_dead_letter() -> None:
    candles = path(6)
    state, _ = fold([*candles])
    other = msgspec.structs.replace(candles[5], close=candles[5].high)

    after, (output,) = STAGE.step(state, other)

    assert after is state
    assert isinstance(output.event, DeadLetter)
    assert (output.topic, output.event.cause) == ("dead-letters", "candle differs")


@pytest.mark.parametrize(
    "wrong", [{"high": 1.0}, {"low": -1.0}, {"close": 1e300}, {"volume": -3.0}]
)
def test_an_impossible_candle_counts_as_missing_and_is_a_dead_letter(
    wrong: dict[str, float],
) -> None:
    candles = path(6)
    state, _ = fold([*candles[:5]])

    after, made = fold([msgspec.structs.replace(candles[5], **wrong)], state)

    assert isinstance(made[0], DeadLetter)
    assert made[0].cause == "impossible candle"
    assert [row.missing for row in rows(made)] == [True]
    assert after.series == state.series


def raising(*_: object) -> Any:
    raise LookupError("no\nidea")


def leaving(*_: object) -> Any:
    raise SystemExit(3)


def unspeakable(*_: object) -> Any:
    raise ValueError("\udc80" + "x" * 10_000)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"step": raising}, "LookupError: no idea"),
        ({"step": leaving}, "SystemExit: 3"),
        ({"step": unspeakable}, "ValueError: \\udc80" + "x" * 199),
        ({"step": lambda *_: None}, "ValueError: a state None, expected 2 parts as in"),
        ({"step": lambda *_: (1, math.nan)}, "ValueError: a state with nan, expected finite"),
        ({"ready": raising}, "LookupError: no idea"),
        ({"ready": lambda *_: True, "value": raising}, "LookupError: no idea"),
        ({"ready": lambda *_: True, "value": lambda *_: None}, "TypeError: float() argument"),
        ({"ready": lambda *_: True, "value": lambda *_: "much"}, "ValueError: could not convert"),
    ],
)
def test_a_plugged_in_indicator_that_fails_is_absent_and_the_others_go_on(
    wrong: dict[str, Any], said: str
) -> None:
    """One that raised took the whole row with it, so no engine saw the candle.

    One whose `value` raised ended the service, at each start; a NaN in a state was read back as
    null after a restart, and from then on every candle counted as impossible.
    """
    broken: Indicator = msgspec.structs.replace(Ema(2), name="mine", **wrong)
    folding = stage({BASE: [broken, Rsi(3)]}, code="code")
    state = folding.start("BTCUSDT|5m")
    made: list[Event] = []

    for candle in path(6):
        state = msgspec.json.decode(msgspec.json.encode(state), type=SeriesState)
        state, outputs = folding.step(state, candle)
        made += [output.event for output in outputs]

    letters = [event for event in made if isinstance(event, DeadLetter)]
    assert len(letters) == 6
    assert {letter.cause for letter in letters} == {"indicator failed"}
    assert letters[0].detail.startswith(f"mine(2) BTCUSDT 5m 2024-01-01 00:05: {said}")
    assert letters[0].detail.endswith("; the others go on")
    assert [row.missing for row in rows(made)] == [False] * 6
    assert set(rows(made)[-1].values) == {"close", "rsi(3)"}
    msgspec.json.encode(made)


def test_states_of_another_shape_are_folded_anew() -> None:
    """What an older core left behind could not be read: every candle counted as impossible."""
    grown: Indicator = msgspec.structs.replace(Ema(2), start=(0, 0.0, 0.0))

    one, other = stage({BASE: [Ema(2)]}, code="code"), stage({BASE: [grown]}, code="code")

    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == stage({BASE: [Ema(2)]}, code="newer").fingerprint


def test_the_state_survives_json_after_every_candle() -> None:
    candles = path(40)
    _, straight = fold([*candles])
    state = STAGE.start(STAGE.key(candles[0]))
    made: list[Event] = []

    for candle in candles:
        raw = msgspec.json.encode(state)
        assert b"null" not in raw.replace(b'"open_ms":null', b"")
        state = msgspec.json.decode(raw, type=SeriesState)
        state, outputs = STAGE.step(state, candle)
        made += [output.event for output in outputs]

    assert [msgspec.json.encode(event) for event in made] == [
        msgspec.json.encode(event) for event in straight
    ]


def test_a_candle_that_nobody_asked_for_changes_nothing() -> None:
    day = longer(path(288), "1D")[0]
    state = STAGE.start(STAGE.key(day))

    assert STAGE.step(state, day) == (state, ())
    assert day.symbol == BTC
