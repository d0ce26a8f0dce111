"""`topics`: the catalogue, and what stands on the cluster; `topics create` makes the missing."""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from chandler.streams.admin import create_topics, describe
from chandler.streams.catalogue import TOPICS, Topic
from chandler.streams.embedded import lease
from services.cli.desk.columns import console
from services.cli.records.reading import reading
from services.loading import configuration
from services.runner import installed

DAY_MS = 86_400_000

app = typer.Typer(invoke_without_command=True)


@app.callback()
def topics(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Shows every topic: key, partitions, what is kept, how much is in it."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@app.command()
def create() -> None:
    """Creates the topics that are missing, and checks those that are there; `up` does so itself."""
    installation = installed()
    kafka = configuration(installation).profile.kafka
    with lease(installation, lambda line: print(line, file=sys.stderr)):
        made = asyncio.run(create_topics(installation, kafka.symbol_partitions, kafka.replication))
    typer.echo(f"topics={len(TOPICS)} created={len(made)}")


def show(*, as_json: bool) -> None:
    """Prints what stands on the cluster, as a table or as JSON."""
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
