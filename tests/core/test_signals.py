"""The fold from indicator rows to matrix and signals: exact slots, verdicts, lineage, faults."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core import indicator_stage, signals
from chandler.core.engine import EvaluatorConfig, ResolvedEngine, indicators_of
from chandler.core.events import (
    Candle,
    DeadLetter,
    Event,
    IndicatorRow,
    InputRef,
    MatrixRow,
    Signal,
)
from chandler.core.granularity import Granularity, interval_ms, last_close
from chandler.core.signals import HELD_TOLD, SymbolState
from chandler.core.stage import HoleError, Stage
from services.profile import IngestConfig
from tests.candles import BASE, BTC, START_MS, longer, missing, path
from tests.planted import engine

HOUR, FOUR_HOURS = Granularity("1H"), Granularity("4H")
ENGINES = [
    engine("fast", "mood", "hourly", "daily_part", cooldown=2, stop_atr=1.0, target_atr=[1.0]),
    engine("other", "mood", long_threshold=0.2, short_threshold=-0.2, cooldown=0),
    engine("slow", "hourly", "daily_part", granularity="1H", cooldown=0),
]


def rows_of(candles: Sequence[Candle], engines: list[ResolvedEngine]) -> list[IndicatorRow]:
    stage = indicator_stage.stage(indicators_of(engines), code="code")
    state = stage.start(stage.key(candles[0]))
    made: list[IndicatorRow] = []
    for candle in candles:
        state, outputs = stage.step(state, candle)
        made += [output.event for output in outputs if isinstance(output.event, IndicatorRow)]
    return made


def lanes(hours: int, gaps: frozenset[int] = frozenset()) -> list[list[IndicatorRow]]:
    """Rows of 5m, 1H and 4H; `gaps` are 5m and 1H slots that the venue lacks."""
    candles = path(hours * 12)
    found = []
    for lane in (candles, longer(candles, "1H"), longer(candles, "4H")):
        holed = [missing(each) if i in gaps else each for i, each in enumerate(lane)]
        found.append(rows_of(holed, ENGINES))
    return found


def fold(
    stage: Stage[SymbolState], rows: Sequence[IndicatorRow], *, through_json: bool = False
) -> tuple[SymbolState, list[Event]]:
    state = stage.start(BTC)
    made: list[Event] = []
    for row in rows:
        if through_json:
            state = msgspec.json.decode(msgspec.json.encode(state), type=SymbolState)
        state, outputs = stage.step(state, row)
        made += [output.event for output in outputs]
    return state, made


def encoded(made: list[Event]) -> dict[tuple[str, str], list[bytes]]:
    """Matrix and signals by base granularity, in their order."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for event in made:
        if isinstance(event, (MatrixRow, Signal)):
            place = (type(event).__name__, event.granularity)
            found.setdefault(place, []).append(msgspec.json.encode(event))
    return found


def in_order(found: list[list[IndicatorRow]]) -> list[IndicatorRow]:
    """As ingest publishes: by close, the higher candles first."""
    rows = [row for lane in found for row in lane]
    return sorted(rows, key=lambda row: (row.close_ms, -interval_ms(row.granularity)))


