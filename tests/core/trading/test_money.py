"""What the venue writes is read exactly or refused, and rounded where the venue rounds."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.trading.money import (
    AmountError,
    against,
    amount,
    down_to_step,
    from_float,
    is_multiple,
    minus,
    places,
    plus,
    positive,
    shown,
    times,
    to_step,
)
from tests.core.trading.venue import dec

steps = st.sampled_from(
    [dec("0.1"), dec("0.001"), dec("0.5"), dec("5"), dec("0.0000001"), dec("100")]
)
sizes = st.decimals(min_value=0, max_value=10**9, places=12, allow_nan=False)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "sNaN",
        "inf",
        "-Infinity",
        "",
        " 1",
        "1_000",
        "0x1",
        "1e400",
        "1e18",
        "٣",
        "1e-19",
        "+1",
    ],
)
def test_what_is_no_number_of_a_venue_is_refused(text):
    with pytest.raises(AmountError, match="expected"):
        amount(text, "price")


@pytest.mark.parametrize("text", ["0", "-1", "0.000"])
def test_a_step_or_price_of_nothing_or_less_is_refused(text):
    with pytest.raises(AmountError, match=r"size_step is .* more than 0"):
        positive(text, "size_step")


@pytest.mark.parametrize("step", [dec("0"), dec("-0.1"), dec("NaN"), dec("Infinity")])
def test_there_is_no_rounding_to_an_impossible_step(step):
    with pytest.raises(AmountError, match="step"):
        down_to_step(dec("1"), step)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_float_that_is_no_price_is_refused(value):
    with pytest.raises(AmountError):
        from_float(value)


def test_a_float_becomes_its_shortest_digits():
    assert from_float(0.1) == dec("0.1")
    assert from_float(42000.5) == dec("42000.5")
    assert str(from_float(42000.0)) == "42000.0"


def test_a_small_float_with_all_its_digits_is_still_a_price():
    """0.98 × a price of 0.0000123 has 21 digits after the point."""
    assert from_float(1.2053999999999999e-05) == dec("0.000012054")


@given(sizes, steps)
def test_a_size_is_rounded_down_by_less_than_a_step(size, step):
    rounded = down_to_step(size, step)

    assert 0 <= minus(size, rounded) < step
    assert is_multiple(rounded, step)


@given(sizes, steps, st.booleans())
def test_a_price_is_rounded_against_the_order(price, step, buys):
    rounded = against(price, step, buys=buys)

    assert rounded > 0
    assert is_multiple(rounded, step)
    if buys:
        assert 0 <= minus(rounded, price) <= step
    else:
        assert 0 <= minus(price, rounded) < step or rounded == step


@given(sizes, steps)
def test_a_price_is_rounded_to_the_nearest_step(price, step):
    assert abs(minus(price, to_step(price, step))) * 2 <= step


def test_half_a_place_goes_to_the_even_digit():
    assert places(dec("0.000000005")) == dec("0")
    assert places(dec("0.000000015")) == dec("0.00000002")
    assert places(dec("-0.000000025")) == dec("-0.00000002")


@given(st.lists(st.decimals(-(10**17), 10**17, places=18), max_size=20))
def test_sums_lose_no_digit_however_far_the_amounts_are_apart(amounts):
    """The default context keeps 28 digits: it would have lost the small ones."""
    scale = 10**18
    units = [_units(each, scale) for each in amounts]

    assert _units(plus(*amounts), scale) == sum(units)


def test_a_product_keeps_all_its_digits():
    assert times(dec("123456789012345678.1"), dec("0.000000000000000007")) == dec(
        "0.8641975230864197467"
    )


@given(st.decimals(-(10**9), 10**9, places=8))
def test_what_people_see_reads_back_as_the_same_amount(value):
    text = shown(value)

    assert Decimal(text) == value
    assert "E" not in text.upper()


def _units(value: Decimal, scale: int) -> int:
    fraction = Fraction(value) * scale
    assert fraction.denominator == 1
    return fraction.numerator
