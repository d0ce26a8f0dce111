"""Recomputing decisions from candles, and the comparison that `audit signals` prints."""

import msgspec

from chandler.core import indicator_stage, signals
from chandler.core.engine import ResolvedEngine, indicators_of
from chandler.core.events import Candle, MatrixRow, Signal, Symbol
from chandler.core.stage import Stage
from chandler.replay.audit.recompute import (
    Recomputed,
    SignalAudit,
    begins_of,
    compare,
    digest_of,
    horizons,
    recompute,
)
from chandler.replay.audit.recompute import audit as audit_all
from chandler.streams import codec
from tests.candles import longer, missing, path
from tests.planted import engine

ENGINES = [
    engine("fast", "mood", "hourly", cooldown=4, stop_atr=1.0),
    engine("slow", "hourly", "daily_part", granularity="1H", cooldown=1),
]


def lanes(hours: int = 60) -> list[list[Candle]]:
    found: list[list[Candle]] = []
    for seed, name in enumerate(("BTCUSDT", "ETHUSDT")):
        base = path(hours * 12, seed + 1, Symbol(name))
        holed: list[Candle] = [missing(each) if i == 100 else each for i, each in enumerate(base)]
        found += [holed, [*longer(base, "1H")], [*longer(base, "4H")]]
    return found


def audit(
    recorded: list[Signal],
    found: Recomputed,
    matrix: list[MatrixRow] | None = None,
    engines: list[ResolvedEngine] = ENGINES,
) -> SignalAudit:
    due = horizons(found.matrix if matrix is None else matrix, ENGINES)
    return compare(recorded, found.signals, due, engines=engines, code="code")


FOUND = recompute(lanes(), ENGINES, code="code")


def test_recomputation_is_what_the_two_services_do_one_after_the_other() -> None:
    indicators = indicator_stage.stage(indicators_of(ENGINES), code="code")
    stage = signals.stage(ENGINES, code="code")
    states: dict[str, signals.SymbolState] = {}
    made: list[Signal] = []
    for lane in lanes():
        state = indicators.start(indicators.key(lane[0]))
        for candle in lane:
            state, rows = indicators.step(state, candle)
            for row in rows:
                held = states.get(row.key) or stage.start(row.key)
                states[row.key], outputs = stage.step(held, row.event)
                made += [each.event for each in outputs if isinstance(each.event, Signal)]

    assert len(made) > 50
    assert digest_of(made) == digest_of(FOUND.signals)
    assert FOUND.candles == FOUND.rows == sum(map(len, lanes()))


def test_the_bytes_compared_are_the_bytes_on_the_wire() -> None:
    signal = FOUND.signals[0]

    assert digest_of([signal]) == digest_of(
        [msgspec.json.decode(codec.encode(signal), type=Signal)]
    )


def test_all_is_well_where_nothing_differs() -> None:
    found = audit([*reversed(FOUND.signals)], FOUND)

    assert found.signals == len(FOUND.signals)
    assert (found.mismatches, found.duplicated, found.missing, found.not_compared) == (0, 0, 0, 0)
    assert found.digest == digest_of(FOUND.signals)
    assert found.differences == []


def test_one_changed_bit_is_a_mismatch_with_its_field() -> None:
    first = FOUND.signals[0]
    changed = msgspec.structs.replace(first, strength=first.strength + 1e-12)

    found = audit([changed, *FOUND.signals[1:]], FOUND)

    assert found.mismatches == 1
    assert "strength is" in found.differences[0]


def test_a_signal_that_no_candle_explains_is_a_mismatch() -> None:
    made_up = msgspec.structs.replace(FOUND.signals[0], id="a" * 26)

    assert audit([made_up, *FOUND.signals], FOUND).mismatches == 1


def test_a_signal_recorded_twice_is_duplicated() -> None:
    found = audit([*FOUND.signals, FOUND.signals[3]], FOUND)

    assert (found.duplicated, found.mismatches, found.missing) == (1, 0, 0)


def test_a_lost_signal_is_missing_and_one_still_on_its_way_is_not() -> None:
    last = max(FOUND.signals, key=lambda signal: signal.close_ms)
    recorded = [signal for signal in FOUND.signals if signal.id != last.id]
    before = [row for row in FOUND.matrix if row.close_ms < last.close_ms]

    assert audit(recorded, FOUND).missing == 1
    assert audit(recorded, FOUND, before).missing == 0


def test_signals_of_other_code_are_compared_but_for_the_code() -> None:
    """A new plug-in changed the code's hash, and no old signal could be audited any more."""
    older = [msgspec.structs.replace(each, code="older") for each in FOUND.signals]

    found = audit(older, FOUND)

    assert (found.signals, found.not_compared, found.missing) == (len(older), 0, 0)


def test_what_other_code_decided_otherwise_is_not_compared() -> None:
    first, *others = FOUND.signals
    older = msgspec.structs.replace(first, code="older", strength=first.strength / 2)

    found = audit([older, *others], FOUND)

    assert (found.signals, found.mismatches, found.not_compared) == (len(others), 0, 1)


def test_an_engine_that_has_not_run_yet_owes_no_signal() -> None:
    """`new engine`, then `audit signals` before the next `up`: 137 signals were called missing."""
    before = recompute(lanes(30), ENGINES[:1], code="code")
    changed = [*ENGINES, engine("new", "mood", cooldown=7)]

    found = audit_all(lanes(), before.matrix, before.signals, changed, code="code")

    assert found.signals == len(before.signals) > 20
    assert (found.mismatches, found.missing, found.not_compared) == (0, 0, 0)


def test_after_a_change_of_engines_a_new_one_owes_nothing_of_before() -> None:
    """An engine that was switched on yesterday has nothing to say of last week."""
    before = recompute(lanes(30), ENGINES[:1], code="code")
    changed = [*ENGINES, engine("new", "mood", cooldown=7)]
    switch = max(row.close_ms for row in before.matrix)
    last = {
        place: signals.SymbolState(
            done={ENGINES[0].granularity: switch},
            last_signal={
                ENGINES[0].hash: max(
                    each.close_ms for each in before.signals if each.symbol == place
                )
            },
        )
        for place in ("BTCUSDT", "ETHUSDT")
    }
    stage = signals.stage(changed, code="code")
    after = _continued(stage, last, changed)
    matrix = [*before.matrix, *after.matrix]
    recorded = [*before.signals, *after.signals]

    begins = begins_of(matrix, recorded, changed)
    found = audit_all(lanes(), matrix, recorded, changed, code="code")

    assert {begin.close_ms for begin in begins.values()} == {switch + 300_000}
    assert found.not_compared == 0
    assert found.signals == len(before.signals) + len(after.signals)
    assert len(after.signals) > 20
    assert (found.mismatches, found.missing, found.differences) == (0, 0, [])


def _continued(
    stage: Stage[signals.SymbolState],
    states: dict[str, signals.SymbolState],
    engines: list[ResolvedEngine],
) -> Recomputed:
    """What the stage says when it goes on from `states` with other engines."""
    indicators = indicator_stage.stage(indicators_of(engines), code="code")
    matrix, made = [], []
    for lane in lanes():
        state = indicators.start(indicators.key(lane[0]))
        for candle in lane:
            state, rows = indicators.step(state, candle)
            for row in rows:
                states[row.key], outputs = stage.step(states[row.key], row.event)
                matrix += [each.event for each in outputs if isinstance(each.event, MatrixRow)]
                made += [each.event for each in outputs if isinstance(each.event, Signal)]
    return Recomputed(0, 0, matrix, made, [])
