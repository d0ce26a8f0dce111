"""The pump guard's fold: what a pump is, and that only the inputs' content decides."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import CandleMissing, CandleSealed, DeadLetter, Event, Ticker
from chandler.core.granularity import MINUTE_MS
from chandler.core.market.pump import MINUTE, WAITING_MAX, PumpSeries, stage
from chandler.core.stage import HoleError
from chandler.core.trading.agents import PumpConfig
from chandler.core.trading.events import PumpState, TickersOut
from tests.candles import BTC, START_MS

CONFIG = PumpConfig(
    rise_percent=3.0,
    window_min=3,
    volume_ratio=2.0,
    usual_min=6,
    calm_percent=1.0,
    cool_down_min=4,
    mirror=True,
)
HEARTBEAT_MS = 2 * MINUTE_MS
STAGE = stage(CONFIG, heartbeat_ms=HEARTBEAT_MS)


def minute(number: int, price: float = 100.0, volume: float = 10.0, **more: float) -> CandleSealed:
    """The candle of the minute after START_MS + number minutes."""
    candle = CandleSealed(
        symbol=BTC,
        granularity=MINUTE,
        open_ms=START_MS + number * MINUTE_MS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=volume,
        quote_volume=volume * price,
    )
    return msgspec.structs.replace(candle, **more)


def tick(minutes: float, price: float, volume: float = 0.0) -> Ticker:
    """A ticker so many minutes after START_MS."""
    at = START_MS + round(minutes * MINUTE_MS)
    text = repr(price)
    return Ticker(
        symbol=BTC,
        at=at,
        last=text,
        bid=text,
        ask=text,
        mark=text,
        minute_open_ms=at - at % MINUTE_MS,
        minute_volume=volume,
    )


def fold(
    events: Sequence[Event], state: PumpSeries | None = None
) -> tuple[PumpSeries, list[Event]]:
    state = state or STAGE.start(BTC)
    made: list[Event] = []
    for event in events:
        state = msgspec.json.decode(msgspec.json.encode(state), type=PumpSeries)
        state, outputs = STAGE.step(state, event)
        made += [output.event for output in outputs]
    return state, made


def records(made: Sequence[Event]) -> list[PumpState]:
    return [event for event in made if isinstance(event, PumpState)]


def said(made: Sequence[Event]) -> list[tuple[float, str, str]]:
    """(minutes, kind, pump) of each record."""
    return [((each.at - START_MS) / MINUTE_MS, each.kind, each.pump) for each in records(made)]


CALM = [minute(number) for number in range(9)]


def test_a_fast_rise_with_unusual_volume_is_a_pump() -> None:
    _, made = fold([*CALM, tick(9.25, 101.0), tick(9.5, 103.0, 60.0)])

    assert said(made) == [(9.25, "heartbeat", "none"), (9.5, "started", "up")]
    record = records(made)[-1]
    assert record.since_ms == record.at
    assert record.change == pytest.approx(0.03)
    assert record.volume_ratio == pytest.approx(80 / 30)
    assert record.blocks("short")
    assert not record.blocks("long")


def test_the_same_rise_with_the_usual_volume_is_none() -> None:
    _, made = fold([*CALM, tick(9.25, 101.0), tick(9.5, 103.0, 10.0)])

    assert said(made) == [(9.25, "heartbeat", "none")]


def test_a_slow_rise_is_none() -> None:
    rising = [minute(number, 100.0 + number * 0.9, 10.0 + 9**number) for number in range(9)]

    _, made = fold([*rising, tick(9.5, 108.2, 1e12)])

    assert said(made) == [(9.5, "heartbeat", "none")]


def test_a_symbol_that_is_too_new_for_a_usual_volume_is_judged_by_its_price_alone() -> None:
    _, made = fold([minute(0), minute(1, 99.9), tick(2.5, 103.0, 0.1)])

    assert said(made) == [(2.5, "started", "up")]
    assert records(made)[0].volume_ratio == 0.0


def test_a_pump_is_held_until_it_has_been_calm_for_long_enough() -> None:
    after = [minute(number, 103.0) for number in range(9, 30)]
    calm = [tick(9.5 + number, 103.0) for number in range(1, 16)]
    restless = msgspec.structs.replace(calm[4], last="105.0")
    events = [*CALM, tick(9.5, 103.0, 60.0), *after, *calm[:4], restless, *calm[5:]]

    _, made = fold(events)

    changes = [each for each in said(made) if each[1] != "heartbeat"]
    # 100 leaves the window at 12:00, so the calm begins there; the jump at 14.5 ends it.
    assert changes == [(9.5, "started", "up"), (19.5, "ended", "none")]
    assert {each[2] for each in said(made) if 9.5 <= each[0] < 19.5} == {"up"}


def test_a_crash_blocks_longs_where_the_mirror_is_configured() -> None:
    fall = [*CALM, tick(9.5, 96.9, 60.0)]
    plain = stage(msgspec.structs.replace(CONFIG, mirror=False), heartbeat_ms=HEARTBEAT_MS)
    state = plain.start(BTC)

    _, made = fold(fall)
    for event in fall:
        state, outputs = plain.step(state, event)

    assert records(made)[0].pump == "down"
    assert records(made)[0].blocks("long")
    assert not records(made)[0].blocks("short")
    assert [each.event.pump for each in outputs if isinstance(each.event, PumpState)] == ["none"]


def test_a_crash_out_of_a_pump_blocks_both_sides() -> None:
    _, made = fold([*CALM, tick(9.2, 104.0, 60.0), minute(9, 104.0, 90.0), tick(10.2, 99.0, 60.0)])

    assert said(made) == [
        (9.2, "started", "up"),
        (10.0, "heartbeat", "up"),
        (10.2, "started", "up"),
    ]
    assert records(made)[-1].both
    assert records(made)[-1].blocks("long")
    assert records(made)[-1].blocks("short")


def test_the_state_is_said_at_each_boundary_exactly_and_after_each_heartbeat() -> None:
    candles = [minute(number) for number in range(30)]
    ticks = [tick(9.9, 100.0), tick(11.0, 100.0), tick(13.5, 100.0), tick(20.0, 100.0)]

    _, made = fold([*candles, *ticks])

    assert [each[0] for each in said(made)] == [9.9, 10.0, 13.5, 20.0]


def test_a_tick_waits_for_the_candle_of_its_minute() -> None:
    state, before = fold([*CALM[:8], tick(9.5, 103.0, 60.0), tick(9.6, 103.1, 60.0)])
    after, made = fold([CALM[8]], state)

    assert (before, len(state.ticks), after.ticks) == ([], 2, ())
    assert said(made) == [(9.5, "started", "up")]


def test_a_recorded_missing_candle_lets_the_tick_go_on() -> None:
    absent = CandleMissing(symbol=BTC, granularity=MINUTE, open_ms=CALM[8].open_ms)

    _, made = fold([*CALM[:8], tick(9.5, 103.0, 60.0), absent])

    assert said(made) == [(9.5, "started", "up")]


def test_too_many_waiting_ticks_are_judged_without_their_candle_and_told_once() -> None:
    ticks = [tick(9.0 + number / 1_000, 100.0) for number in range(WAITING_MAX + 9)]

    state, made = fold([*CALM[:8], *ticks])
    after, _ = fold([CALM[8]], state)

    letters = [each for each in made if isinstance(each, DeadLetter)]
    assert [each.cause for each in letters] == ["judged without its candle"]
    assert len(state.ticks) == WAITING_MAX
    assert (after.ticks, after.blind) == ((), False)


def test_ticks_before_any_candle_are_forgotten_within_a_bound() -> None:
    state, made = fold([tick(number / 100, 100.0) for number in range(3 * WAITING_MAX)])

    assert (len(state.ticks), made) == (WAITING_MAX, [])


def test_a_skipped_minute_stops_the_fold_with_one_clear_line() -> None:
    state, _ = fold(CALM[:2])

    with pytest.raises(HoleError) as hole:
        STAGE.step(state, CALM[3])

    assert str(hole.value) == (
        "BTCUSDT 1m: candle of 2024-01-01 00:04 follows that of 2024-01-01 00:02: expected "
        "2024-01-01 00:03, look for what is missing in candles.1m"
    )


@pytest.mark.parametrize("last", ["", "abc", "nan", "inf", "-1", "0"])
def test_an_impossible_ticker_is_a_dead_letter(last: str) -> None:
    state, _ = fold(CALM)
    wrong = msgspec.structs.replace(tick(9.5, 100.0), last=last)

    after, (output,) = STAGE.step(state, wrong)

    assert after is state
    assert isinstance(output.event, DeadLetter)
    assert output.event.cause == "impossible ticker"


def test_a_ticker_from_the_future_is_not_judged_and_those_behind_it_are() -> None:
    """Its record would have been the newest for days: no other would have followed."""
    state, _ = fold(CALM)
    ticks = [tick(9.0 + number / 1_000, 100.0) for number in range(WAITING_MAX)]

    after, made = fold([tick(9.0 + 2_880.0, 300.0), *ticks], state)

    assert [each.cause for each in made if isinstance(each, DeadLetter)] == ["not judged"]
    assert said(made) == [(9.0, "heartbeat", "none")]
    assert (after.ticks, after.blind) == ((), False)


def test_other_candles_of_the_same_minute_and_impossible_ones_are_dead_letters() -> None:
    state, _ = fold(CALM)

    same, _ = STAGE.step(state, CALM[8])
    stands, (differs,) = STAGE.step(state, minute(8, 101.0))
    _, outputs = STAGE.step(state, minute(9, 101.0, low=0.0))

    assert same is state
    assert stands is state
    assert isinstance(differs.event, DeadLetter)
    assert differs.event.cause == "candle differs"
    assert isinstance(outputs[0].event, DeadLetter)
    assert outputs[0].event.cause == "impossible candle"


def test_how_far_the_tickers_have_come_changes_nothing() -> None:
    out = TickersOut(shard=0, shards=1, at=START_MS)
    state = STAGE.start(STAGE.key(out))

    assert STAGE.step(state, out) == (state, ())


def test_a_tick_that_says_nothing_new_leaves_the_state_as_it_is() -> None:
    """Each changed state is written: so many records a second would be for nothing."""
    state, _ = fold([*CALM, tick(9.1, 100.0)])

    after, outputs = STAGE.step(state, tick(9.2, 100.1))

    assert (after is state, list(outputs)) == (True, [])


class World(NamedTuple):
    """One symbol's topics, each in its order."""

    candles: list[CandleSealed | CandleMissing]
    ticks: list[Ticker]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(3, 24))
    steps = st.sampled_from([0.0, 0.0, 0.2, -0.3, 1.2, -1.1, 3.3, -3.2])
    price = 100.0
    candles: list[CandleSealed | CandleMissing] = []
    ticks: list[Ticker] = []
    for number in range(count):
        volume = draw(st.sampled_from([0.0, 5.0, 10.0, 80.0]))
        for place in sorted(draw(st.sets(st.integers(0, 59), max_size=3))):
            price *= 1.0 + draw(steps) / 100.0
            ticks.append(tick(number + place / 60.0, price, volume * place / 60.0))
        low, high = sorted((price, price * (1.0 + draw(steps) / 100.0)))
        candle = minute(number, price, volume, low=low, high=high)
        if draw(st.integers(0, 9)) == 0:
            candles.append(CandleMissing(symbol=BTC, granularity=MINUTE, open_ms=candle.open_ms))
        else:
            candles.append(candle)
    # The oldest may wait without being judged: no more ticks than may wait.
    return World(candles[draw(st.integers(0, 2)) :], ticks[-WAITING_MAX:])


