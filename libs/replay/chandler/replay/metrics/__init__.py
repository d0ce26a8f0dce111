"""What a result comes to in figures: of the whole, of each agent, and by what was traded."""

from chandler.replay.metrics.days import Month
from chandler.replay.metrics.drawdown import Drawdown
from chandler.replay.metrics.measure import Exposure, Measured, Metrics, measure
from chandler.replay.metrics.performance import Performance
from chandler.replay.metrics.trades import TradeFigures

__all__ = [
    "Drawdown",
    "Exposure",
    "Measured",
    "Metrics",
    "Month",
    "Performance",
    "TradeFigures",
    "measure",
]
