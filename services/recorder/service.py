"""recorder: what happens, once, as rows of the ledger; every signal as a line of signals.jsonl too.

The file and the ledger know nothing of each other: while one can't be written, the other goes on.
"""

import asyncio
from collections.abc import Sequence

from chandler.core.events import DeadLetter, Signal
from chandler.streams.codec import encode
from chandler.streams.edge import Handler, Record, consume, letter
from chandler.streams.exact.observe import StageObserver
from services.declaration import Context, Health, Metric, Metrics, Service
from services.recorder.edge import SignalFile
from services.recorder.ledger import record

FILE_NAME = "signals.jsonl"
HEALTH_S = 0.2  # between two looks at the parts


async def run(context: Context) -> None:
    """Records until the stop."""
    file_health, ledger_health = Health(), Health()
    observer = StageObserver("recorder", context.metrics, context.log)
    told = asyncio.create_task(_tell(context.health, (file_health, ledger_health)))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep_file(context, file_health, observer), name="signals.jsonl")
            tasks.create_task(
                record(context, ledger_health, observer.dead_letter), name="the ledger"
            )
    finally:
        told.cancel()


async def _keep_file(context: Context, health: Health, observer: StageObserver) -> None:
    """Appends signals until the stop; a batch is on disk before its offsets are committed."""
    file = await asyncio.to_thread(SignalFile, context.installation.data / FILE_NAME)
    context.log.info("%s holds %d signals", file.path, file.signals)
    if file.torn:
        context.log.warning(
            "the last line was torn: %d bytes are in %s", file.torn, file.path.with_suffix(".torn")
        )
    if file.strange:
        context.log.warning("%d lines are no signals: left as they are", file.strange)

    try:
        await consume(
            context.installation,
            service="recorder",
            topics=["signals"],
            handler=append_to(file, context.metrics),
            stop=context.stop,
            health=health,
            on_letter=observer.dead_letter,
        )
    finally:
        file.close()


async def _tell(whole: Health, parts: tuple[Health, ...]) -> None:
    """The service is as ready as the least ready part of it, and as far behind as the last."""
    while True:
        waits = [part for part in parts if not part.ready or part.state != "ready"]
        whole.ready = all(part.ready for part in parts)
        whole.state = waits[0].state if waits else "ready"
        whole.lag = max(part.lag for part in parts)
        taken = [part.age_s for part in parts if part.took_any]
        if taken:
            whole.age_s = min(taken)
        await asyncio.sleep(HEALTH_S)


def append_to(file: SignalFile, metrics: Metrics | None = None) -> Handler:
    """Takes batches of signals into `file`; the letters are ids that came with other bytes."""
    counted = metrics or Metrics()

    async def append(records: Sequence[Record]) -> list[DeadLetter]:
        verdicts = await asyncio.to_thread(file.append, [_line(record) for record in records])
        for verdict in ("new", "known"):
            count = verdicts.count(verdict)
            counted.add("chandler_recorder_signals_total", count, verdict=verdict)
        counted.set("chandler_recorder_file_signals", file.signals)
        return [
            _differs(record)
            for record, verdict in zip(records, verdicts, strict=True)
            if verdict == "differs"
        ]

    return append


def _line(record: Record) -> tuple[str, bytes]:
    assert isinstance(record.event, Signal)
    line = encode(record.event) if b"\n" in record.raw else record.raw
    return record.event.id, line


def _differs(record: Record) -> DeadLetter:
    assert isinstance(record.event, Signal)
    detail = f"signal {record.event.id} came again with other bytes: the first is kept"
    place = (record.topic, record.partition, record.offset)
    return letter("recorder", "same id, other bytes", detail, *place, record.raw)


SERVICE = Service(
    name="recorder",
    kind="edge",
    doc="keeps what happens in the ledger, and every signal in signals.jsonl",
    reads=(
        "signals",
        "signals.external",
        "orders",
        "positions",
        "exits",
        "pumps",
        "commands",
        "answers",
        "notices",
        "infra",
    ),
    writes=("dead-letters",),
    metrics=(
        Metric(
            name="chandler_recorder_signals_total",
            kind="counter",
            doc="signals read, by whether the file had them already",
            labels=("verdict",),
            known=("new", "known"),
        ),
        Metric(name="chandler_recorder_file_signals", kind="gauge", doc="signals in signals.jsonl"),
        Metric(
            name="chandler_recorder_ledger_events_total",
            kind="counter",
            doc="events taken into the ledger",
            labels=("topic",),
        ),
        Metric(name="chandler_recorder_ledger_rows_total", kind="counter", doc="rows written"),
        Metric(
            name="chandler_recorder_ledger_transaction_seconds",
            kind="histogram",
            doc="from a batch at hand to its commit, waiting included",
        ),
        Metric(
            name="chandler_recorder_ledger_delay_seconds",
            kind="histogram",
            doc="wall time from an event's record in Kafka to its commit in the ledger",
        ),
        Metric(
            name="chandler_recorder_signal_to_order_seconds",
            kind="histogram",
            doc="from the record of a signal to that of an order that it opens, by Kafka's times",
        ),
        Metric(
            name="chandler_recorder_signal_to_venue_seconds",
            kind="histogram",
            doc="from the record of a signal to that of the venue's word that it has the order",
        ),
        Metric(
            name="chandler_recorder_ledger_waits_total",
            kind="counter",
            doc="tries that the ledger could not take: locked, full, away",
        ),
        Metric(
            name="chandler_recorder_dead_letters_total",
            kind="counter",
            doc="what could not be read or done",
            labels=("cause",),
            known=("undecodable",),
        ),
    ),
    run=run,
)
