"""What these tests share: parts as a reading makes them, without a Kafka."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from chandler.core.events import Event
from chandler.streams.codec import encode
from chandler.streams.columns.cache import PartitionCache
from chandler.streams.columns.decoding import Decoding
from chandler.streams.columns.parts import START, Name, Part, part
from chandler.streams.settings import Installation, installation


def place(folder: Path) -> Installation:
    """An installation with nothing but a data directory."""
    return installation({"CHANDLER_DATA": str(folder)})


def cache(base: Installation, decoding: Decoding) -> PartitionCache:
    """The cache of partition 0, with all columns."""
    return PartitionCache(base, "cluster", decoding.topic, 0, ["offset", *decoding.types])


def parts(decoding: Decoding, batches: Iterable[Sequence[Event]]) -> list[Part]:
    """A part of each batch; their offsets follow each other."""
    made: list[Part] = []
    for batch in batches:
        begin = made[-1].name.end if made else 0
        previous = made[-1].name.last if made else START
        rows = decoding.rows([encode(event) for event in batch])
        rows.columns["offset"] = np.arange(begin, begin + len(batch), dtype=np.int64)
        end = begin + len(batch)
        made.append(part(Name(begin, end, previous, f"{end:016x}"), [rows], 0))
    return made
