"""Recorded indicator rows, matrix rows and signals against what their candles make again."""

from msgspec.structs import replace

from chandler.core import indicator_stage
from chandler.core.engine import indicators_of
from chandler.core.events import Candle, CandleSealed, IndicatorRow, MatrixRow, Signal, Symbol
from chandler.core.hashing import digest
from chandler.core.signals import matrix_configs
from chandler.replay.audit.recompute import audit, recompute
from chandler.replay.audit.rows import OTHER_CODE, OTHER_CONFIG, Rows
from chandler.replay.audit.verdict import EVER, Bounds, Checked, merged
from tests.candles import longer, path
from tests.planted import engine
from tests.replay.audit.reads import read

ENGINES = [engine("fast", "mood", "hourly", cooldown=4, stop_atr=1.0)]
WANTED = indicators_of(ENGINES)
CONFIGS = {digest(indicator_stage.config_text(each)) for each in WANTED.values()}
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")


def lanes(hours: int = 30) -> list[list[Candle]]:
    """Two symbols' candles, a list for each granularity, as their topics hold them."""
    paths = [path(hours * 12, seed, name) for seed, name in enumerate((BTC, ETH), 1)]
    both: list[list[Candle]] = []
    for found in (paths, [longer(each, "1H") for each in paths]):
        whole: list[Candle] = [candle for each in found for candle in each]
        both.append(sorted(whole, key=lambda candle: candle.close_ms))
    return both


class Recording:
    """What the stages would have written."""

    def __init__(self, candles: list[list[Candle]]) -> None:
        self.rows: list[IndicatorRow] = []
        self.matrix: list[MatrixRow] = []
        found = recompute(candles, ENGINES, code="code", watch=self)
        self.signals = found.signals

    def row(self, row: IndicatorRow) -> None:
        self.rows.append(row)

    def evaluated(self, row: MatrixRow) -> None:
        self.matrix.append(row)


def checked(
    recording: Recording, candles: list[list[Candle]], bounds: Bounds = EVER, code: str = "code"
) -> dict[str, Checked]:
    """By topic."""
    records = {"matrix": iter([read("matrix", row) for row in recording.matrix])}
    for granularity in WANTED:
        name = f"indicators.{granularity}"
        rows = [row for row in recording.rows if row.granularity == granularity]
        made = [read(name, row, n, f"candles.{granularity}/0/{n}") for n, row in enumerate(rows)]
        records[name] = iter(made)
    rows_audit = Rows(
        records,
        code=code,
        configs=CONFIGS | set(matrix_configs(ENGINES).values()),
        bounds=bounds,
    )
    signals = Checked(topic="signals")
    audit(
        candles,
        recording.matrix,
        recording.signals,
        ENGINES,
        code=code,
        watch=rows_audit,
        bounds=bounds,
        checked=signals,
    )
    return {each.topic: each for each in merged([*rows_audit.finish(), signals])}


def faults(found: dict[str, Checked]) -> int:
    return sum(each.faults for each in found.values())


def changed_candle(candles: list[list[Candle]], number: int) -> tuple[list[list[Candle]], Candle]:
    """One byte of one 5m candle is another."""
    one = candles[0][number]
    assert isinstance(one, CandleSealed)
    other = replace(one, close=one.close + 0.001)
    return [[*candles[0][:number], other, *candles[0][number + 1 :]], candles[1]], other


def test_what_the_stages_wrote_is_recomputed_byte_for_byte() -> None:
    candles = lanes()
    recording = Recording(candles)

    found = checked(recording, candles)

    assert faults(found) == 0
    assert found["indicators.5m"].compared == len(candles[0])
    assert found["matrix"].compared == len(recording.matrix) > 500
    assert found["signals"].compared == len(recording.signals) > 10
    assert list(found) == ["indicators.1H", "indicators.5m", "matrix", "signals"]


def test_one_changed_candle_is_named_with_both_hashes_at_the_first_decision_that_differs() -> None:
    candles = lanes()
    recording = Recording(candles)
    other, candle = changed_candle(candles, 301)

    found = checked(recording, other)
    first = found["indicators.5m"].first

    assert first is not None
    assert first == min(
        (each.first for each in found.values() if each.first), key=lambda each: each.order
    )
    assert (first.at, first.symbol) == (candle.close_ms, candle.symbol)
    assert f"candles.5m/0/301 {candle.symbol} 5m close" in first.cause
    assert candles[0][301].hash in first.cause
    assert candle.hash in first.cause
    assert first.recorded != first.recomputed


