"""What each topic takes on the disk of the embedded Kafka."""

import os

from chandler.streams.clients import catalogue_name
from chandler.streams.embedded.broker import bytes_on_disk
from chandler.streams.embedded.configuration import Layout
from chandler.streams.settings import Installation


def topic_bytes(installation: Installation) -> dict[str, int] | None:
    """By catalogue name; None where the cluster isn't ours."""
    records = Layout(installation).records
    if not installation.embedded or not records.is_dir():
        return None
    sizes: dict[str, int] = {}
    for name in os.listdir(records):
        topic, dash, partition = name.rpartition("-")
        if dash and partition.isdigit() and topic.startswith(installation.topic_prefix):
            mine = catalogue_name(installation, topic)
            sizes[mine] = sizes.get(mine, 0) + bytes_on_disk(records / name)
    return sizes
