"""How the services ran that made the records: their configurations and code, and since when.

Read from the topics where they said so: `configs`, `infra`, and `dead-letters` of the pump guard.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from chandler.core.desk.config import Desk, DeskError, parse
from chandler.core.events import ConfigRecorded, DeadLetter, InfraEvent
from chandler.core.market.pump import NAME as PUMP_GUARD
from chandler.core.trading.agents import PumpConfig
from chandler.replay.audit.verdict import FOR_EVER_MS
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.desks import desks
from services.profile import Profile

EXECUTOR, POSITIONS = "executor", "positions"
BLIND_CAUSES = ("judged without its candle", "not judged")
CODE = "code "  # what an InfraEvent "started" says before the hash

Said = list[tuple[int, str]]  # Kafka's time, what was said


class _Shard(msgspec.Struct):
    """What of a desk's text tells which shard it is of."""

    shard: int = -1
    shards: int = 0


class Ran(NamedTuple):
    """What is needed to make the records again; plain, so that other processes can have it."""

    pump: PumpConfig
    pumps_since_ms: int  # Kafka's time from which on the guard's code and configuration stand
    exits_since_ms: int  # … and those of positions and the desk
    desk_texts: Sequence[str]  # of each shard; empty: as the profile says
    pace: float
    blind: dict[str, list[int]]  # symbol → event times of the guard's dead letters


async def how_it_ran(installation: Installation, profile: Profile) -> Ran:
    """Reads what services said of themselves; the profile stands where they said nothing."""
    pumps: Said = []
    shards: defaultdict[int, Said] = defaultdict(list)
    started: defaultdict[str, Said] = defaultdict(list)
    blind: defaultdict[str, list[int]] = defaultdict(list)
    counts = 0
    async for record in read_topics(installation, ["configs", "infra", "dead-letters"]):
        event, written_ms = record.event, record.timestamp_ms
        if isinstance(event, ConfigRecorded) and event.service == PUMP_GUARD:
            pumps.append((written_ms, event.text))
        elif isinstance(event, ConfigRecorded) and event.service == EXECUTOR:
            found = msgspec.json.decode(event.text, type=_Shard)
            shards[found.shard].append((written_ms, event.text))
        elif isinstance(event, InfraEvent) and event.kind == "started":
            started[event.service].append((written_ms, event.detail.removeprefix(CODE)))
        elif isinstance(event, DeadLetter):
            judged = blind_of(event)
            if judged is not None:
                blind[judged[0]].append(judged[1])
    for said in (pumps, *shards.values(), *started.values()):
        said.sort()
    if shards:
        newest = max((said[-1] for said in shards.values()), key=lambda each: each[0])[1]
        counts = msgspec.json.decode(newest, type=_Shard).shards
    texts = [shards[shard][-1][1] for shard in range(counts) if shard in shards]
    code = plugins.code_hash()
    pump = _pump(pumps[-1][1]) if pumps else profile.pump
    pump_since = since(pumps) if pump is not None else FOR_EVER_MS
    desk_since = max((since(said) for said in shards.values()), default=0)
    return Ran(
        pump=pump or profile.pump,
        pumps_since_ms=max(pump_since, since(started[PUMP_GUARD], code)),
        exits_since_ms=max(desk_since, since(started[POSITIONS], code)),
        desk_texts=texts,
        pace=_pace(texts, profile),
        blind=dict(blind),
    )


def since(said: Said, now: str | None = None) -> int:
    """Since when the newest word stands; 0: always. `now`: what it has to be, else never."""
    if not said:
        return 0
    newest = said[-1][1]
    if now is not None and newest != now:
        return FOR_EVER_MS
    others = [number for number, (_, text) in enumerate(said) if text != newest]
    return said[others[-1] + 1][0] if others else 0


def shards_of(ran: Ran, profile: Profile) -> tuple[Sequence[Desk], bool]:
    """The desk's shards as they were recorded, and whether today's code knows them."""
    modes = plugins.load().modes
    try:
        found = [parse(text, modes) for text in ran.desk_texts]
    except DeskError:
        return desks(profile), False
    return found or desks(profile), True


def _pump(text: str) -> PumpConfig | None:
    """The guard's configuration; None where today's code can't read it."""
    try:
        return msgspec.json.decode(text, type=PumpConfig)
    except msgspec.DecodeError:
        return None


def _pace(texts: Iterable[str], profile: Profile) -> float:
    for text in texts:
        read: dict[str, Any] = msgspec.json.decode(text)
        return float(read["pace"])
    return profile.pace


def blind_of(letter: DeadLetter) -> tuple[str, int] | None:
    """Symbol and event time of a tick that the guard judged without its candle; else None.

    The letter's detail begins with both: "BTCUSDT 2026-01-01 10:00:02: …". To the second, down.
    """
    if letter.source != PUMP_GUARD or letter.cause not in BLIND_CAUSES:
        return None
    symbol, _, rest = letter.detail.partition(" ")
    moment = rest.partition(": ")[0]
    form = "%Y-%m-%d %H:%M:%S" if moment.count(":") == 2 else "%Y-%m-%d %H:%M"
    try:
        at = datetime.strptime(moment, form).replace(tzinfo=UTC)
    except ValueError:
        return None  # written by other code: it explains nothing
    return symbol, int(at.timestamp()) * 1_000
