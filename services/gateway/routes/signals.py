"""POST /v1/signals, and what became of a signal."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse

from chandler.core.events import Signal
from services.gateway.access.secrets import new_secret
from services.gateway.caller import Caller, Gateway, at_least
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.sending.dry import eligibility, unknown
from services.gateway.sending.outcomes import looked_up, outcome_of, outcomes_of
from services.gateway.sending.sending import WITHIN_S, Sending
from services.gateway.sending.signals import (
    aimed,
    body_hash,
    check,
    key_of,
    signal_id,
    signal_of,
)
from services.gateway.sending.writer import Asked
from services.gateway.shapes.fields import IdempotencyKey, Wait, seconds
from services.gateway.shapes.signals import DryRunOut, SignalIn, SignalOut

router = APIRouter(tags=["signals"])
TOPIC = "signals.external"

Sender = Annotated[Caller, at_least("operator", "signals")]
Reader = Annotated[Caller, at_least("viewer", "read")]


def sending_of(parts: Parts) -> Sending:
    """What sends here."""
    assert isinstance(parts.sending, Sending)
    return parts.sending


@router.post(
    "/signals",
    status_code=201,
    response_model=SignalOut,
    responses={
        200: {"model": SignalOut | DryRunOut, "description": "taken before, or a dry run"},
        **refusals(401, 403, 409, 503),
    },
)
async def send(
    asked: SignalIn,
    response: Response,
    caller: Sender,
    parts: Gateway,
    idempotency_key: Annotated[IdempotencyKey | None, Header()] = None,
    dry_run: bool = False,
    wait: Annotated[Wait, Query()] = "0",
) -> SignalOut | Response:
    """Sends a signal; answered once Kafka has it. The same key and body: the same answer."""
    sending = sending_of(parts)
    key = key_of(asked.idempotency_key or "", idempotency_key or "")
    if dry_run:
        return JSONResponse(tried(parts, caller, asked).model_dump())
    sent = await sent_signal(parts, caller, asked, key)
    parts.metrics.add(
        "chandler_gateway_signals_total", outcome="repeated" if sent.repeated else "taken"
    )
    if seconds(wait):
        agents = addressed(parts, caller, sent.agents)
        found = await outcomes_of(sending.hearing, sent.id, agents, seconds(wait))
        sent.outcomes = found
    if sent.repeated:
        response.status_code = 200
    return sent


async def sent_signal(
    parts: Parts, caller: Caller, asked: SignalIn, key: str, within_s: float = WITHIN_S
) -> SignalOut:
    """The signal, once it is in the topic. Problem."""
    sending = sending_of(parts)
    await sending.begun(within_s)
    id_ = signal_id(caller.name, key or new_secret())
    known = sending.writer.taken(id_) if key else None
    if known is None:
        signal = made(parts, caller, asked, id_)
    else:
        signal = event_of(parts, caller, asked, id_, known.at_ms)
    out = await sending.send(
        Asked(TOPIC, signal.symbol, id_, signal, signal.close_ms, body_hash(asked) if key else ""),
        within_s,
    )
    taken = out.taken
    answer = shown(event_of(parts, caller, asked, id_, taken.at_ms))
    answer.place = f"{taken.topic}:{taken.partition}:{taken.offset}"
    answer.repeated = out.repeated
    return answer


def made(parts: Parts, caller: Caller, asked: SignalIn, id_: str) -> Signal:
    """The signal of now; Problem 422, 503."""
    sending = sending_of(parts)
    ready(parts)
    clock_ms = sending.clock_ms()
    check(
        asked,
        symbols=parts.views.symbols(),
        engines=sending.engines,
        clock_ms=clock_ms,
        pace=parts.profile.pace,
    )
    return event_of(parts, caller, asked, id_, clock_ms)


def event_of(parts: Parts, caller: Caller, asked: SignalIn, id_: str, at_ms: int) -> Signal:
    """The signal of a time."""
    agents = aimed(caller, asked.agents, parts.profile.agents)
    until_ms = sending_of(parts).until_ms(at_ms, asked.expires_s)
    return signal_of(asked, id_, agents, at_ms, until_ms, parts.code)


def tried(parts: Parts, caller: Caller, asked: SignalIn) -> DryRunOut:
    """What would become of it. Problem 422, 503."""
    if trouble := parts.views.trouble("desk", "lately", "scanned"):
        raise Problem(503, "topics_unread", trouble, {"Retry-After": "2"})
    signal = made(parts, caller, asked, "dry-run")
    agents, desks = addressed(parts, caller, signal.agents), sending_of(parts).desks
    return DryRunOut(
        at_ms=signal.close_ms,
        agents=eligibility(desks, parts.views, signal, agents),
        unknown=unknown(desks, agents),
    )


def shown(signal: Signal) -> SignalOut:
    """As it is answered, without its place and what became of it."""
    return SignalOut(
        id=signal.id,
        symbol=signal.symbol,
        side=signal.side,
        strength=signal.strength,
        source=signal.source,
        reason=signal.reason,
        stop=signal.stop,
        targets=signal.targets,
        agents=signal.agents,
        at_ms=signal.close_ms,
        expires_ms=signal.expires_ms,
        place="",
    )


def ready(parts: Parts) -> None:
    """Problem 503 while the venue's time or the symbols are not known."""
    views = parts.views
    if not (views.known("lately") and views.symbols() and sending_of(parts).clock_ms()):
        raise Problem(
            503,
            "topics_unread",
            "the topics say no time and no symbols yet: try again in a moment",
            {"Retry-After": "2"},
        )


def addressed(parts: Parts, caller: Caller, named: list[str]) -> list[str]:
    """The agents of a signal that the caller sees."""
    return [each for each in sorted(named or parts.profile.agents) if caller.sees(each)]


@router.get("/signals/{id}", responses=refusals(401, 403, 404, 503))
async def signal(
    id: Annotated[str, Path(pattern=r"^[a-z2-7]{1,64}$")],
    caller: Reader,
    parts: Gateway,
    wait: Annotated[Wait, Query()] = "0",
) -> SignalOut:
    """A signal, and what each agent made of it. `wait`: until all of them have answered."""
    sending = sending_of(parts)
    found = sending.hearing.heard.signal(id)
    if found is None:
        told = await looked_up(parts.sources, id)
    if found is not None:
        signal_, place = found
        agents = addressed(parts, caller, signal_.agents)
        outcomes = await outcomes_of(sending.hearing, id, agents, seconds(wait))
    elif told is not None:
        signal_, place, known = told
        agents = addressed(parts, caller, signal_.agents)
        outcomes = [outcome_of(name, known) for name in agents]
    else:
        raise Problem(404, "unknown_signal", "there is no such signal: take the id of the answer")
    answer = shown(signal_)
    answer.agents = [each for each in signal_.agents if caller.sees(each)]
    answer.place, answer.outcomes = place, outcomes
    return answer
