"""The exact loop: stages and the desk on Kafka, each input counted once."""

from chandler.streams.exact.desk import FencedError, run_desk
from chandler.streams.exact.intake import Arrival, EventTime, Watermarks
from chandler.streams.exact.journal import Decided, Fold
from chandler.streams.exact.loop import HealthSink, run_stage
from chandler.streams.exact.observe import StageObserver, stage_metrics
from chandler.streams.exact.restore import OnRestored, StateError
from chandler.streams.exact.taker import DeskObserver, Effects, Inbox, Shard

__all__ = [
    "Arrival",
    "Decided",
    "DeskObserver",
    "Effects",
    "EventTime",
    "FencedError",
    "Fold",
    "HealthSink",
    "Inbox",
    "OnRestored",
    "Shard",
    "StageObserver",
    "StateError",
    "Watermarks",
    "run_desk",
    "run_stage",
    "stage_metrics",
]
