"""The report's page: what it is given, how large it is, and that nothing in it gets out."""

import base64
import json
import re

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given

from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.replay.metrics import measure
from chandler.replay.report import compare, comparison_page, frames, page, run_of
from chandler.replay.report.payload import POINTS_MAX, TRADES_MAX, payload
from chandler.replay.thinning import merged, thinned
from tests.replay.results import FROM_MS, changed, made

EVIL = "</script><script>alert(1)</script><!--{{data}}"


def data_of(text):
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def given_to(result):
    return payload(result, measure(result))


def bars_of(closes, step_ms=MINUTE_MS):
    closes = np.asarray(closes, dtype=float)
    open_ms = FROM_MS + step_ms * np.arange(len(closes))
    return {"open_ms": open_ms, "open": closes, "high": closes + 1, "low": closes - 1,
            "close": closes}  # fmt: skip


def test_words_of_a_profile_end_no_script():
    result = made(days=5, trades=6)
    trades = [msgspec.structs.replace(each, source=EVIL, reason=EVIL, symbol=EVIL) for each in
              result.trades]  # fmt: skip
    origin = msgspec.structs.replace(result.origin, profile=EVIL)
    result = changed(result, trades=trades, origin=origin, notes=[EVIL], refusals={EVIL: {EVIL: 1}})

    text = page(result, measure(result))

    assert EVIL not in text
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert data_of(text)["origin"]["profile"] == EVIL


def test_the_page_asks_for_nothing():
    result = made(days=5, trades=6)
    for text in (
        page(result, measure(result)),
        comparison_page(*compared(result, changed(result, trades=result.trades[1:]))),
    ):
        assert "default-src 'none'" in text
        assert not re.findall(r"(?:src|href)=\"(?!#|data:)[^\"]", text)
        assert "{{" not in text.split('id="data">')[0]


def compared(one, other):
    first, second = run_of("one", one, measure(one)), run_of("two", other, measure(other))
    return compare(first, second), first, second


@given(
    arrays.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6)),
    st.integers(8, 60),
)
def test_a_thinned_curve_keeps_its_ends_and_extremes(values, points_max):
    kept = thinned(values, points_max)

    assert len(kept) <= max(points_max, 8)
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()


def test_a_long_curve_says_that_it_was_thinned():
    found = given_to(made(days=20, trades=10))

    assert all(len(each["t"]) <= POINTS_MAX for each in found["curves"])
    assert any("peak and trough" in note for note in found["thinned"])


def test_merged_candles_keep_opens_closes_and_extremes():
    bars, length_ms = merged(bars_of([5, 9, 2, 7, 8, 1]), 3)

    assert length_ms == 5 * MINUTE_MS  # one that people know
    assert bars["open"].tolist() == [5, 1]
    assert bars["high"].tolist() == [10, 2]
    assert bars["low"].tolist() == [1, 0]
    assert bars["close"].tolist() == [8, 1]


def test_candles_that_fit_stay_as_they_are_and_no_candles_are_none():
    bars, length_ms = merged(bars_of([5, 9, 2], HOUR_MS), 3)

    assert (bars["close"].tolist(), length_ms) == ([5, 9, 2], HOUR_MS)
    assert merged(bars_of([]), 3)[1] == 0


def test_candles_come_back_from_their_packing():
    result = made(days=2, trades=30, symbols=1)
    packed = given_to(result)["bars"]["BTCUSDT"]
    prices = np.frombuffer(base64.b64decode(packed["prices"]), "<f4").reshape(-1, 4)

    assert packed["count"] == len(result.at_ms)
    assert packed["slots"] == ""  # none is missing
    assert prices[:, 3] == pytest.approx(result.bars["BTCUSDT"]["close"], rel=1e-6)


def test_a_gap_in_the_candles_stays_a_gap():
    result = made(days=2, trades=30, symbols=1)
    held = {
        name: np.delete(values, slice(10, 20)) for name, values in result.bars["BTCUSDT"].items()
    }
    packed = given_to(changed(result, bars={"BTCUSDT": held}))["bars"]["BTCUSDT"]
    slots = np.frombuffer(base64.b64decode(packed["slots"]), "<i4")

    assert slots[9:11].tolist() == [9, 20]


def test_bins_hold_every_closed_trade_and_have_an_edge_at_nothing():
    result = made(days=20, trades=300)
    bins = given_to(result)["bins"]

    assert sum(count for _, _, count in bins) == sum(1 for each in result.trades if each.closed_ms)
    assert 0.0 in {edge for low, high, _ in bins for edge in (low, high)}
    assert len(bins) <= 50


def test_many_symbols_and_trades_stay_below_ten_megabytes():
    """200 symbols over a year of hours; the page says what it left out."""
    result = made(days=365, trades=1_000, symbols=200, step_ms=HOUR_MS)
    result = changed(result, trades=result.trades * 25)

    text = page(result, measure(result))
    found = data_of(text)

    assert len(text) < 10_000_000
    assert len(found["trades"]) == TRADES_MAX
    assert any("25,000 trades" in note for note in found["thinned"])
    assert any("symbols are longer than" in note for note in found["thinned"])
    assert found["metrics"]["portfolio"]["trades"]["trades"] > 24_000


def test_frames_are_for_notebooks():
    result = made(days=20, trades=40)
    equity, trades = frames(result)

    assert list(trades.columns[:5]) == ["symbol", "side", "agent", "opened_at", "closed_at"]
    assert list(trades.columns[-2:]) == ["id", "order"]
    assert equity.index.name == "at"
    assert str(equity.index.tz) == "UTC"
    assert equity["portfolio"].iloc[-1] == pytest.approx(equity["steady"].iloc[-1]
                                                         + equity["bold"].iloc[-1])  # fmt: skip
    assert trades["pnl"].sum() == pytest.approx(float(sum(each.pnl for each in result.trades)))
    assert trades["closed_at"].isna().sum() == sum(
        1 for each in result.trades if not each.closed_ms
    )


def test_frames_of_nothing_have_their_columns():
    equity, trades = frames(made(days=1, trades=0))

    assert len(trades) == 0
    assert "closed_at" in trades.columns
    assert len(equity) == 288
