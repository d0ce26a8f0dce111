"""What one equity curve comes to: return, risk, and the one by the other.

The definitions are those of empyrical (empyrical/stats.py of empyrical-reloaded) with
`annualization=365` and no risk-free rate, over returns of UTC days: a test compares them.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from chandler.core.granularity import DAY_MS
from chandler.replay.metrics.days import Month, daily, day_named, monthly
from chandler.replay.metrics.drawdown import Drawdown, deepest
from chandler.replay.result import Floats, Ints

DAYS_A_YEAR = 365  # markets that never close


class Extreme(msgspec.Struct, frozen=True, kw_only=True):
    """A day or month that stands out."""

    when: str  # "2024-01-31" or "2024-01"
    value: float  # return, a fraction


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one curve; shares and returns are fractions. None: see `performance`."""

    start: float
    end: float
    days: int  # UTC days from the first sample's to the last's
    total_return: float
    cagr: float | None
    volatility: float | None  # a year's
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown: Drawdown | None  # of daily equity: what Calmar and other programs mean
    drawdown_within: Drawdown | None  # of every sample: as deep or deeper
    best_day: Extreme | None
    worst_day: Extreme | None
    best_month: Extreme | None
    worst_month: Extreme | None
    months: dict[Month, float]  # return by month


def performance(at_ms: Ints, equity: Floats, start: float, from_ms: int) -> Performance:
    """Measures `equity` (quote coin, or the value of 1.0) at `at_ms`, from `start` at `from_ms`.

    With r the n daily returns (the first against `start`; ddof=1 in std):

    - total_return: end / start - 1
    - cagr: Π(1 + r) ** (365 / n) - 1 (`annual_return`)
    - volatility: std(r) × √365 (`annual_volatility`)
    - sharpe: mean(r) / std(r) × √365 (`sharpe_ratio`)
    - sortino: mean(r) × 365 / (√mean(min(r, 0)²) × √365) (`sortino_ratio`)
    - drawdown: min(equity / highest before it - 1) (`max_drawdown`)
    - calmar: cagr / |drawdown.depth| (`calmar_ratio`)

    None: cagr, volatility and all that is made from them below two days; sharpe where all days are
    alike; sortino without a losing day; calmar and drawdown without a fall. Where a day ended at
    or below 0, daily returns mean nothing: those figures, days and months are None or empty, the
    total return and the falls stay. Never NaN, never infinite.
    """
    assert start > 0, f"an equity curve starts at {start}: expected more than 0"
    assert bool(np.isfinite(equity).all()), "an equity curve holds NaN or an infinity"
    days, closes = daily(at_ms, equity)
    midnights = (days + 1) * DAY_MS
    falls = deepest(midnights, closes, start, from_ms)
    alive = len(closes) > 0 and float(closes.min()) > 0.0
    returns = _returns(closes, start) if alive else np.empty(0)
    months = monthly(days, closes, start) if alive else {}
    cagr = _cagr(returns)
    end = float(equity[-1]) if len(equity) else start
    return Performance(
        start=start,
        end=end,
        days=len(days),
        total_return=end / start - 1.0,
        cagr=cagr,
        volatility=_finite(_deviation(returns) * math.sqrt(DAYS_A_YEAR)),
        sharpe=_sharpe(returns),
        sortino=_sortino(returns),
        calmar=_finite(cagr / -falls.depth) if cagr is not None and falls is not None else None,
        drawdown=falls,
        drawdown_within=deepest(at_ms, equity, start, from_ms),
        best_day=_day(days, returns, greatest=True),
        worst_day=_day(days, returns, greatest=False),
        best_month=_month(months, greatest=True),
        worst_month=_month(months, greatest=False),
        months=months,
    )


def _returns(closes: Floats, start: float) -> Floats:
    before = np.concatenate(([start], closes[:-1]))
    returns: Floats = closes / before - 1.0
    return returns


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _deviation(returns: Floats) -> float:
    """NaN below two days; exactly 0 where all are alike, whatever their mean's last bit says."""
    if len(returns) < 2:
        return math.nan
    return 0.0 if returns.max() == returns.min() else float(np.std(returns, ddof=1))


def _cagr(returns: Floats) -> float | None:
    if len(returns) < 2:
        return None
    try:
        return _finite(float(np.prod(returns + 1.0)) ** (DAYS_A_YEAR / len(returns)) - 1.0)
    except OverflowError:  # two days of a hundredfold, carried on for a year
        return None


def _sharpe(returns: Floats) -> float | None:
    deviation = _deviation(returns)
    if not deviation > 0.0:
        return None
    return _finite(float(np.mean(returns)) / deviation * math.sqrt(DAYS_A_YEAR))


def _sortino(returns: Floats) -> float | None:
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2))) * math.sqrt(DAYS_A_YEAR)
    if not downside > 0.0:
        return None
    return _finite(float(np.mean(returns)) * DAYS_A_YEAR / downside)


def _day(days: NDArray[np.int64], returns: Floats, *, greatest: bool) -> Extreme | None:
    if not len(returns):
        return None
    found = int(returns.argmax() if greatest else returns.argmin())
    return Extreme(when=day_named(int(days[found])), value=float(returns[found]))


def _month(months: dict[Month, float], *, greatest: bool) -> Extreme | None:
    if not months:
        return None
    when = (max if greatest else min)(months, key=lambda month: months[month])
    return Extreme(when=when, value=months[when])
