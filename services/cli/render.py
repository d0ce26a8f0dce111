"""`render`: writes what follows from the declarations and the catalogue; `--check` compares.

docs/topology.md is made here, manifests and lists of ports in services/deploying.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from chandler.core.granularity import DAY_MS, INTERVAL_MS
from chandler.streams.catalogue import TOPICS, Topic
from chandler.streams.telemetry.metrics import standard
from services.declaration import Metric, Service
from services.deploying.files import files, strangers
from services.layers import root
from services.loading import load_service
from services.topology import ORDER, exists

TOPOLOGY = Path("docs/topology.md")
# In the tables, and left out of the picture: nearly every service has them.
NOT_DRAWN = ("dead-letters", "infra", "configs")
_SUFFIX = re.compile(rf"\.({'|'.join(INTERVAL_MS)})$")


def render(
    check: Annotated[bool, typer.Option("--check", help="compare, write nothing")] = False,
) -> int:
    """Writes docs/topology.md and what is deployed; with --check status 1 if anything differs."""
    services = [load_service(name) for name in ORDER if exists(name)]
    wanted = {TOPOLOGY: topology(services)} | files(services, root())
    differing = [path for path, text in wanted.items() if _found(path) != text]
    left = strangers(wanted, root())
    if check:
        for path in differing:
            typer.echo(_difference(path, wanted[path]), err=True)
        for path in left:
            typer.echo(f"{path} follows from nothing any more: run ./chandler render", err=True)
        if differing or left:
            return 1
    for path in differing:
        (root() / path).parent.mkdir(parents=True, exist_ok=True)
        (root() / path).write_text(wanted[path])
    for path in left:
        (root() / path).unlink()
    typer.echo(f"files={len(wanted)} written={len(differing)} removed={len(left)}")
    return 0


def _found(path: Path) -> str:
    return (root() / path).read_text() if (root() / path).exists() else ""


def _difference(path: Path, wanted: str) -> str:
    changed = [
        line
        for line in difflib.unified_diff(
            _found(path).splitlines(), wanted.splitlines(), lineterm=""
        )
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    return (
        f"{path} differs from the declarations in {len(changed)} lines, the first is "
        f"{changed[0] if changed else 'its end'!r}: run ./chandler render"
    )


def topology(services: Sequence[Service]) -> str:
    """The whole document."""
    written = {name for service in services for name in (*service.reads, *service.writes)}
    topics = [topic for topic in TOPICS if topic.name in written]
    parts = [
        "# Topology",
        "",
        "Rendered by `./chandler render` from the services' declarations and the topic catalogue;",
        "`./chandler render --check` compares. Don't edit.",
        "",
        "```mermaid",
        *_picture(services),
        "```",
        "",
        f"Not drawn: {', '.join(f'`{name}`' for name in NOT_DRAWN)}.",
        "",
        "## Services",
        "",
        *_table(
            ("service", "kind", "what it does", "reads", "writes", "workers"),
            (
                (
                    service.name,
                    service.kind,
                    service.doc,
                    _names(service.reads),
                    _names(service.writes),
                    "several" if service.scalable else "one",
                )
                for service in services
            ),
        ),
        "",
        "## Topics",
        "",
        *_table(
            ("topic", "key", "events", "what", "partitions", "kept"),
            (_topic_row(stem, group) for stem, group in _grouped(topics).items()),
        ),
        "",
        "faust keeps the market's table in `chandler-market-closes-changelog`.",
        "",
        "## Metrics",
        "",
        "Each service serves these at `/metrics`, with those of its process.",
    ]
    for service in services:
        parts += ["", f"### {service.name}", ""]
        metrics = (*standard(service.name), *service.metrics)
        parts += _table(("metric", "kind", "labels", "what"), map(_metric_row, metrics))
    return "\n".join(parts) + "\n"


def stem(topic: str) -> str:
    """candles.5m → candles.<granularity>; other names as they are."""
    return _SUFFIX.sub(".<granularity>", topic)


def _names(topics: Sequence[str]) -> str:
    """All granularities of a stem are one name; some of them are named one by one."""
    counts = Counter(map(stem, topics))
    shown = (stem(name) if counts[stem(name)] == len(INTERVAL_MS) else name for name in topics)
    return ", ".join(f"`{name}`" for name in dict.fromkeys(shown)) or "–"


def _grouped(topics: Sequence[Topic]) -> dict[str, list[Topic]]:
    groups: dict[str, list[Topic]] = {}
    for topic in topics:
        groups.setdefault(stem(topic.name), []).append(topic)
    return groups


def _topic_row(name: str, group: Sequence[Topic]) -> tuple[str, ...]:
    topic = group[0]
    events = ", ".join(f"`{event.__name__}`" for event in topic.events) or "state"
    kept = "newest of each key" if topic.compacted else "for ever"
    if topic.retention_ms >= 0:
        kept = f"{topic.retention_ms // DAY_MS} d"
    partitions = str(topic.partitions or "as symbols")
    return (f"`{name}`", topic.key, events, topic.doc, partitions, kept)


def _metric_row(metric: Metric) -> tuple[str, ...]:
    return (f"`{metric.name}`", metric.kind, ", ".join(metric.labels) or "–", metric.doc)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [row(head), "|---" * len(head) + "|", *(row(cells) for cells in rows)]


def _picture(services: Sequence[Service]) -> list[str]:
    """A service that reads what it alone writes keeps its state there: one line, both ways."""
    lines = ["flowchart LR"]
    drawn: dict[str, str] = {}
    for service in services:
        lines.append(f'    {service.name}["{service.name}"]')
        own = {f"state.{service.name}"}
        for topic in dict.fromkeys(map(stem, (*service.writes, *service.reads))):
            if topic in NOT_DRAWN:
                continue
            if topic not in drawn:
                drawn[topic] = "t" + re.sub(r"\W", "_", topic)
                shown = topic.replace("<granularity>", "*")
                lines.append(f'    {drawn[topic]}(["{shown}"])')
            writes = topic in map(stem, service.writes)
            reads = topic in map(stem, service.reads) or topic in own
            if reads and writes:
                lines.append(f"    {service.name} <--> {drawn[topic]}")
            elif writes:
                lines.append(f"    {service.name} --> {drawn[topic]}")
            else:
                lines.append(f"    {drawn[topic]} --> {service.name}")
    if {"simulator", "ingest"} <= {service.name for service in services}:
        lines.append("    simulator -. WebSocket, REST .-> ingest")
    return lines
