"""Our indicators against numbers that others published, from their first value on."""

from collections.abc import Callable
from typing import Any

import pytest

from chandler.core.indicators import (
    Adx,
    Atr,
    Bars,
    Bollinger,
    Cci,
    Ema,
    Macd,
    Mfi,
    Roc,
    Rsi,
    Sma,
    Stochastic,
    StochRsi,
    Supertrend,
    Vwap,
    Wma,
)
from chandler.core.indicators.compute import history

Rows = list[dict[str, Any]]
Sheet = Callable[[str], Rows]
MakeBars = Callable[[Rows], Bars]


def agree(
    ours: list[Any],
    theirs: list[Any],
    *,
    skip: int = 0,
    rel: float | None = None,
    abs: float | None = None,
) -> int:
    """How many values were compared; each must be near, and there where theirs is there."""
    compared = 0
    for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if other is None or i < skip:
            continue
        assert mine is not None, f"row {i}: we have nothing, they have {other}"
        assert mine == pytest.approx(other, rel=rel, abs=abs), f"row {i}"
        compared += 1
    return compared


def field(values: list[Any], name: str) -> list[Any]:
    return [None if value is None else getattr(value, name) for value in values]


@pytest.mark.parametrize(
    ("indicator", "name", "column"),
    [
        (Sma(20), "sma", "sma"),
        (Ema(20), "ema", "ema"),
        (Wma(14), "wma", "wma"),
        (Atr(14), "atr", "atr"),
        (Roc(20), "roc-wb", "roc"),
    ],
    ids=["sma", "ema", "wma", "atr", "roc"],
)
def test_stock_indicators_agrees_to_eleven_digits(
    sheet: Sheet, published: Sheet, bars_of: MakeBars, indicator: Any, name: str, column: str
) -> None:
    bars = bars_of(sheet("stock-indicators/default.csv"))

    ours = history(indicator, bars)

    theirs = [row[column] for row in published(name)]
    assert agree(ours, theirs, rel=1e-11) >= 480
    assert [v is None for v in ours] == [v is None for v in theirs]


def test_the_stochastic_agrees_with_stock_indicators(
    sheet: Sheet, published: Sheet, bars_of: MakeBars
) -> None:
    """They give %K two bars before %D; ours come together."""
    bars = bars_of(sheet("stock-indicators/default.csv"))

    ours = history(Stochastic(14, 3, 3), bars)

    rows = published("stoch")
    assert agree(field(ours, "k"), [row["k"] for row in rows], skip=17, rel=1e-9) == 485
    assert agree(field(ours, "d"), [row["d"] for row in rows], rel=1e-9) == 485


def test_vwap_agrees_with_stock_indicators_over_one_session(
    sheet: Sheet, published: Sheet, bars_of: MakeBars
) -> None:
    """Theirs runs over all rows; so ours gets them as the minutes of one day."""
    bars = bars_of(sheet("stock-indicators/default.csv"))
    one_day = bars._replace(open_ms=[i * 60_000 for i in range(len(bars.close))])

    ours = history(Vwap(), one_day)

    assert agree(ours, [row["vwap"] for row in published("vwap")], rel=1e-12) == 502


def test_adx_agrees_with_wilders_own_seed_once_it_has_faded(
    sheet: Sheet, bars_of: MakeBars
) -> None:
    """Theirs sums the first 14 movements; TA-Lib, and so ours, the first 13: 1/14 less weight on
    each bar, thus 200 bars leave 4e-7 of the difference; the sheet is rounded to 4 digits."""
    rows = sheet("lean/spy_with_adx.txt")

    ours = history(Adx(14), bars_of(rows))

    assert agree(field(ours, "adx"), [r["adx 14"] for r in rows], skip=220, abs=2e-3) > 280
    assert agree(field(ours, "plus"), [r["+di14"] for r in rows], skip=220, abs=2e-3) > 280
    assert agree(field(ours, "minus"), [r["-di14"] for r in rows], skip=220, abs=2e-3) > 280


def test_rsi_and_macd_agree_with_lean(sheet: Sheet, bars_of: MakeBars) -> None:
    """Both of its columns were running before the sheet begins: compared once the seed faded."""
    rows = sheet("lean/spy_with_indicators.txt")
    bars = bars_of(rows)

    rsi = history(Rsi(14), bars)
    macd = history(Macd(), bars)

    assert agree(rsi, [r["rsi 14 wilder"] for r in rows], skip=250, abs=1e-3) > 200
    assert agree(field(macd, "macd"), [r["macd 12 26"] for r in rows], skip=250, abs=1e-3) > 200


def test_bollinger_agrees_with_lean(sheet: Sheet, bars_of: MakeBars) -> None:
    rows = sheet("lean/spy_bollinger_bands.txt")

    ours = history(Bollinger(20, 2.0), bars_of(rows))

    width = [None if r["bandwidth"] is None else r["bandwidth"] / 100.0 for r in rows]
    assert agree(field(ours, "upper"), [r["bollinger bands® 20 2 top"] for r in rows], rel=1e-6)
    assert agree(field(ours, "lower"), [r["bollinger bands® 20 2 bottom"] for r in rows], rel=1e-6)
    assert agree(field(ours, "middle"), [r["moving average 20"] for r in rows], rel=1e-6)
    assert agree(field(ours, "percent"), [r["%b"] for r in rows], abs=1e-3)
    assert agree(field(ours, "width"), width, abs=1e-5) == 481


def test_stoch_rsi_agrees_with_lean(sheet: Sheet, bars_of: MakeBars) -> None:
    """They give %K two bars before %D; ours come together."""
    rows = sheet("lean/spy_with_StochRSI.csv")

    ours = history(StochRsi(14, 14, 3, 3), bars_of(rows))

    assert agree(field(ours, "k"), [r["k"] for r in rows], skip=31, abs=1e-9) > 460
    assert agree(field(ours, "d"), [r["d"] for r in rows], abs=1e-9) > 460


def test_supertrend_agrees_with_lean(sheet: Sheet, bars_of: MakeBars) -> None:
    """Their ATR counts the first bar's high - low. A flat bar before it makes ours do so too."""
    rows = sheet("lean/dwac_supertrend.txt")
    theirs = [None, *(r["super"] or None for r in rows)]

    ours = history(Supertrend(10, 3.0), bars_of([rows[0], *rows]))

    assert agree(field(ours, "value"), theirs, rel=1e-8) == 69


def test_mfi_agrees_with_the_sheet(sheet: Sheet, bars_of: MakeBars) -> None:
    rows = sheet("ta/cs-mfi.csv")

    ours = history(Mfi(14), bars_of(rows))

    assert agree(ours, [r["mfi"] for r in rows], abs=1e-3) == 16


def test_cci_agrees_with_the_sheet(sheet: Sheet, bars_of: MakeBars) -> None:
    rows = sheet("ta/cs-cci.csv")

    ours = history(Cci(20), bars_of(rows))

    assert agree(ours, [r["cci"] for r in rows], abs=1e-1) == 11


def test_the_fast_stochastic_agrees_with_the_sheet(sheet: Sheet, bars_of: MakeBars) -> None:
    """Its close column begins with the first value: the rows before count only high and low."""
    rows = sheet("ta/cs-soo.csv")
    for row in rows:
        row["close"] = row["close"] or (row["high"] + row["low"]) / 2.0

    ours = history(Stochastic(14, 1, 3), bars_of(rows))

    assert agree(field(ours, "d"), [r["so_sig"] for r in rows], abs=1e-4) >= 14