def test_the_same_candle_is_named_by_matrix_and_signals_where_the_rows_are_gone() -> None:
    candles = lanes()
    recording = Recording(candles)
    signal = recording.signals[5]
    number = next(
        n
        for n, each in enumerate(candles[0])
        if (each.symbol, each.close_ms) == (signal.symbol, signal.close_ms)
    )
    other, candle = changed_candle(candles, number)
    recording.rows = []

    found = checked(recording, other)

    assert "indicators.5m" not in found or not found["indicators.5m"].compared
    first = found["matrix"].first
    assert first is not None
    assert candle.hash in first.cause
    assert found["signals"].first is not None
    assert candle.hash in found["signals"].first.cause


def test_a_changed_value_is_named_with_its_indicator() -> None:
    candles = lanes()
    recording = Recording(candles)
    row = recording.rows[200]
    key = sorted(row.values)[0]
    recording.rows[200] = replace(row, values={**row.values, key: row.values[key] + 1e-9})

    found = checked(recording, candles)

    assert faults(found) == 1
    first = found[f"indicators.{row.granularity}"].first
    assert first is not None
    assert first.what.startswith(f"values[{key}] is ")
    assert "is the same candle" in first.cause


def test_a_removed_row_is_missing_and_a_doubled_one_is_there_again() -> None:
    candles = lanes()
    recording = Recording(candles)
    del recording.matrix[100]
    recording.matrix.insert(300, recording.matrix[299])

    found = checked(recording, candles)["matrix"]

    assert (found.missing, found.duplicated, found.mismatches) == (1, 1, 0)


def test_a_removed_signal_is_missing_and_a_doubled_one_is_there_again() -> None:
    candles = lanes()
    recording = Recording(candles)
    removed: Signal = recording.signals.pop(3)
    recording.signals.append(recording.signals[0])

    found = checked(recording, candles)["signals"]

    assert (found.missing, found.duplicated, found.mismatches) == (1, 1, 0)
    assert found.first is not None
    assert found.first.at == min(removed.close_ms, recording.signals[0].close_ms)


def test_rows_that_retention_has_removed_are_not_asked_for() -> None:
    candles = lanes()
    recording = Recording(candles)
    since = candles[0][400].close_ms
    recording.rows = [row for row in recording.rows if row.close_ms >= since]
    recording.matrix = [row for row in recording.matrix if row.close_ms >= since]

    found = checked(recording, candles)

    assert faults(found) == 0
    assert found["indicators.5m"].from_ms == since
    assert found["indicators.5m"].compared == len(candles[0]) - 400 + 400 % 2


def test_rows_of_other_code_and_configuration_are_not_compared_where_they_differ() -> None:
    candles = lanes()
    recording = Recording(candles)
    same, differing, other = recording.rows[10], recording.rows[20], recording.rows[30]
    recording.rows[10] = replace(same, code="older")
    recording.rows[20] = replace(differing, code="older", values={})
    recording.rows[30] = replace(other, config="other", values={})

    found = checked(recording, candles)
    reasons = merged(found[name] for name in found)
    counted = {cause: n for each in reasons for cause, n in each.not_compared.items()}

    assert faults(found) == 0
    assert counted == {OTHER_CODE: 1, OTHER_CONFIG: 1}


def test_only_what_lies_between_two_times_is_compared() -> None:
    candles = lanes()
    recording = Recording(candles)
    begin, end = candles[0][200].close_ms, candles[0][400].close_ms

    found = checked(recording, candles, Bounds(begin, end))

    assert found["indicators.5m"].compared == 200
    assert faults(found) == 0
    inside = [each for each in recording.signals if begin <= each.close_ms < end]
    assert found["signals"].compared == len(inside)


def test_partitions_give_the_same_digests_in_any_order() -> None:
    candles = lanes()
    whole = checked(Recording(candles), candles)
    parts: list[Checked] = []
    for symbol in (ETH, BTC):
        own = [[each for each in lane if each.symbol == symbol] for lane in candles]
        parts += checked(Recording(own), own).values()

    found = {each.topic: each for each in merged(parts)}

    assert found == whole
    assert len(found["matrix"].days) == 2
