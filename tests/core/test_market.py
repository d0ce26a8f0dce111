"""Views of the market: windows in event time from running totals."""

import random
from math import sqrt

import pytest

from chandler.core.events import CandleMissing, CandleSealed, MarketView, Symbol
from chandler.core.granularity import Granularity
from chandler.core.market.windows import BASE, RANKED, SLOTS, STEP_MS, WINDOWS, Market, next_row

START_MS = 1_700_000_100_000 // STEP_MS * STEP_MS


def candle(symbol: str, step: int, close: float, quote_volume: float = 1.0) -> CandleSealed:
    return CandleSealed(
        symbol=Symbol(symbol),
        granularity=BASE,
        open_ms=START_MS + (step - 1) * STEP_MS,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=quote_volume / close,
        quote_volume=quote_volume,
    )


def close_ms(step: int) -> int:
    return START_MS + step * STEP_MS


def take(market: Market, event: CandleSealed | CandleMissing) -> None:
    row = next_row(market.newest(event.symbol), event)
    if row is not None:
        market.put(event.symbol, row)


def shown(market: Market, step: int) -> dict[str, MarketView]:
    return {view.window: view for view in market.show(close_ms(step))}


def test_a_window_equals_the_same_figures_computed_from_all_its_candles() -> None:
    generator = random.Random(7)
    market = Market()
    closes: dict[str, list[float]] = {name: [100.0] for name in ("A", "B", "C")}
    volumes: dict[str, list[float]] = {name: [0.0] for name in closes}
    for step in range(600):
        for name in closes:
            closes[name].append(closes[name][-1] * (1 + generator.uniform(-0.02, 0.02)))
            volumes[name].append(generator.uniform(1, 1_000))
            take(market, candle(name, step + 1, closes[name][-1], volumes[name][-1]))

    views = shown(market, 600)

    for window, steps in WINDOWS.items():
        view = views[window]
        changes = {name: row[-1] / row[-1 - steps] - 1 for name, row in closes.items()}
        assert dict(view.movers_up + view.movers_down) == pytest.approx(changes)
        assert dict(view.leaders) == pytest.approx(
            {name: sum(row[-steps:]) for name, row in volumes.items()}
        )
        squares = {
            name: [(b / a - 1) ** 2 for a, b in zip(row[-steps - 1 :], row[-steps:], strict=False)]
            for name, row in closes.items()
        }
        assert dict(view.volatility) == pytest.approx(
            {name: sqrt(sum(row) / steps) for name, row in squares.items()}
        )
        assert view.up == pytest.approx(sum(c > 0 for c in changes.values()) / 3)


def test_the_strongest_come_first_and_no_list_is_longer_than_ranked() -> None:
    market = Market()
    for number in range(30):
        take(market, candle(f"S{number:02}", 0, 100.0))
        take(market, candle(f"S{number:02}", 1, 100.0 + number - 15, quote_volume=number + 1.0))

    view = shown(market, 1)["5m"]

    assert [name for name, _ in view.movers_up[:2]] == ["S29", "S28"]
    assert [name for name, _ in view.movers_down[:2]] == ["S00", "S01"]
    assert view.leaders[0] == ("S29", 30.0)
    assert len(view.movers_up) == len(view.leaders) == RANKED
    assert view.up == pytest.approx(14 / 30)
    assert view.down == pytest.approx(15 / 30)


def test_a_close_is_due_when_every_symbol_has_it() -> None:
    market = Market()
    for name in ("A", "B", "C"):
        take(market, candle(name, 1, 100.0))
    market.show(close_ms(1))

    take(market, candle("A", 2, 100.0))
    take(market, candle("B", 2, 100.0))
    early = market.due()
    take(market, candle("C", 2, 100.0))

    assert early is None
    assert market.due() == close_ms(2)


def test_a_close_is_due_without_the_stragglers_when_half_are_past_it() -> None:
    market = Market()
    for name in ("A", "B", "C"):
        take(market, candle(name, 1, 100.0))
    market.show(close_ms(1))

    for name in ("A", "B"):
        take(market, candle(name, 2, 100.0))
        take(market, candle(name, 3, 100.0))

    assert market.due() == close_ms(2)


def test_a_close_is_due_again_when_a_straggler_catches_up() -> None:
    """After a restart half the partitions were read first: the last close stayed half shown."""
    market = Market()
    for step in range(1, 30):
        take(market, candle("A", step, 100.0))
        take(market, candle("B", step, 100.0))
    take(market, candle("LATE", 28, 100.0))
    half = shown(market, 29)["5m"].symbols
    after_half = market.due()

    take(market, candle("LATE", 29, 100.0))

    assert half == 2
    assert after_half is None
    assert market.due() == close_ms(29)
    assert shown(market, 29)["5m"].symbols == 3
    assert market.due() is None


def test_a_delisted_symbol_is_not_waited_for() -> None:
    market = Market()
    for name in ("A", "B", "GONE"):
        take(market, candle(name, 1, 100.0))
    for step in range(2, 40):
        take(market, candle("A", step, 100.0))
        take(market, candle("B", step, 100.0))

    assert market.due() == close_ms(39)


def test_a_few_symbols_go_on_when_most_are_no_longer_ingested() -> None:
    """After 40 symbols three were ingested: the view stood at the forty's last close for ever."""
    market = Market()
    names = [f"S{number}" for number in range(40)]
    for name in names:
        take(market, candle(name, 1, 100.0))
    market.show(close_ms(1))

    for step in range(2, 20):
        for name in names[:3]:
            take(market, candle(name, step, 100.0))

    assert market.due() == close_ms(19)


def test_the_same_candle_twice_changes_nothing() -> None:
    market = Market()
    take(market, candle("A", 1, 100.0))

    assert next_row(market.newest(Symbol("A")), candle("A", 1, 100.0)) is None


def test_a_missing_slot_repeats_the_close_and_keeps_the_window() -> None:
    market = Market()
    take(market, candle("A", 1, 100.0))
    missing = CandleMissing(symbol=Symbol("A"), granularity=Granularity("5m"), open_ms=close_ms(1))
    take(market, missing)
    take(market, candle("A", 3, 110.0))

    view = shown(market, 3)["5m"]

    assert dict(view.movers_up) == pytest.approx({"A": 0.1})


def test_a_row_that_was_lost_costs_its_own_close_and_no_window() -> None:
    """faust commits offsets before its changelog is out: a crash in between loses a row."""
    market = Market()
    for step in (*range(1, 7), *range(8, 20)):
        take(market, candle("A", step, 100.0 + step))

    assert dict(shown(market, 19)["5m"].movers_up) == pytest.approx({"A": 119 / 118 - 1})
    assert dict(shown(market, 18)["1h"].movers_up) == pytest.approx({"A": 118 / 106 - 1})
    assert "1h" not in shown(market, 19)


def test_no_window_spans_a_long_hole() -> None:
    """Totals on both sides of it don't belong together."""
    market = Market()
    take(market, candle("A", 1, 100.0))
    take(market, candle("A", 15, 100.0))
    for step in range(16, 25):
        take(market, candle("A", step, 100.0 + step))

    assert "24h" not in shown(market, 24)
    assert "1h" not in shown(market, 24)
    assert "5m" in shown(market, 24)


def test_a_symbol_keeps_the_rows_of_a_day_and_no_more() -> None:
    market = Market()
    for step in range(1, SLOTS + 2):
        take(market, candle("A", step, 100.0))

    assert market.row(Symbol("A"), close_ms(1)) is None
    assert market.row(Symbol("A"), close_ms(2)) is not None
