"""Evaluators, engines and trading modes that ship; found by the entry point chandler.strategies."""

from chandler.strategies.engines import reverter, scalper, trend
from chandler.strategies.evaluators import (
    band_reversion,
    bollinger_breakout,
    macd_momentum,
    rsi_reversal,
    trend_follow,
)
from chandler.strategies.modes import dca, fixed, trailing

CHANDLER_CORE = ">=0.1,<0.2"  # the versions of chandler-core that this plug-in is made for

__all__ = [
    "CHANDLER_CORE",
    "band_reversion",
    "bollinger_breakout",
    "dca",
    "fixed",
    "macd_momentum",
    "reverter",
    "rsi_reversal",
    "scalper",
    "trailing",
    "trend",
    "trend_follow",
]
