"""States of which the newest counts."""

from typing import Any

import msgspec

from chandler.core.events import CandleSealed, MatrixRow, Symbol
from chandler.core.granularity import MINUTE_MS, Granularity
from services.gateway.streaming.telling.states import Forming, Notes, Prices
from tests.services.gateway.streaming.listening import T0, ticker

M5 = Granularity("5m")
STEP = 5 * MINUTE_MS
ALL: frozenset[str] = frozenset()


def parsed(rest: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(b"{" + rest + b"}")
    return found


def candle(ticks: list[tuple[int, str]]) -> dict[str, Any]:
    forming = Forming([M5])
    for at, last in ticks:
        forming.take(ticker(last=last, at=at))
    return parsed(forming.members("BTCUSDT", M5))


def row(close_ms: int, note: float, granularity: str = "5m") -> MatrixRow:
    return MatrixRow(
        symbol=Symbol("BTCUSDT"),
        granularity=Granularity(granularity),
        close_ms=close_ms,
        notes={"trend": {"slope": note}},
        absent={},
        verdicts={"trend": "long"},
        inputs=[],
        config="c",
        code="c",
    )


def test_prices_say_what_changed_and_all():
    prices = Prices()
    prices.take(ticker("BTCUSDT", "1"))
    prices.changed.clear()
    prices.take(ticker("ETHUSDT", "2"))

    assert parsed(prices.members(ALL)) == {"whole": False, "prices": {"ETHUSDT": ["2", "2", T0]}}
    assert set(parsed(prices.members(ALL, whole=True))["prices"]) == {"BTCUSDT", "ETHUSDT"}


def test_of_named_symbols_only_they_are_said():
    prices = Prices()
    prices.take(ticker("BTCUSDT", "1"))

    assert prices.members(frozenset({"ETHUSDT"})) == b""
    assert parsed(prices.members(frozenset({"ETHUSDT"}), whole=True))["prices"] == {}


def test_an_older_price_changes_nothing():
    prices = Prices()
    prices.take(ticker(last="2", at=T0))

    assert not prices.take(ticker(last="1", at=T0 - 1))
    assert parsed(prices.members(ALL))["prices"] == {"BTCUSDT": ["2", "2", T0]}


def test_a_symbol_with_a_name_that_is_no_json_is_still_text():
    prices = Prices()
    prices.take(ticker('A"},<b>', "1"))

    assert list(parsed(prices.members(ALL))["prices"]) == ['A"},<b>']


def test_a_forming_candle_has_its_extremes():
    found = candle([(T0 - 1, "9"), (T0, "5"), (T0 + 1, "7"), (T0 + 2, "4"), (T0 + 3, "6")])

    assert [found[name] for name in ("open_ms", "open", "high", "low", "close")] == [
        T0,
        5,
        7,
        4,
        6,
    ]
    assert found["whole"] is True
    assert found["sealed"] is False


def test_one_that_was_met_on_its_way_is_not_whole():
    assert candle([(T0 + 1, "5")])["whole"] is False
    assert candle([(T0 + 1, "5"), (T0 + 3 * STEP, "5")])["whole"] is False


def test_a_price_that_is_none_forms_nothing():
    assert candle([(T0, "5"), (T0 + 1, "nan"), (T0 + 2, "-1"), (T0 + 3, "x")])["close"] == 5


def test_a_candle_that_is_sealed_has_the_sealed_figures():
    forming = Forming([M5])
    forming.take(ticker(last="5", at=T0))
    sealed = CandleSealed(
        symbol=Symbol("BTCUSDT"),
        granularity=M5,
        open_ms=T0,
        open=1.0,
        high=9.0,
        low=1.0,
        close=4.0,
        volume=1.0,
        quote_volume=1.0,
    )

    forming.sealed(sealed)

    assert parsed(forming.members("BTCUSDT", M5))["high"] == 9.0


def test_the_newest_row_of_each_granularity_counts():
    notes = Notes()
    for each in (row(T0, 0.1), row(T0 + STEP, 0.2), row(T0, 0.3), row(T0, 0.4, "1H")):
        notes.take(each)

    rows = parsed(notes.members(ALL))["rows"]

    assert [each["notes"]["trend"]["slope"] for each in rows] == [0.2, 0.4]
    assert "code" not in rows[0]
