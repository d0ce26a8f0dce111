"""The past: where it comes from, and profiles tried on it."""

from services.past.notebook import backtest, candles

__all__ = ["backtest", "candles"]
