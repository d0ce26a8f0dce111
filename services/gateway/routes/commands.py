"""Commands: asked for, listed, and what became of them; positions closed, agents changed."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query

from chandler.core.trading.events import Command
from services.gateway.access.secrets import new_secret
from services.gateway.caller import Caller, Gateway, at_least
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.routes.signals import sending_of
from services.gateway.sending.commands import (
    There,
    body_hash,
    check,
    check_role,
    command_id,
    command_of,
    expected,
    parts_of_patch,
    shown,
)
from services.gateway.sending.heard import Heard
from services.gateway.sending.signals import key_of
from services.gateway.sending.writer import Asked
from services.gateway.shapes.commands import AgentPatch, CommandIn, CommandOut, CommandsOut
from services.gateway.shapes.fields import IdempotencyKey, Wait, seconds
from services.topology import services_of

router = APIRouter(tags=["commands"])
TOPIC = "commands"
LIST_MAX = 500

Operator = Annotated[Caller, at_least("operator", "commands")]
Reader = Annotated[Caller, at_least("viewer", "read")]
KeyHeader = Annotated[IdempotencyKey | None, Header()]
Waiting = Annotated[Wait, Query()]


@router.post("/commands", status_code=202, responses=refusals(401, 403, 409, 503))
async def ask(
    asked: CommandIn,
    caller: Operator,
    parts: Gateway,
    idempotency_key: KeyHeader = None,
    wait: Waiting = "0",
) -> CommandOut:
    """Asks for something; taken once Kafka has it. `wait`: for what becomes of it."""
    key = key_of(asked.idempotency_key or "", idempotency_key or "")
    sent, repeated = await _sent(parts, caller, asked, key)
    return await _answered(parts, sent, seconds(wait), repeated=repeated)


@router.get("/commands", responses=refusals(401, 403))
async def commands(
    caller: Reader, parts: Gateway, limit: Annotated[int, Query(ge=1, le=LIST_MAX)] = 50
) -> CommandsOut:
    """The newest first."""
    heard = sending_of(parts).hearing.heard
    seen = [each for each in heard.commands() if _sees(caller, each)][:limit]
    return CommandsOut(items=[shown(each, heard.answers(each.id), _shards(parts)) for each in seen])


@router.get("/commands/{id}", responses=refusals(401, 403, 404))
async def command(
    id: Annotated[str, Path(pattern=r"^[a-z0-9]{1,64}$")],
    caller: Reader,
    parts: Gateway,
    wait: Waiting = "0",
) -> CommandOut:
    """A command, and what became of it."""
    found = sending_of(parts).hearing.heard.command(id)
    if found is None or not _sees(caller, found):
        raise Problem(404, "unknown_command", "there is no such command, or it is too old")
    return await _answered(parts, found, seconds(wait))


@router.post("/positions/{id}/close", status_code=202, responses=refusals(401, 403, 404, 409, 503))
async def close(
    id: Annotated[str, Path(pattern=r"^[a-z2-7~0-9]{1,64}$")],
    caller: Operator,
    parts: Gateway,
    idempotency_key: KeyHeader = None,
    wait: Waiting = "0",
) -> CommandOut:
    """Closes an open position: a command for its agent and symbol."""
    rows = [row for row in parts.views.desk.open_rows() if row.id == id and caller.sees(row.agent)]
    if not rows:
        raise Problem(404, "unknown_position", "no such position is open: GET /v1/positions")
    asked = CommandIn(what="close", agent=rows[0].agent, symbol=rows[0].symbol)
    sent, repeated = await _sent(parts, caller, asked, idempotency_key or "")
    return await _answered(parts, sent, seconds(wait), repeated=repeated)


@router.patch("/agents/{name}", status_code=202, responses=refusals(401, 403, 404, 409, 503))
async def change(
    name: Annotated[str, Path(max_length=64)],
    patch: AgentPatch,
    caller: Operator,
    parts: Gateway,
    idempotency_key: KeyHeader = None,
    wait: Waiting = "0",
) -> CommandsOut:
    """Changes switches and limits of an agent: a command for each, all of them checked first."""
    if name not in parts.profile.agents or not caller.sees(name):
        raise Problem(404, "unknown_agent", "there is no such agent: GET /v1/agents lists them")
    asked = parts_of_patch(name, patch)
    for each in asked:
        check(each, caller, _there(parts))
    key, found = idempotency_key or "", []
    for place, each in enumerate(asked):
        part_key = f"{key}/{place}" if key else ""
        found.append(await _sent(parts, caller, each, part_key))
    wait_s = seconds(wait)
    items = (_answered(parts, each, wait_s, repeated=again) for each, again in found)
    return CommandsOut(items=list(await asyncio.gather(*items)))


async def _sent(parts: Parts, caller: Caller, asked: CommandIn, key: str) -> tuple[Command, bool]:
    """The command, once it is in the topic, and whether it was before. Problem."""
    sending, now_ms = sending_of(parts), parts.now_ms()
    check_role(asked, caller)
    await sending.begun()
    id_ = command_id(caller.name, key or new_secret())
    if not key or sending.writer.taken(id_) is None:
        check(asked, caller, _there(parts))
    made = command_of(asked, id_, caller.who, sending.clock_ms() or now_ms, now_ms)
    out = await sending.send(Asked(TOPIC, id_, id_, made, made.at, body_hash(asked) if key else ""))
    if not out.repeated:
        parts.metrics.add("chandler_gateway_commands_total", what=asked.what)
    return command_of(asked, id_, caller.who, out.taken.at_ms, out.taken.taken_ms), out.repeated


async def _answered(
    parts: Parts, command: Command, wait_s: float, *, repeated: bool = False
) -> CommandOut:
    """With what became of it; waits for all that answer, but no longer."""
    hearing, shards = sending_of(parts).hearing, _shards(parts)

    def whole(heard: Heard) -> bool | None:
        return len(heard.answers(command.id)) >= expected(command, shards) or None

    await hearing.until(whole, wait_s)
    answer = shown(command, hearing.heard.answers(command.id), shards)
    answer.repeated = repeated
    return answer


def _shards(parts: Parts) -> int:
    """How many of the desk's answer a command that is for all agents."""
    return sum(1 for desk in sending_of(parts).desks if desk.agents or desk.shard == 0)


def _sees(caller: Caller, command: Command) -> bool:
    """A command for all agents is shown to whoever sees all of them."""
    return caller.sees(command.agent) if command.agent else not caller.restricted


def _there(parts: Parts) -> There:
    return There(
        agents=parts.profile.agents,
        symbols=parts.views.symbols(),
        engines=sending_of(parts).engines,
        services=services_of(parts.profile),
    )
