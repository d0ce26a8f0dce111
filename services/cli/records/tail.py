"""`tail`: records of a topic as they are committed."""

import asyncio
import base64
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from chandler.streams.catalogue import BY_NAME
from chandler.streams.reader import Record, follow
from chandler.streams.settings import Installation
from services.cli.records.reading import reading
from services.layers import nearest


def tail(
    topic: Annotated[str, typer.Argument(help="its name in the catalogue: signals, candles.5m")],
    symbol: Annotated[str, typer.Option(help="only records with this key")] = "",
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="all of it")] = False,
    limit: Annotated[int, typer.Option(help="end after so many; 0: never", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Prints records of a topic until Ctrl-C."""
    if topic not in BY_NAME:
        near = nearest(topic, list(BY_NAME))
        raise typer.BadParameter(f"topic {topic!r} is not in the catalogue{near}: see topics")
    wanted = Wanted(symbol.upper(), from_beginning, limit, as_json)
    with reading() as installation:
        asyncio.run(_tail(installation, topic, wanted))


class Wanted(NamedTuple):
    """Which records, and how they are shown."""

    symbol: str
    from_beginning: bool
    limit: int
    as_json: bool


async def _tail(installation: Installation, name: str, wanted: Wanted) -> None:
    printed = 0
    if sys.stderr.isatty():
        of = f" of {wanted.symbol}" if wanted.symbol else ""
        typer.echo(f"waiting for records{of} in {name}; Ctrl-C ends it", err=True)
    async for record in follow(
        installation, [name], "beginning" if wanted.from_beginning else "end"
    ):
        if wanted.symbol and record.key.split("|")[0].upper() != wanted.symbol:
            continue
        typer.echo(_json(record) if wanted.as_json else _line(record))
        printed += 1
        if printed == wanted.limit:
            return


def _value(record: Record) -> Any:
    try:
        return msgspec.json.decode(record.raw) if record.raw is not None else None
    except msgspec.DecodeError:
        return {"undecodable": base64.b64encode(record.raw or b"").decode()}


def _json(record: Record) -> str:
    entry = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": record.key,
        "headers": {name: raw.decode(errors="replace") for name, raw in record.headers.items()},
        "value": _value(record),
    }
    return msgspec.json.encode(entry).decode()


def _line(record: Record) -> str:
    moment = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    value = _value(record)
    fields = value.items() if isinstance(value, dict) else [("value", value)]
    pairs = " ".join(
        f"{key}={msgspec.json.encode(item).decode() if isinstance(item, dict | list) else item}"
        for key, item in fields
        if key not in ("v", "symbol")
    )
    at = moment.strftime("%H:%M:%S.%f")[:-3]
    return f"{at} {record.partition}/{record.offset} {record.key or '-'} {pairs}"
