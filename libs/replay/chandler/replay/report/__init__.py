"""A result for people: one HTML file that stands alone, frames for notebooks, a comparison."""

from chandler.replay.report.comparison import Comparison, compare
from chandler.replay.report.frames import Frames, frames
from chandler.replay.report.page import comparison_page, page
from chandler.replay.report.run import Run, run_of

__all__ = [
    "Comparison",
    "Frames",
    "Run",
    "compare",
    "comparison_page",
    "frames",
    "page",
    "run_of",
]
