"""Indicators: incremental, pure, the same source live and compiled."""

from chandler.core.indicators.averages import Ema, EmaSlope, Macd, Sma, Wma
from chandler.core.indicators.bands import Bollinger, Donchian, Highest, Keltner, Lowest
from chandler.core.indicators.momentum import Cci, Roc, Rsi, Stochastic, StochRsi
from chandler.core.indicators.registry import INDICATORS, parse_indicator
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.trends import Adx, Atr, Supertrend
from chandler.core.indicators.volumes import Mfi, Obv, VolumeRatio, Vwap

__all__ = [
    "INDICATORS",
    "Adx",
    "Atr",
    "Bars",
    "Bollinger",
    "Cci",
    "Donchian",
    "Ema",
    "EmaSlope",
    "Highest",
    "Indicator",
    "Keltner",
    "Lowest",
    "Macd",
    "Mfi",
    "Obv",
    "Roc",
    "Rsi",
    "Sma",
    "StochRsi",
    "Stochastic",
    "Supertrend",
    "VolumeRatio",
    "Vwap",
    "Wma",
    "parse_indicator",
]
