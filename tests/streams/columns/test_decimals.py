"""Prices as integers: the strings come back byte for byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.streams.columns.decimals import DIGITS_MAX, scale_of, scaled, split, written

PRICES = st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str)
STRANGE = st.sampled_from(
    [
        *("-", ".", "-.5", "1.", ".5", "007", "+1", "-0", "-0.00", "0.00", "1e5", "1E-7", "1_0"),
        *("NaN", "inf", "1,5", "1.2.3", "١٢", "100.00", "é"),
        *("", " 1", "1\n", "1\x00", "9" * 18, "9" * 19, "-" + "9" * 18),
        *("0." + "0" * 17, "0." + "0" * 18, "0.000000000000000001"),
    ]
)
STRINGS = st.lists(PRICES | STRANGE | st.text(max_size=5), max_size=20)


@given(STRINGS)
def test_a_string_is_either_told_from_its_number_or_known_not_to_be(strings) -> None:
    found = split(strings)

    for row, string in enumerate(strings):
        mantissa, decimals = int(found.mantissa[row]), int(found.decimals[row])
        if found.regular[row]:
            assert written(mantissa, decimals) == string
        else:
            assert (mantissa, decimals) == (0, 0)


@pytest.mark.parametrize("string", ["0", "0.00", "1.50", "-3", "-0.10", "42283.58", "9" * 18])
def test_what_a_venue_sends_is_a_number(string) -> None:
    assert split([string]).regular.all()


@given(STRINGS)
def test_a_number_over_the_common_scale_gives_its_string_back(strings) -> None:
    found = split(strings)
    scale = scale_of([found])

    mantissas, fits = scaled(found, scale)

    for row in np.flatnonzero(fits):
        decimals = int(found.decimals[row])
        assert written(int(mantissas[row]) // 10 ** (scale - decimals), decimals) == strings[row]
    assert not mantissas[~fits].any()
    assert (np.abs(mantissas) < 10**DIGITS_MAX).all()


def test_one_odd_string_does_not_cost_the_others_their_place() -> None:
    """Over 17 decimals no price of this coin would fit into 64 bits."""
    found = split(["42283.58", "42283.5", "0.00000000000000001", "42283.580"])

    scale = scale_of([found])

    assert scale == 3
    assert scaled(found, scale)[1].tolist() == [True, True, False, True]
