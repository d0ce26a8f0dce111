"""Indicators by name: what is asked for, canonical keys, and errors for people."""

import pytest

from chandler.core.indicators import (
    INDICATORS,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    EmaSlope,
    Indicator,
    Macd,
    Rsi,
    Stochastic,
    StochRsi,
    Supertrend,
    parse_indicator,
)


@pytest.mark.parametrize(
    ("text", "expected", "key"),
    [
        ("rsi(14)", Rsi(14), "rsi(14)"),
        ("RSI", Rsi(14), "rsi(14)"),
        (" macd( 12, 26 ,9 ) ", Macd(), "macd(12,26,9)"),
        ("bollinger(20, 2)", Bollinger(20, 2.0), "bollinger(20,2.0)"),
        ("bollinger(20, 2.50)", Bollinger(20, 2.5), "bollinger(20,2.5)"),
        ("supertrend()", Supertrend(), "supertrend(10,3.0)"),
        ("ema_slope(50)", EmaSlope(50, 1), "ema_slope(50,1)"),
        ("obv", parse_indicator("obv()"), "obv()"),
    ],
)
def test_an_expression_names_an_indicator(text: str, expected: Indicator, key: str) -> None:
    found = parse_indicator(text)

    assert found == expected
    assert found.key == key


def test_a_key_is_an_expression_of_the_same_indicator(everything: list[Indicator]) -> None:
    assert [parse_indicator(one.key) for one in everything] == everything
    assert [one.name for one in everything] == list(INDICATORS)


def test_equal_arguments_make_equal_and_hashable_indicators(everything: list[Indicator]) -> None:
    again = {parse_indicator(one.key) for one in everything}

    assert again == set(everything)
    assert Ema(20) != Ema(21)
    assert Ema(20) != Ema(20, on="1H")
    assert Ema(20, on="1H") == Ema(20, on="1H")


def test_a_record_has_the_fields_of_its_indicator(everything: list[Indicator]) -> None:
    for one in everything:
        assert (one.record._fields if one.fields else ()) == one.fields
    assert Bollinger().fields == ("lower", "middle", "upper", "percent", "width")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rsi(14", "not an indicator: 'rsi(14'; expected name(parameters), as rsi(14)"),
        ("rsy(14)", "unknown indicator 'rsy': expected one of adx atr bollinger"),
        ("rsi(14, 3)", "'rsi(14, 3)' has other parameters than rsi(n=14)"),
        ("ema", "'ema' has other parameters than ema(n)"),
        ("rsi(x)", "'rsi(x)': 'x' is not a number"),
        ("rsi(14.5)", "rsi: n must be a whole number from 1 to 5000, not 14.5"),
        ("rsi(0)", "rsi: n must be a whole number from 1 to 5000, not 0"),
        ("bollinger(20, nan)", "bollinger: k must be a number above 0 up to 1000, not nan"),
        ("macd(26, 12, 9)", "macd: fast must be below slow, not 26 and 12"),
    ],
)
def test_a_wrong_expression_is_answered_in_one_line(text: str, line: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_indicator(text)

    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_wrong_arguments_are_refused() -> None:
    for wrong in (True, -3, 5_001, "14", None):
        with pytest.raises(ValueError, match="atr: n must be a whole number from 1 to 5000"):
            Atr(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown granularity '2H'"):
        Donchian(20, on="2H")
    with pytest.raises(ValueError, match="stoch_rsi: m must be a whole number from 1 to 200"):
        StochRsi(m=201)
    with pytest.raises(ValueError, match="stochastic: d must be"):
        Stochastic(d=0)
