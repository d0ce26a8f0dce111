"""What the venue has at a moment: rounds, holes, forming bars, ticks within the budget."""

from pathlib import Path

import pytest

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS, Granularity
from chandler.core.resample import Bar, resample, resample_by
from chandler.exchanges.simulator.config import SimulatorConfig, SimulatorError
from chandler.exchanges.simulator.faults import is_missing
from chandler.exchanges.simulator.market import SPACINGS, Market, cadence, start_ms
from chandler.exchanges.simulator.recording import SHIPPED, SLOT_MS, read_recording
from tests.exchanges.simulator.venue import ORIGIN_MS, candles, write_csv

FIVE, HOUR = SPACINGS["5m"], SPACINGS["1H"]
END = 2**60


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return make(tmp_path)


def make(tmp_path: Path, loop: bool = True) -> Market:
    file = write_csv(tmp_path / "candles.csv", candles("AAAUSDT", "BBBUSDT"))
    return Market(read_recording(file, 2, 1), 1, loop)


def test_candles_are_the_recorded_doubles(market: Market) -> None:
    rows = [row for row in candles("AAAUSDT", "BBBUSDT") if row["symbol"] == market.symbols[0]]

    bars = market.bars(0, FIVE, END, 1000, ORIGIN_MS + DAY_MS)

    assert [bar[:6] for bar in bars] == [tuple(list(row.values())[1:]) for row in rows]


def test_rounds_are_moved_by_the_recordings_length_and_earlier_ones_stay(market: Market) -> None:
    bars = market.bars(0, FIVE, END, 1000, ORIGIN_MS + 3 * DAY_MS)

    assert len(bars) == 3 * 288
    first, second = bars[:288], bars[288:576]
    assert [bar._replace(open_ms=bar.open_ms + DAY_MS) for bar in first] == second


def test_without_a_loop_the_candles_end(tmp_path: Path) -> None:
    market = make(tmp_path, loop=False)

    bars = market.bars(0, FIVE, END, 1000, ORIGIN_MS + 3 * DAY_MS)

    assert len(bars) == 288
    assert market.forming(0, FIVE, ORIGIN_MS + DAY_MS) is None


@pytest.mark.parametrize("name", ["15m", "30m", "1H", "4H", "1D"])
def test_longer_granularities_equal_the_resampled_ones(market: Market, name: str) -> None:
    now = ORIGIN_MS + DAY_MS
    five = market.bars(0, FIVE, END, 1000, now)
    spacing = SPACINGS["1Dutc" if name == "1D" else name]

    assert market.bars(0, spacing, END, 1000, now) == resample(five, Granularity(name))


def test_the_plain_day_begins_at_four_in_the_afternoon(market: Market) -> None:
    (bar,) = market.bars(0, SPACINGS["1D"], END, 1, ORIGIN_MS + 3 * DAY_MS)

    assert bar.open_ms % DAY_MS == 16 * HOUR_MS


def test_minutes_resample_to_the_five(market: Market) -> None:
    now = ORIGIN_MS + 6 * HOUR_MS
    minutes = market.bars(0, SPACINGS["1m"], END, 1000, now)

    five = resample_by(minutes, SLOT_MS, 0)

    assert [bar[:6] for bar in five] == [bar[:6] for bar in market.bars(0, FIVE, END, 100, now)]


@pytest.mark.parametrize("name", ["1m", "5m", "1H", "4H", "1Dutc"])
def test_a_forming_bar_grows_into_the_final_one(market: Market, name: str) -> None:
    spacing = SPACINGS[name]
    close_ms = ORIGIN_MS + 8 * HOUR_MS if name != "1Dutc" else ORIGIN_MS + DAY_MS
    seen: list[Bar] = []
    for before in (250_000, 31_000, 1):
        bar = market.forming(0, spacing, close_ms - before)
        if bar is not None and bar.open_ms == close_ms - spacing.interval_ms:
            seen.append(bar)

    assert seen
    assert seen[-1] == market.bars(0, spacing, END, 1, close_ms)[-1]
    assert all(bar.high <= seen[-1].high and bar.volume <= seen[-1].volume for bar in seen)


def test_the_venue_lacks_exactly_the_slots_that_the_seed_takes(market: Market) -> None:
    market.lack(0.05, seed=9)
    now = ORIGIN_MS + 2 * DAY_MS
    opens = {bar.open_ms for bar in market.bars(0, FIVE, END, 1000, now)}

    slots = range(ORIGIN_MS + SLOT_MS, now, SLOT_MS)
    expected = {at for at in slots if is_missing(9, market.symbols[0], at, 0.05)}

    assert 10 < len(expected) < 60
    assert set(range(ORIGIN_MS, now, SLOT_MS)) - opens == expected
    assert ORIGIN_MS in opens


