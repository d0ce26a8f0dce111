"""The exact loop: stages on Kafka, each input counted once."""

from chandler.streams.exact.loop import run_stage
from chandler.streams.exact.observe import StageObserver, stage_metrics
from chandler.streams.exact.restore import StateError

__all__ = ["StageObserver", "StateError", "run_stage", "stage_metrics"]
