"""Every indicator by name, and indicators from text: "rsi(14)", "macd(12,26,9)", "bollinger"."""

import inspect
import re
from collections.abc import Callable

from chandler.core.indicators.averages import Ema, EmaSlope, Macd, Sma, Wma
from chandler.core.indicators.bands import Bollinger, Donchian, Highest, Keltner, Lowest
from chandler.core.indicators.momentum import Cci, Roc, Rsi, Stochastic, StochRsi
from chandler.core.indicators.spec import Indicator
from chandler.core.indicators.trends import Adx, Atr, Supertrend
from chandler.core.indicators.volumes import Mfi, Obv, VolumeRatio, Vwap

INDICATORS: dict[str, Callable[..., Indicator]] = {
    "adx": Adx,
    "atr": Atr,
    "bollinger": Bollinger,
    "cci": Cci,
    "donchian": Donchian,
    "ema": Ema,
    "ema_slope": EmaSlope,
    "highest": Highest,
    "keltner": Keltner,
    "lowest": Lowest,
    "macd": Macd,
    "mfi": Mfi,
    "obv": Obv,
    "roc": Roc,
    "rsi": Rsi,
    "sma": Sma,
    "stoch_rsi": StochRsi,
    "stochastic": Stochastic,
    "supertrend": Supertrend,
    "volume_ratio": VolumeRatio,
    "vwap": Vwap,
    "wma": Wma,
}

EXPRESSION = re.compile(r"([a-z_]+)\s*(?:\(([^()]*)\))?")


def usage(name: str) -> str:
    """How an indicator is asked for, with its defaults: "macd(fast=12, slow=26, signal=9)"."""
    shown = []
    for parameter in inspect.signature(INDICATORS[name]).parameters.values():
        if parameter.name == "on":
            continue
        has_default = parameter.default is not parameter.empty
        shown.append(f"{parameter.name}={parameter.default}" if has_default else parameter.name)
    return f"{name}({', '.join(shown)})"


def parse_indicator(text: str) -> Indicator:
    """The indicator that `text` names; what is left out takes its default.

    ValueError, one line, says what was wrong and what exists.
    """
    match = EXPRESSION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not an indicator: {text!r}; expected name(parameters), as rsi(14)")
    name, inside = match.group(1), (match.group(2) or "").strip()
    if name not in INDICATORS:
        raise ValueError(f"unknown indicator {name!r}: expected one of {' '.join(INDICATORS)}")
    parameters = [_number(text, part) for part in inside.split(",")] if inside else []
    try:
        inspect.signature(INDICATORS[name]).bind(*parameters)
    except TypeError:
        raise ValueError(f"{text!r} has other parameters than {usage(name)}") from None
    return INDICATORS[name](*parameters)


def _number(text: str, part: str) -> int | float:
    try:
        return int(part)
    except ValueError:
        pass
    try:
        return float(part)
    except ValueError:
        raise ValueError(f"{text!r}: {part.strip()!r} is not a number") from None
