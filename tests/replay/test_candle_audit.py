"""The audit of sealed candles: pure, over events."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.resample import Bar, resample
from chandler.replay.audit.candles import CandleAudit, Compared, Comparison

BTC = Symbol("BTCUSDT")
M5, H1, M1 = Granularity("5m"), Granularity("1H"), Granularity("1m")
START_MS = 1_704_067_200_000
STEP_MS = interval_ms(M5)


def bar(number: int) -> Bar:
    price = 100.0 + number % 7
    return Bar(START_MS + number * STEP_MS, price, price + 2, price - 1, price + 1, 1.5, 150.0)


def sealed(row: Bar, granularity: Granularity = M5, symbol: str = "BTCUSDT") -> CandleSealed:
    return CandleSealed(symbol=Symbol(symbol), granularity=granularity, **row._asdict())


def missing(number: int) -> CandleMissing:
    return CandleMissing(symbol=BTC, granularity=M5, open_ms=START_MS + number * STEP_MS)


def audited(events: Sequence[Candle]) -> CandleAudit:
    audit = CandleAudit()
    for event in events:
        audit.take(event)
    return audit


def recorded(symbol: Symbol, open_ms: int) -> Bar | None:
    number = (open_ms - START_MS) // STEP_MS
    return bar(number) if 0 <= number < 36 else None


def test_candles_in_order_and_slots_the_venue_lacks_are_well() -> None:
    audit = audited([sealed(bar(0)), sealed(bar(1)), missing(2), sealed(bar(3))])

    assert audit.well
    assert audit.line == "candles=3 resealed=0 gaps=0 out_of_order=0 missing_at_venue=1"


def test_symbols_that_end_well_before_the_others_are_told_and_no_gap() -> None:
    rows = [sealed(bar(number)) for number in range(9)]
    little = [sealed(bar(number), symbol="ETHUSDT") for number in range(7)]
    far = [sealed(bar(number), symbol="SOLUSDT") for number in range(4)]

    assert audited(rows + little).behind() == []
    audit = audited(rows + little + far)

    assert audit.well
    assert audit.gaps == 0
    assert [(each.symbol, each.series, each.slots) for each in audit.behind()] == [
        ("SOLUSDT", 1, 5)
    ]
    assert "SOLUSDT by 5 candles" in audit.behind()[0].line


def test_nothing_to_look_at_is_a_failure() -> None:
    assert not CandleAudit().well


def test_a_second_record_of_a_slot_is_resealed_even_if_it_is_equal() -> None:
    audit = audited([sealed(bar(0)), sealed(bar(1)), sealed(bar(1)), missing(0)])

    assert (audit.resealed, audit.well) == (2, False)
    assert audit.faults[0].line == "resealed BTCUSDT 5m 2024-01-01 00:05"


def test_a_slot_that_never_came_is_a_gap() -> None:
    audit = audited([sealed(bar(0)), sealed(bar(4))])

    assert (audit.gaps, audit.well) == (3, False)
    assert audit.gap_faults()[0].line == ("gap BTCUSDT 5m 2024-01-01 00:05: up to 2024-01-01 00:20")


def test_a_slot_that_came_late_is_out_of_order_and_no_gap() -> None:
    audit = audited([sealed(bar(0)), sealed(bar(2)), sealed(bar(1)), sealed(bar(3))])

    assert (audit.gaps, audit.out_of_order, audit.resealed) == (0, 1, 0)


def test_granularities_and_symbols_are_told_apart() -> None:
    hour = resample([bar(n) for n in range(12)], H1)[0]
    audit = audited([sealed(bar(0)), sealed(hour, H1), sealed(bar(0), symbol="ETHUSDT")])

    assert audit.well
    assert audit.by_granularity == {M5: 2, H1: 1}


def test_an_open_time_beside_its_slot_is_a_fault() -> None:
    audit = audited([sealed(bar(0)._replace(open_ms=START_MS + 1))])

    assert not audit.well
    assert audit.line.endswith("misaligned=1")


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_whatever_the_order_slots_are_counted_once(order: list[int], left_out: set[int]) -> None:
    published = [number for number in order if number not in left_out]
    audit = audited([sealed(bar(number)) for number in published])

    inner = range(min(published, default=0), max(published, default=0))
    assert audit.gaps == len([number for number in inner if number in left_out])
    assert audit.resealed == 0
    assert audit.candles == len(published)
    rises = sum(n < max(published[:i], default=-1) for i, n in enumerate(published))
    assert audit.out_of_order == rises


def test_candles_equal_to_the_recording_do_not_differ() -> None:
    comparison = Comparison(["BTCUSDT"], recorded)
    rows = [bar(number) for number in range(24)]

    for event in [sealed(row) for row in rows] + [sealed(row, H1) for row in resample(rows, H1)]:
        comparison.take(event)

    assert comparison.finish() == {M5: Compared(24, 0), H1: Compared(2, 0)}


def test_a_changed_volume_differs() -> None:
    comparison = Comparison(["BTCUSDT"], recorded)
    comparison.take(sealed(bar(0)._replace(volume=1.6)))

    assert comparison.finish() == {M5: Compared(1, 1)}
    assert comparison.faults[0].kind == "differing"


def test_a_slot_that_the_venue_lacks_is_in_the_hour_all_the_same() -> None:
    comparison = Comparison(["BTCUSDT"], recorded)
    rows = [bar(number) for number in range(12)]

    comparison.take(sealed(resample(rows, H1)[0], H1))
    for number, row in enumerate(rows):
        comparison.take(missing(5) if number == 5 else sealed(row))

    assert comparison.finish() == {M5: Compared(11, 0), H1: Compared(1, 0)}


def test_an_hour_whose_last_base_candle_is_not_out_yet_is_not_judged() -> None:
    comparison = Comparison(["BTCUSDT"], recorded)
    rows = [bar(number) for number in range(12)]
    comparison.take(sealed(rows[0]))
    comparison.take(sealed(resample(rows[:-1], H1)[0], H1))

    assert comparison.finish() == {M5: Compared(1, 0)}
    assert comparison.skipped == 1


def test_symbols_that_the_recording_lacks_and_short_candles_are_only_counted() -> None:
    comparison = Comparison(["BTCUSDT"], recorded)
    comparison.take(sealed(bar(0), symbol="SYN001USDT"))
    comparison.take(sealed(bar(0), M1))

    assert comparison.finish() == {}
    assert (comparison.skipped, comparison.skipped_symbols) == (2, {"SYN001USDT"})
