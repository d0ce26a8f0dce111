"""`desk agent`, `desk close`, `desk close-all`, `desk resolve`: commands, and what became of them.

A command stands in topic `commands` before it is waited for: where no answer comes in time, it is
carried out as soon as the executor runs.
"""

import asyncio
import time
import uuid
from contextlib import aclosing
from typing import Annotated, Literal

import msgspec
import typer

from chandler.core.events import Symbol
from chandler.core.trading.events import Answer, Command
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import ReadError, follow_batches, partitions
from chandler.streams.settings import Installation
from services.cli.records.reading import reading
from services.desks import desks
from services.exits import FAILED, WELL
from services.loading import configuration
from services.showing.clock import venue_time

WAIT_S = 15.0
EARLIER_MS = 60_000  # clocks of two machines may differ by so much

Wait = Annotated[float, typer.Option(help="seconds for the answer", min=0.0)]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
OneSymbol = Annotated[str, typer.Option(help="only in this one")]
Switch = Literal["trading", "buying", "selling"]


def agent(
    name: Annotated[str, typer.Argument(help="of the agent")],
    switch: Annotated[Switch, typer.Argument(help="buying opens longs, selling opens shorts")],
    state: Annotated[Literal["on", "off"], typer.Argument()],
    symbol: OneSymbol = "",
    wait: Wait = WAIT_S,
    as_json: AsJson = False,
) -> int:
    """Turns an agent's trading, or one side of it, on or off. Closes go on."""
    return _ask(switch, agent=name, symbol=symbol, on=state == "on", wait=wait, as_json=as_json)


def close(
    agent: Annotated[str, typer.Option(help="only of this one")] = "",
    symbol: OneSymbol = "",
    wait: Wait = WAIT_S,
    as_json: AsJson = False,
) -> int:
    """Closes an agent's positions, or those in a symbol, or both."""
    if not agent and not symbol:
        raise typer.BadParameter("expected --agent or --symbol; desk close-all closes everything")
    return _ask("close", agent=agent, symbol=symbol, wait=wait, as_json=as_json)


def close_all(wait: Wait = WAIT_S, as_json: AsJson = False) -> int:
    """Closes every position of every agent."""
    return _ask("close_all", wait=wait, as_json=as_json)


def resolve(
    agent: Annotated[str, typer.Argument(help="that is blocked")],
    wait: Wait = WAIT_S,
    as_json: AsJson = False,
) -> int:
    """Takes the venue's books as right, where they differ from ours; entries go on."""
    return _ask("resolve", agent=agent, wait=wait, as_json=as_json)


def _ask(
    what: str,
    *,
    agent: str = "",
    symbol: str = "",
    on: bool = True,
    wait: float,
    as_json: bool,
) -> int:
    with reading() as installation:
        shards = 1 if agent else shards_of(installation)
        asked = msgspec.convert(
            {
                "type": "Command",
                "id": uuid.uuid4().hex,
                "who": "cli",
                "what": what,
                "agent": agent,
                "symbol": Symbol(symbol.upper()),
                "on": on,
                "at": 0,
            },
            Command,
        )
        answers = asyncio.run(ask(installation, asked, shards, wait))
    done = len(answers) == shards and any(each.outcome == "done" for each in answers)
    if as_json:
        report = {"command": asked.id, "done": done, "expected": shards, "answers": answers}
        typer.echo(msgspec.json.encode(report).decode())
        return WELL if done else FAILED
    for answer in answers:
        typer.echo(f"{answer.outcome}: {answer.detail}", err=answer.outcome != "done")
    if len(answers) < shards:
        found = f"{len(answers)} of {shards} answers" if answers else "no answer"
        typer.echo(
            f"{found} within {wait:g} s: the command stands, and is carried out when the executor "
            "runs; see ./chandler status",
            err=True,
        )
    return WELL if done else FAILED


def shards_of(installation: Installation) -> int:
    """How many shards of the desk answer a command that is for all agents."""
    found = desks(configuration(installation).profile)
    return sum(1 for desk in found if desk.agents or desk.shard == 0)


async def ask(
    installation: Installation, command: Command, shards: int, wait_s: float
) -> list[Answer]:
    """Publishes the command at the venue's time; what the shards answer within `wait_s`."""
    there = await partitions(installation, ["commands", "answers"])
    for name in ("commands", "answers"):
        if not there.get(name):
            raise ReadError(f"topic {name} is not on this cluster: run ./chandler up first")
    began_ms = round(time.time() * 1_000)
    placed = msgspec.structs.replace(command, at=await venue_time(installation) or began_ms)
    async with producer(installation) as sender:
        await sender.send_and_wait(
            topic_name(installation, "commands"), encode(placed), key=placed.id.encode()
        )
    answers: list[Answer] = []
    try:
        batches = follow_batches(installation, ["answers"], began_ms - EARLIER_MS)
        async with asyncio.timeout(wait_s), aclosing(batches):
            async for batch in batches:
                events = [record.event for record in batch]
                answers += [
                    event
                    for event in events
                    if isinstance(event, Answer) and event.command == placed.id
                ]
                if len(answers) >= shards:
                    break
    except TimeoutError:
        pass
    return answers
