"""`topics`: the catalogue, and what stands on the cluster."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from chandler.streams.admin import describe
from chandler.streams.catalogue import TOPICS, Topic
from services.cli.desk.columns import console
from services.cli.records.reading import reading

DAY_MS = 86_400_000


def topics(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Shows every topic: key, partitions, what is kept, how much is in it."""
    with reading() as installation:
        states = {state.name: state for state in asyncio.run(describe(installation))}
    if as_json:
        found = [
            msgspec.to_builtins(states[topic.name])
            | {"key": topic.key, "kept": kept(topic), "writers": topic.writers}
            for topic in TOPICS
            if topic.name in states
        ]
        typer.echo(msgspec.json.encode({"topics": {one["name"]: one for one in found}}).decode())
        return
    table = Table(box=None)
    for heading in ("topic", "partitions", "offsets", "MB"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "topic" else "right")
    for heading in ("kept", "key", "writers", "what"):
        table.add_column(heading, overflow="ellipsis" if heading == "kept" else "fold")
    for topic in TOPICS:
        state = states.get(topic.name)
        size = None if state is None else state.bytes
        table.add_row(
            topic.name,
            str(state.partitions) if state else "[red]absent[/]",
            f"{state.records:,}" if state else "-",
            f"{size / 1e6:,.1f}" if size is not None else "-",
            kept(topic),
            topic.key,
            ", ".join(topic.writers),
            topic.doc,
        )
    console().print(table)


def kept(topic: Topic) -> str:
    """How long a topic's records stay."""
    if topic.compacted:
        return "compacted"
    if topic.retention_ms < 0:
        return "for ever"
    days = topic.retention_ms / DAY_MS
    return f"{days:g} day{'' if days == 1 else 's'}"
