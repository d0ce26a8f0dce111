"""Who writes candles now: an ingest that was heard to start and not to end, and what fences it.

Fencing alone is what keeps each candle out once: who opens an ingest shard's transactional id
ends its older holder, and reads only then what is out. What `infra` says only avoids the fight.
"""

import os
import socket

from chandler.core.events import InfraEvent, Symbol
from chandler.core.ingest.plan import shards as plan_shards
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.profile import Profile

INGEST = "ingest"


async def heard(installation: Installation) -> dict[str, InfraEvent]:
    """The last word of each ingest that ever started, by instance (host:pid:shard)."""
    words: dict[str, InfraEvent] = {}
    async for record in read_topics(installation, ["infra"]):
        event = record.event
        if not isinstance(event, InfraEvent) or event.service != INGEST:
            continue
        # The supervisor tells of its services, too, under its own name.
        if event.kind == "started" or event.instance in words:
            words[event.instance] = event
    return words


def running(words: dict[str, InfraEvent]) -> list[InfraEvent]:
    """Those that may still write: not heard to stop and, on this machine, with a live process."""
    return [
        word for instance, word in words.items() if word.kind != "stopping" and _lives(instance)
    ]


def _lives(instance: str) -> bool:
    host, _, rest = instance.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return True  # another machine's: nothing says that it ended
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def shards_of(profile: Profile, words: dict[str, InfraEvent], granularities: int) -> int:
    """How many shards' names to take: those that the profile plans, and those ever heard of."""
    config = profile.ingest
    count = len(config.symbols) or config.top
    planned = plan_shards(
        [Symbol(str(number)) for number in range(count)],
        config.symbols_per_shard,
        granularities + 1,  # tickers
        config.channels_per_connection_max,
    )
    seen = [word.instance.rpartition(":")[2] for word in words.values()]
    return max(len(planned), 1, *(int(shard) + 1 for shard in seen if shard.isdigit()))