@pytest.mark.parametrize("missing", [0.3, 1.0])
def test_a_slot_that_the_venue_lacks_changes_nothing_in_longer_bars(
    market: Market, missing: float
) -> None:
    now = ORIGIN_MS + 20 * HOUR_MS + 31 * MINUTE_MS
    five = market.bars(0, FIVE, END, 1000, now)
    forming = market.forming(0, HOUR, now)
    price = market.last_price(0, now)

    market.lack(missing, seed=9)

    assert len(market.bars(0, FIVE, END, 1000, now)) < len(five)
    assert market.bars(0, HOUR, END, 100, now) == resample(five, Granularity("1H"))[:-1]
    assert market.forming(0, HOUR, now) == forming
    assert market.last_price(0, now) == price


def test_of_a_slot_that_the_venue_lacks_nothing_forms(market: Market) -> None:
    market.lack(1.0, seed=9)
    now = ORIGIN_MS + 2 * HOUR_MS + 2 * MINUTE_MS + 30_000

    assert market.forming(0, FIVE, now) is None
    assert market.forming(0, SPACINGS["1m"], now) is None
    assert market.bars(0, SPACINGS["1m"], END, 7, now)[-1:] == market.bars(
        0, SPACINGS["1m"], ORIGIN_MS + SLOT_MS, 1, now
    )


def test_an_hour_that_was_not_recorded_is_missing_as_a_whole(tmp_path: Path) -> None:
    rows = candles("AAAUSDT")
    file = write_csv(tmp_path / "gap.csv", rows[:12] + rows[24:])
    market = Market(read_recording(file, 1, 1), 1, loop=True)

    bars = market.bars(0, HOUR, END, 100, ORIGIN_MS + 4 * HOUR_MS)

    assert [(bar.open_ms - ORIGIN_MS) // HOUR_MS for bar in bars] == [0, 2, 3]


def test_what_the_venue_had_it_keeps_when_faults_change(market: Market) -> None:
    now = ORIGIN_MS + 10 * HOUR_MS
    market.lack(0.2, seed=3)
    before = market.bars(0, FIVE, END, 1000, now)

    market.lack(0.0, seed=3, since_ms=now)

    assert market.bars(0, FIVE, END, 1000, now) == before
    later = market.bars(0, FIVE, END, 1000, now + 5 * HOUR_MS)
    assert len(later) == len(before) + 60


@pytest.mark.parametrize("symbols", [1, 40, 200])
@pytest.mark.parametrize("speed", [1.0, 60.0, 300.0, 3600.0])
def test_ticks_stay_within_the_budget_of_wall_time(symbols: int, speed: float) -> None:
    spaced = cadence(symbols, speed, 250)

    in_frame = spaced.slot_ticks or 4
    frame_wall_s = spaced.frame_slots * SLOT_MS / 1000 / speed
    assert symbols * in_frame / frame_wall_s <= 250
    assert in_frame >= 4


@pytest.mark.parametrize("budget", [1000, 250, 80, 20])
def test_ticks_hold_the_extremes_of_each_frame(market: Market, budget: int) -> None:
    market.cadence = cadence(40, 60.0, budget)
    frame = market.cadence.frame_slots
    first = ORIGIN_MS // SLOT_MS // 48 * 48
    for start in range(first, first + 96, frame):
        slots = range(start, start + frame)
        bars = [bar for slot in slots if (bar := market.candle(0, slot)) and bar.volume]
        pushed = []
        for slot in slots:
            way = market.way(0, slot)
            assert way is not None
            pushed += [p.five.close for p, tick in zip(way.points, way.ticks, strict=True) if tick]

        if bars:
            assert max(bar.high for bar in bars) in pushed
            assert min(bar.low for bar in bars) in pushed


def test_the_first_run_begins_after_the_backfill(tmp_path: Path) -> None:
    shipped = read_recording(SHIPPED, 1, 1)
    begin = start_ms(SimulatorConfig(), shipped)

    assert begin == shipped.origin_ms + 4 * DAY_MS

    file = write_csv(tmp_path / "small.csv", candles("AAAUSDT", slots=100))
    assert start_ms(SimulatorConfig(), read_recording(file, 1, 1)) == ORIGIN_MS + 20 * SLOT_MS


def test_a_start_is_a_time_within_the_recording() -> None:
    shipped = read_recording(SHIPPED, 1, 1)

    assert start_ms(SimulatorConfig(start="2024-01-02T01:00:00"), shipped) == (
        ORIGIN_MS + DAY_MS + 60 * MINUTE_MS
    )
    for wrong in ("soon", "2023-12-31", "2024-02-01T00:00:00+00:00"):
        with pytest.raises(SimulatorError, match=r"simulator\.start"):
            start_ms(SimulatorConfig(start=wrong), shipped)