@st.composite
def interleaved(draw: st.DrawFn, world: World) -> list[Event]:
    """Both topics, each in its order, in any way into each other."""
    left: list[list[Event]] = [[*world.candles], [*world.ticks]]
    events: list[Event] = []
    while any(left):
        run_of = draw(st.sampled_from([each for each in left if each]))
        taken = draw(st.integers(1, 8))
        events += run_of[:taken]
        del run_of[:taken]
    return events


@given(st.data())
def test_the_records_are_the_same_for_any_interleaving_of_the_inputs(data: st.DataObject) -> None:
    world = data.draw(worlds())
    orders = [data.draw(interleaved(world)) for _ in range(2)]

    states, made = zip(*(fold(order) for order in orders), strict=True)

    assert msgspec.json.encode(made[0]) == msgspec.json.encode(made[1])
    assert states[0].ticks == states[1].ticks


@given(st.data())
def test_what_comes_later_changes_no_earlier_record(data: st.DataObject) -> None:
    world = data.draw(worlds())
    now = START_MS + data.draw(st.integers(1, 24)) * MINUTE_MS
    past = World(
        [each for each in world.candles if each.close_ms <= now],
        [each for each in world.ticks if each.at <= now],
    )

    _, whole = fold(data.draw(interleaved(world)))
    _, part = fold(data.draw(interleaved(past)))

    assert records(part) == records(whole)[: len(records(part))]
    changes = [each for each in records(whole) if each.kind != "heartbeat" and each.at <= now]
    assert changes == [each for each in records(part) if each.kind != "heartbeat"]


