"""`topics`: the catalogue, and what stands on the cluster."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chandler.streams.catalogue import TOPICS, Topic
from chandler.streams.reader import end_offsets
from services.runner import installed

DAY_MS = 86_400_000


def topics(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Shows every topic: key, partitions, what is kept, how many offsets."""
    offsets = asyncio.run(end_offsets(installed(), [topic.name for topic in TOPICS]))
    rows = {topic.name: (topic, offsets.get(topic.name, [])) for topic in TOPICS}
    if as_json:
        found = {
            name: {
                "partitions": len(parts),
                "offsets": sum(end - begin for begin, end in parts),
                "key": topic.key,
                "kept": kept(topic),
                "writers": topic.writers,
            }
            for name, (topic, parts) in rows.items()
        }
        typer.echo(json.dumps({"topics": found}))
        return
    table = Table("topic", "key", "partitions", "offsets", "kept", "writers", "what", box=None)
    for name, (topic, parts) in rows.items():
        table.add_row(
            name,
            topic.key,
            str(len(parts)) if parts else "[red]absent[/]",
            f"{sum(end - begin for begin, end in parts):,}",
            kept(topic),
            ", ".join(topic.writers),
            topic.doc,
        )
    Console().print(table)


def kept(topic: Topic) -> str:
    """How long a topic's records stay."""
    if topic.compacted:
        return "compacted"
    return "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms / DAY_MS:g} days"
