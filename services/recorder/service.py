"""recorder: every signal, once by its id, as a line of signals.jsonl in the data directory."""

import asyncio
from collections.abc import Sequence

from chandler.core.events import DeadLetter, Signal
from chandler.streams.codec import encode
from chandler.streams.edge import Handler, Record, consume, letter
from chandler.streams.exact.observe import StageObserver
from services.declaration import Context, Metric, Metrics, Service
from services.recorder.edge import SignalFile

FILE_NAME = "signals.jsonl"


async def run(context: Context) -> None:
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
            health=context.health,
            on_letter=StageObserver("recorder", context.metrics, context.log).dead_letter,
        )
    finally:
        file.close()


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
    doc="appends every signal, once by its id, to signals.jsonl",
    reads=("signals",),
    writes=("dead-letters",),
    metrics=(
        Metric(
            name="chandler_recorder_signals_total",
            kind="counter",
            doc="signals read, by whether the file had them already",
            labels=("verdict",),
        ),
        Metric(name="chandler_recorder_file_signals", kind="gauge", doc="signals in signals.jsonl"),
        Metric(
            name="chandler_recorder_dead_letters_total",
            kind="counter",
            doc="what could not be read or done",
            labels=("cause",),
        ),
    ),
    run=run,
)
