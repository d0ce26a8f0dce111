"""Signals, positions, exits, pumps, commands with their answers, notices, infra."""

from typing import Any

from sqlalchemy import Table

from chandler.core.events import InfraEvent, Signal
from chandler.core.trading.events import (
    Answer,
    Command,
    ExitRequested,
    NoticeAsked,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
    PumpState,
)
from services.ledger.fold.placed import Placed, Refused, place
from services.ledger.fold.rows import Row, Rows
from services.ledger.tables import (
    commands,
    exits,
    infra_events,
    notices,
    positions,
    pumps,
    signals,
)

MARK_EVERY_MS = 60_000  # event time between two rows of a position that say a new mark only
_MARKED = (
    "id",
    "account",
    "agent",
    "symbol",
    "side",
    "size",
    "cost",
    "leverage",
    "stop",
    "targets",
    "adds",
    "opened_ms",
    "source",
    "mark",
    "peak",
    "unrealised",
    "realised",
    "fees",
    "funding",
)


def take_signal(rows: Rows, record: Placed, event: Signal) -> Refused | None:
    """A signal, once by its id."""
    row = {"topic": record.topic, **_fields(event, signals), **place(record)}
    return _once(rows, record, signals, row, (record.topic, event.id))


def take_exit(rows: Rows, record: Placed, event: ExitRequested) -> Refused | None:
    """What the watch fired, once by its id."""
    return _once(rows, record, exits, {**_fields(event, exits), **place(record)}, (event.id,))


def take_notice(rows: Rows, record: Placed, event: NoticeAsked) -> Refused | None:
    """What people were to be told; asked again, it stays the first."""
    row = {**_fields(event, notices), **place(record)}
    if rows.get(notices, event.id) is None:
        rows.put(notices, row)
    return None


def take_pump(rows: Rows, record: Placed, event: PumpState) -> None:
    """A pump's start or end; heartbeats leave nothing."""
    if event.kind != "heartbeat":
        rows.add(pumps, {**_fields(event, pumps), **place(record)})


def take_infra(rows: Rows, record: Placed, event: InfraEvent) -> None:
    """Something that happened to a service."""
    rows.add(infra_events, {**_fields(event, infra_events), **place(record)})


def take_position(
    rows: Rows, record: Placed, event: PositionOpened | PositionUpdated | PositionClosed
) -> None:
    """A position as it stands now; mere marks at a bounded pace of event time."""
    row = rows.get(positions, event.position.id)
    only_marks = isinstance(event, PositionUpdated) and event.why == "mark"
    if only_marks and row is not None and event.at < row["marked_ms"] + MARK_EVERY_MS:
        return
    if row is not None and row["state"] == "closed" and not isinstance(event, PositionClosed):
        return  # its end has been told; what comes after is a repeat
    after: Row = {name: getattr(event.position, name) for name in _MARKED}
    after |= place(record)
    after |= {
        "state": "open",
        "reason": "",
        "exit_notional": None,
        "changed_ms": event.at,
        "marked_ms": event.at,
        "closed_ms": None,
    }
    if only_marks and row is not None:
        after["changed_ms"] = row["changed_ms"]
    if isinstance(event, PositionClosed):
        after |= {
            "state": "closed",
            "reason": event.reason,
            "exit_notional": event.exit_notional,
            "closed_ms": event.at,
        }
    rows.put(positions, after)


def take_command(rows: Rows, event: Command) -> None:
    """Who asks for what. Its answer may have come before: they are two topics."""
    names = ("who", "what", "agent", "symbol", "side", "source", "at")
    row = _command(rows, event.id)
    if row["what"] is None:
        asked = {name: getattr(event, name) for name in names}
        rows.put(commands, row | asked | {"switch": event.on})


def take_answer(rows: Rows, event: Answer) -> None:
    """What became of a command: the newest answer, and how many came."""
    row = _command(rows, event.command)
    answered = {
        "outcome": event.outcome,
        "detail": event.detail,
        "answered_by": event.by,
        "answered_ms": event.at,
        "answers": row["answers"] + 1,
    }
    rows.put(commands, row | answered)


def _command(rows: Rows, command: str) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(column.name for column in commands.c)
    return rows.get(commands, command) or nothing | {"id": command, "answers": 0}


def _once(
    rows: Rows, record: Placed, table: Table, row: Row, key: tuple[str, ...]
) -> Refused | None:
    """A row by the event's own id: again the same is nothing, with other content it is refused."""
    held = rows.get(table, *key)
    if held is None:
        rows.put(table, row)
        return None
    placed = {"kafka_partition", "kafka_offset", "written_ms"}
    if all(held[name] == value for name, value in row.items() if name not in placed):
        return None
    detail = f"{table.name} {key[-1]} came again with other content: the first is kept"
    return Refused(record, "same id, other bytes", detail)


def _fields(event: Any, table: Table) -> Row:
    """The event's fields that are columns of the same name."""
    return {name: getattr(event, name) for name in event.__struct_fields__ if name in table.columns}