@given(
    order=st.lists(st.integers(0, 2), min_size=130, max_size=130),
    gaps=st.frozensets(st.integers(0, 100), max_size=6),
    through_json=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_arrival_matrix_and_signals_are_the_same_bytes(
    order: list[int], gaps: frozenset[int], through_json: bool
) -> None:
    found = lanes(9, gaps)
    waiting = [list(lane) for lane in found]
    shuffled = [waiting[lane].pop(0) for lane in order if waiting[lane]]
    shuffled += [row for lane in waiting for row in lane]
    stage = signals.stage(ENGINES, code="code")

    _, straight = fold(stage, in_order(found))
    _, late = fold(stage, shuffled, through_json=through_json)

    assert encoded(late) == encoded(straight)
    assert len(encoded(straight)["MatrixRow", "5m"]) >= 9 * 12 - 12


def test_an_evaluation_uses_the_slot_that_ends_at_its_close_rounded_down() -> None:
    found = lanes(9)
    by_close = {(row.granularity, row.close_ms): row.candle.hash for lane in found for row in lane}

    _, made = fold(signals.stage(ENGINES, code="code"), in_order(found))

    late = [each for each in made if isinstance(each, MatrixRow) and each.granularity == BASE]
    for row in late[48:]:
        refs = {ref.granularity: ref for ref in row.inputs}
        for granularity in (BASE, HOUR, FOUR_HOURS):
            exact = last_close(row.close_ms, granularity)
            assert refs[granularity].close_ms == exact
            assert refs[granularity].hash == by_close[granularity, exact]


def test_a_base_close_waits_for_its_higher_slot_and_is_then_released_in_order() -> None:
    base, hours, fours = lanes(9)
    stage = signals.stage(ENGINES, code="code")
    eight = 8 * 3_600_000 + START_MS
    early = [*fours, *(row for row in hours if row.close_ms < eight), *base]

    state, before = fold(stage, early)
    _, outputs = stage.step(state, next(row for row in hours if row.close_ms == eight))

    closes = [each.close_ms for each in before if isinstance(each, MatrixRow)]
    assert max(closes) == eight - interval_ms(BASE)
    released = [
        output.event.close_ms
        for output in outputs
        if isinstance(output.event, MatrixRow) and output.event.granularity == BASE
    ]
    assert released == [eight + i * interval_ms(BASE) for i in range(12)]


def test_a_missing_higher_slot_releases_and_its_notes_are_absent() -> None:
    base, hours, fours = lanes(9)
    hours = [*hours[:7], msgspec.structs.replace(hours[7], missing=True, values={}), hours[8]]

    _, made = fold(signals.stage(ENGINES, code="code"), in_order([base, hours, fours]))

    row = next(
        each
        for each in made
        if isinstance(each, MatrixRow)
        and each.granularity == BASE
        and each.close_ms == hours[7].close_ms
    )
    assert row.absent["fast"]["hourly"] == "no 1H candle at the venue for 2024-01-01 08:00"
    assert "mood" in row.notes["fast"]


def test_a_slot_before_the_first_higher_row_is_absent_once_that_is_known() -> None:
    base, hours, fours = lanes(9)
    stage = signals.stage(ENGINES, code="code")
    state, before = fold(stage, [*base[:3], *fours[:1]])

    _, outputs = stage.step(state, hours[0])

    assert before == []
    first = outputs[0].event
    assert isinstance(first, MatrixRow)
    assert first.absent["fast"]["hourly"] == "no 1H row for 2024-01-01 00:00"


def test_the_state_stays_small() -> None:
    base, hours, fours = lanes(48)

    state, _ = fold(signals.stage(ENGINES, code="code"), in_order([base, hours, fours]))

    assert sum(len(slots) for slots in state.slots.values()) <= 4
    assert len(msgspec.json.encode(state)) < 2_000


def test_a_skipped_row_stops_the_fold_with_one_clear_line() -> None:
    base, _, _ = lanes(9)
    stage = signals.stage(ENGINES, code="code")
    state, _ = fold(stage, base[:3])

    with pytest.raises(
        HoleError, match=r"row of 2024-01-01 00:25 follows that of 2024-01-01 00:15"
    ):
        stage.step(state, base[4])


def test_rows_that_are_not_newer_are_dropped_and_another_one_is_a_dead_letter() -> None:
    base, _, _ = lanes(9)
    stage = signals.stage(ENGINES, code="code")
    state, _ = fold(stage, base[:3])
    other = msgspec.structs.replace(
        base[2], candle=msgspec.structs.replace(base[2].candle, hash="other")
    )

    assert stage.step(state, base[1]) == (state, ())
    assert stage.step(state, base[2]) == (state, ())
    after, (output,) = stage.step(state, other)
    assert after is state
    assert isinstance(output.event, DeadLetter)
    assert output.event.cause == "row differs"


def test_people_are_told_once_when_a_higher_slot_does_not_come() -> None:
    rows = rows_of(path(HELD_TOLD + 20), ENGINES)

    _, made = fold(signals.stage(ENGINES, code="code"), rows)

    letters = [each for each in made if isinstance(each, DeadLetter)]
    assert [each.cause for each in letters] == ["closes held"]
    assert f"{HELD_TOLD} closes" in letters[0].detail
    assert "wait for rows of 1H 4H" in letters[0].detail


def test_a_backfill_whose_higher_candles_come_last_tells_nobody() -> None:
    """A start once left a dead letter for most symbols: the threshold was the backfill."""
    base, hours, fours = lanes(IngestConfig().backfill // 12)
    assert len(base) == IngestConfig().backfill

    state, made = fold(signals.stage(ENGINES, code="code"), [*base, *hours, *fours])

    assert not [each for each in made if isinstance(each, DeadLetter)]
    assert state.done[BASE] == base[-1].close_ms


# One close, values as given: what an engine makes of them.


def row(number: int, values: dict[str, float], granularity: Granularity = BASE) -> IndicatorRow:
    close_ms = START_MS + number * interval_ms(granularity)
    return IndicatorRow(
        symbol=BTC,
        granularity=granularity,
        close_ms=close_ms,
        values=values,
        candle=InputRef(symbol=BTC, granularity=granularity, close_ms=close_ms, hash=f"h{number}"),
        missing=not values,
        config="config",
        code="code",
    )


def decided(rsis: list[float | None], *names: str, **config: Any) -> list[Event]:
    """What an engine of these evaluators (mood: (rsi - 50) / 60) says, close after close."""
    one = engine("one", *(names or ("mood",)), **config)
    rows = [
        row(i + 1, {"close": 100.0, "atr(14)": 2.0, **({} if rsi is None else {"rsi(3)": rsi})})
        for i, rsi in enumerate(rsis)
    ]
    return fold(signals.stage([one], code="code"), rows)[1]


def verdicts(made: list[Event]) -> list[str]:
    return [each.verdicts["one"] for each in made if isinstance(each, MatrixRow)]


def signals_in(made: list[Event]) -> list[Signal]:
    return [each for each in made if isinstance(each, Signal)]


def test_thresholds_are_reached_and_sides_follow() -> None:
    made = decided([74.0, 73.9, 26.0, 26.1], cooldown=0)

    assert verdicts(made) == ["long", "below threshold", "short", "below threshold"]
    assert [(each.side, each.strength) for each in signals_in(made)] == [
        ("long", 0.4),
        ("short", 0.4),
    ]


def test_a_side_that_is_not_allowed_gives_no_signal() -> None:
    made = decided([10.0, 90.0], sides=("long",))

    assert verdicts(made) == ["short not allowed", "long"]


def test_after_a_signal_the_engine_cools_down_for_that_many_base_candles() -> None:
    made = decided([90.0, 90.0, 90.0, 90.0, 90.0], cooldown=2)

    assert verdicts(made) == ["long", "cooling down", "cooling down", "long", "cooling down"]


def test_a_required_note_that_is_absent_blocks_and_is_named() -> None:
    chosen = {"mood": EvaluatorConfig(required=True)}
    made = decided([None, 90.0], evaluators=chosen)

    first = made[0]
    assert isinstance(first, MatrixRow)
    assert verdicts(made) == ["mood absent", "long"]
    assert first.absent == {"one": {"mood": "rsi(3) not warm"}}


def test_a_missing_base_candle_is_evaluated_as_no_candle() -> None:
    one = engine("one", "mood")

    _, made = fold(signals.stage([one], code="code"), [row(1, {})])

    assert verdicts(made) == ["no candle"]


def test_absent_notes_do_not_weigh() -> None:
    chosen = {"mood": EvaluatorConfig(), "raising": EvaluatorConfig(weight=5.0)}

    assert verdicts(decided([80.0], evaluators=chosen)) == ["long"]
    assert verdicts(decided([80.0], "raising")) == ["no notes"]


@pytest.mark.parametrize(
    ("name", "cause", "said"),
    [
        ("seven", "evaluator returned", "returned 7, expected a number in [-1, 1]"),
        ("not_a_number", "note not finite", "returned nan, expected a number in [-1, 1]"),
        ("raising", "evaluator raised", "raised ZeroDivisionError: float division by zero"),
    ],
)
def test_a_faulty_evaluator_is_a_dead_letter_and_the_others_go_on(
    name: str, cause: str, said: str
) -> None:
    made = decided([90.0], "mood", name)

    letters = [each for each in made if isinstance(each, DeadLetter)]
    assert [(each.source, each.cause) for each in letters] == [("signals", cause)]
    assert letters[0].detail == f"one/{name} BTCUSDT 5m 2024-01-01 00:05: {said}"
    assert len(signals_in(made)) == 1


def test_a_signal_says_all_about_itself() -> None:
    made = decided([80.0], stop_atr=1.5, target_atr=[1.0, 3.0], freshness_s=60)

    (signal,) = signals_in(made)
    assert (signal.stop, signal.targets) == (97.0, [102.0, 106.0])
    assert signal.expires_ms == signal.close_ms + 60_000
    assert signal.reason == "mood +0.50 → +0.50 ≥ 0.40"
    assert signal.notes == {"mood": 0.5}
    assert [ref.hash for ref in signal.inputs] == ["h1"]
    assert signal.at == START_MS + 300_000
    assert len(signal.id) == 26


def test_a_short_has_its_stop_above_and_its_targets_below() -> None:
    (signal,) = signals_in(decided([20.0], stop_atr=1.5, target_atr=[1.0]))

    assert (signal.stop, signal.targets) == (103.0, [98.0])
    assert signal.reason == "mood -0.50 → -0.50 ≤ -0.40"


def test_a_stop_that_can_not_be_placed_blocks_the_signal() -> None:
    assert verdicts(decided([80.0], stop_atr=60.0)) == ["levels not above 0"]
    one = engine("one", "mood", stop_atr=1.0)
    rows = [row(1, {"close": 100.0, "rsi(3)": 90.0})]
    assert verdicts(fold(signals.stage([one], code="code"), rows)[1]) == ["atr(14) not warm"]


def test_the_same_cause_gives_the_same_id_and_another_configuration_another() -> None:
    (one,) = signals_in(decided([80.0]))
    (again,) = signals_in(decided([80.0]))
    (other,) = signals_in(decided([80.0], cooldown=9))

    assert msgspec.json.encode(one) == msgspec.json.encode(again)
    assert other.id != one.id


def test_an_engine_for_some_symbols_is_silent_for_others() -> None:
    assert decided([90.0], symbols=["ETHUSDT"]) == []
    assert len(decided([90.0], symbols=["ETHUSDT", "BTCUSDT"])) == 2


def test_the_caller_may_wrap_every_call_of_an_evaluator() -> None:
    called: list[str] = []

    def invoke(evaluator: Any, arguments: dict[str, Any]) -> object:
        called.append(evaluator.name)
        return evaluator.function(**arguments)

    stage = signals.stage([engine("one", "mood")], code="code", invoke=invoke)

    fold(stage, [row(1, {"close": 100.0, "rsi(3)": 90.0})])

    assert called == ["mood"]