@given(st.data())
def test_time_never_goes_back_and_a_pump_lasts_at_least_as_long_as_its_calm(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())

    _, made = fold(data.draw(interleaved(world)))

    found = records(made)
    for before, after in itertools.pairwise(found):
        assert before.at < after.at
        if after.kind == "heartbeat":
            assert (after.pump, after.both) == (before.pump, before.both)
        if after.kind == "ended" and not (before.both or after.both):
            calm = [
                each
                for each in world.ticks
                if after.at - CONFIG.cool_down_min * MINUTE_MS <= each.at <= after.at
            ]
            assert after.at - before.since_ms >= CONFIG.cool_down_min * MINUTE_MS
            assert all(_rise(world, each, before.pump) < CONFIG.calm_percent for each in calm)
        if before.pump != "none" and after.pump == before.pump and not after.both:
            assert after.since_ms == before.since_ms or before.both


def _rise(world: World, tick: Ticker, pump: str) -> float:
    """By the definition, in percent: against every price of the window."""
    opened = tick.at - tick.at % MINUTE_MS - (CONFIG.window_min - 1) * MINUTE_MS
    prices, last = [float(tick.last)], 0.0
    for candle in world.candles:
        if candle.close_ms > tick.at - tick.at % MINUTE_MS:
            break
        if isinstance(candle, CandleSealed):
            last = candle.close
        if candle.close_ms == opened and last:
            prices.append(last)
        if candle.close_ms > opened and isinstance(candle, CandleSealed):
            prices += [candle.low, candle.high]
    if pump == "up":
        return 100.0 * (float(tick.last) / min(prices) - 1.0)
    return 100.0 * (1.0 - float(tick.last) / max(prices))
