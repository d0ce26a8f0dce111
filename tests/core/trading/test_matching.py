"""A market order gets the other side's price, moved and rounded against it, never for it."""

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.trading import matching
from chandler.core.trading.money import is_multiple
from tests.core.trading.venue import TERMS, dec, ticker


def found(at, buys, slippage="0"):
    return matching.quote(at, buys=buys, size=dec("1"), terms=TERMS, slippage_percent=dec(slippage))


def test_buying_pays_the_ask_and_selling_gets_the_bid():
    at = ticker("100", 1, spread="0.5")

    assert (found(at, True).price, found(at, False).price) == (dec("100.5"), dec("99.5"))


def test_slippage_and_rounding_go_against_the_order():
    at = ticker("100", 1)

    assert found(at, True, "0.01").price == dec("100.1")  # 100.01
    assert found(at, False, "0.01").price == dec("99.9")  # 99.99
    assert found(at, True, "0.01").best == dec("100")


def test_a_ticker_without_a_price_fills_nothing():
    for bad in ("0", "-1", "", "NaN", "Infinity", "rubbish"):
        at = ticker("100", 1)
        empty = type(at)(
            **{name: getattr(at, name) for name in at.__struct_fields__} | {"ask": bad}
        )

        assert found(empty, True) is None
        assert found(empty, False) is not None


@given(st.integers(1, 10**7), st.integers(0, 100), st.integers(0, 500), st.booleans())
def test_no_order_ever_gets_a_better_price_than_the_best_one(tenths, spread, basis, buys):
    at = ticker(str(dec(str(tenths + spread)) / 10), 1, spread=str(dec(str(spread)) / 10))
    got = found(at, buys, str(dec(str(basis)) / 100))

    if got is None:
        return
    assert got.price >= got.best if buys else got.price <= got.best
    assert is_multiple(got.price, TERMS.price_step)


def test_the_depth_gives_the_average_of_the_levels_that_the_size_eats():
    asks = [("100", "1"), ("101", "1"), ("110", "8")]

    got = matching.depth_quote(asks, size=dec("4"))

    assert got is not None
    assert (got.best, got.price) == (dec("100"), dec("105.25"))
    assert matching.impact_percent(got) == dec("5.25")


def test_a_book_that_is_too_thin_or_rubbish_has_no_quote():
    assert matching.depth_quote([("100", "1")], size=dec("2")) is None
    assert matching.depth_quote([("100", "NaN")], size=dec("1")) is None
    assert matching.depth_quote([], size=dec("1")) is None
    assert matching.depth_quote([("100", "1")], size=dec("0")) is None
