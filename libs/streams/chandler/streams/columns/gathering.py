"""Brings the cache of some topics up to date, or takes what it holds where Kafka is down."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from chandler.streams.columns.cache import (
    PartitionCache,
    cached_partitions,
    remember_cluster,
    remembered_cluster,
)
from chandler.streams.columns.decoding import Decoding
from chandler.streams.columns.fetching import Lane, Progress, fetch
from chandler.streams.reader import ReadError, partitions
from chandler.streams.reading.placed import cluster_id
from chandler.streams.settings import Installation

REACH_S_MAX = 20.0  # a Kafka that doesn't answer for so long counts as down


class Gathered(NamedTuple):
    """What there is of topics."""

    lanes: list[Lane]
    absent: list[str]  # topics that are not on the cluster
    down: str  # why Kafka wasn't read up to the ends; "": it was
    warnings: list[str]


async def gather(
    installation: Installation,
    asked: Sequence[tuple[Decoding, Sequence[str]]],
    progress: Progress | None,
) -> Gathered:
    """Every partition of the topics with these columns. ReadError: Kafka is down, nothing cached.

    NewerSchemaError of the codec.
    """
    down = ""
    try:
        async with asyncio.timeout(REACH_S_MAX):
            cluster = await cluster_id(installation)
            found = await partitions(installation, [decoding.topic for decoding, _ in asked])
        remember_cluster(installation, cluster)
        numbers = {topic: [tp.partition for tp in parts] for topic, parts in found.items()}
    except (ReadError, TimeoutError) as error:
        down = str(error) or f"Kafka at {installation.bootstrap} doesn't answer"
        cluster = remembered_cluster(installation) or ""
        numbers = {
            decoding.topic: cached_partitions(installation, cluster, decoding.topic)
            for decoding, _ in asked
        }
    lanes = [
        Lane(
            decoding,
            number,
            PartitionCache(installation, cluster, decoding.topic, number, list(names)),
        )
        for decoding, names in asked
        for number in numbers[decoding.topic]
    ]
    absent = [topic for topic, parts in numbers.items() if not parts]
    if not down:
        try:
            await fetch(installation, lanes, progress)
        except ReadError as error:
            down = str(error)
    if down and not any(lane.parts for lane in lanes):
        topics = ", ".join(decoding.topic for decoding, _ in asked)
        raise ReadError(
            f"{down} (nothing of {topics} is cached, either): start ./chandler up, or give "
            "--candles FILE to a command that takes files"
        )
    for lane in lanes:
        lane.cache.tidy(["offset", *lane.decoding.types])
    warnings = [line for lane in lanes for line in (*lane.cache.warnings, *lane.warnings)]
    if down:
        warnings.append(f"what is cached is given, not all that there may be: {down}")
    return Gathered(lanes, absent, down, warnings)
