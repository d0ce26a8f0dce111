"""The seeded way inside a candle keeps what it is made from."""

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.granularity import MINUTE_MS
from chandler.core.resample import Bar, resample_by, typical_quote_volume
from chandler.exchanges.simulator.path import points, split

SLOT_MS = 300_000


@st.composite
def candles(draw: st.DrawFn) -> tuple[Bar, int]:
    decimals = draw(st.integers(0, 8))
    steps = st.integers(1, 10**7).map(lambda n: round(n / 10**decimals, decimals))
    low, inner, other, high = sorted(draw(st.tuples(steps, steps, steps, steps)))
    opened, close = draw(st.permutations([inner, other]))
    volume = draw(st.floats(0, 1e12, allow_nan=False))
    quote = typical_quote_volume(high, low, close, volume)
    return Bar(SLOT_MS * 7, opened, high, low, close, volume, quote), decimals


@given(candles(), st.text(max_size=8))
def test_five_minutes_resample_to_the_candle_exactly(drawn: tuple[Bar, int], seed: str) -> None:
    candle, decimals = drawn

    minutes = split(candle, decimals, seed)

    (whole,) = resample_by(minutes, SLOT_MS, 0)
    assert whole[:6] == candle[:6]
    for number, minute in enumerate(minutes):
        assert minute.open_ms == candle.open_ms + number * MINUTE_MS
        assert candle.low <= minute.low <= min(minute.open, minute.close)
        assert max(minute.open, minute.close) <= minute.high <= candle.high
        assert minute.volume >= 0


@given(candles(), st.integers(1, 60), st.text(max_size=8))
def test_points_visit_every_extreme_and_end_on_the_candle(
    drawn: tuple[Bar, int], count: int, seed: str
) -> None:
    candle, decimals = drawn
    minutes = split(candle, decimals, seed)

    path = points(candle, minutes, count, decimals, seed)

    assert path[-1].five == candle
    times = [point.at_ms for point in path]
    assert times == sorted(times)
    assert times[0] == candle.open_ms
    assert times[-1] == candle.open_ms + SLOT_MS - 1
    for minute in minutes:
        inside = [p for p in path if p.minute.open_ms == minute.open_ms]
        assert inside[-1].minute == minute
        assert {minute.open, minute.high, minute.low, minute.close} <= {
            p.minute.close for p in inside
        }
        assert all(minute.low <= p.minute.close <= minute.high for p in inside)


@given(candles(), st.integers(4, 20))
def test_volume_only_grows_within_a_candle(drawn: tuple[Bar, int], count: int) -> None:
    candle, decimals = drawn

    path = points(candle, split(candle, decimals, "s"), count, decimals, "s")

    volumes = [point.five.volume for point in path]
    assert volumes == sorted(volumes)


def test_the_same_seed_gives_the_same_way_and_another_one_another() -> None:
    candle = Bar(SLOT_MS, 10.0, 12.0, 9.0, 11.0, 100.0, 1000.0)

    assert split(candle, 2, "a") == split(candle, 2, "a")
    assert split(candle, 2, "a") != split(candle, 2, "b")


def test_minutes_do_not_depend_on_how_many_points_there_are() -> None:
    candle = Bar(SLOT_MS, 10.0, 12.0, 9.0, 11.0, 100.0, 1000.0)
    minutes = split(candle, 2, "a")

    for count in (4, 30):
        path = points(candle, minutes, count, 2, "a")

        last = {point.minute.open_ms: point.minute for point in path}
        assert tuple(last.values()) == minutes
