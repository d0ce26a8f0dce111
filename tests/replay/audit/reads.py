"""Records of topics for tests: as a stage would have written them."""

from collections.abc import Iterable, Iterator

from chandler.core.events import Event
from chandler.replay.audit.verdict import Read, encode


def read(
    topic: str, event: Event, offset: int = 0, made_from: str = "", partition: int = 0
) -> Read:
    """One record."""
    return Read(topic, partition, offset, 1, event, encode(event), made_from)


def reads(topic: str, events: Iterable[Event]) -> Iterator[Read]:
    """Records in this order."""
    return iter([read(topic, event, offset) for offset, event in enumerate(events)])
