"""Full disks: the services' and Kafka's. Who can't write says so and waits; nothing is lost."""

import time
from collections.abc import Iterator

from deploy.trial import watched
from deploy.trial.engine import Compose
from deploy.trial.figures import Figure

DISKS = {"data": 64, "kafka": 1_024}  # MB
SAYS = ("No space", "room on its disk", "disk is full")
WRITE = ("recorder", "simulator")
SEEN_S_MAX = 120.0


def full(compose: Compose) -> Iterator[Figure]:
    """First the disk that the services share, then Kafka's; each gets room again after a while."""
    with compose.small_disks(DISKS) as hold:
        yield Figure("full", "healthy on small disks", compose.up(), "s")
        watched.until(compose, "a first fill", lambda: watched.fills(compose), watched.SEEN_S_MAX)

        hold.fill("data")
        # Whoever writes first says so: the recorder, or the demo's venue, which keeps its clock and
        # its accounts on the same disk and then stands still.
        line = watched.until(
            compose,
            "a service says that its disk is full",
            lambda: next(
                filter(None, (watched.line_with(compose, each, SAYS) for each in WRITE)), ""
            ),
            SEEN_S_MAX,
        )
        yield Figure("full", "services without room", line[:200])
        hold.clear("data")
        yield Figure("full", "all healthy with room", watched.all_healthy(compose), "s")
        watched.candles_go_on(compose)
        behind = watched.until(
            compose, "the recorder has caught up", lambda: _caught_up(compose), SEEN_S_MAX
        )
        yield Figure("full", "recorder", behind)

        before = compose.state("kafka")["State"]["StartedAt"]
        hold.fill("kafka")
        watched.until(
            compose,
            "Kafka ends without room",
            lambda: compose.state("kafka")["State"]["StartedAt"] != before,
            SEEN_S_MAX,
        )
        yield Figure("full", "Kafka without room", "ended, and is started again and again")
        begun = time.monotonic()
        hold.clear("kafka")
        watched.all_healthy(compose)
        watched.candles_go_on(compose)
        yield Figure("full", "candles go on with room for Kafka", time.monotonic() - begun, "s")


def _caught_up(compose: Compose) -> str:
    metrics = compose.metrics("recorder")
    if not metrics.get("chandler_recorder_ready") or metrics["chandler_recorder_lag_records"]:
        return ""
    return f"{metrics['chandler_recorder_signals_total']:.0f} signals, nothing left to take"
