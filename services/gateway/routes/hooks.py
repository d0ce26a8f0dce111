"""Hooks: addresses with a secret of their own that take alerts and send signals."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from services.gateway.access.gate import BODY
from services.gateway.access.secrets import new_id, new_secret, sealed
from services.gateway.access.store import Hook
from services.gateway.address import hook_url
from services.gateway.caller import PERSON, Caller, Gateway, at_least
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.routes.access import gate_of
from services.gateway.routes.signals import ready, sent_signal
from services.gateway.sending.alerts import alert_of
from services.gateway.shapes.access import HookIn, HookOut, HooksOut, NewHookOut
from services.gateway.shapes.signals import SignalIn, SignalOut

router = APIRouter(tags=["hooks"])
WITHIN_S = 2.5  # who sends alerts waits for three
HOOKS_MAX = 100
BODY_BYTES_MAX = 8 * 1024
TOKEN = r"^[A-Za-z0-9_-]{1,100}$"  # noqa: S105 - what one looks like

Owner = Annotated[Caller, at_least("owner", PERSON)]
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$")]
ALERT = {
    "requestBody": {
        "description": "action, side or order (buy, sell, close), or market_position (long, short, "
        "flat); ticker or symbol; alert or strategy, time or bar_time, message. Or words.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/hooks", responses=refusals(401, 403))
async def hooks(caller: Owner, parts: Gateway) -> HooksOut:
    """All of them, without their tokens."""
    return HooksOut(items=[HookOut(**_shown(each)) for each in gate_of(parts).store.hooks()])


@router.post("/hooks", status_code=201, responses=refusals(401, 403, 409))
async def make(asked: HookIn, caller: Owner, parts: Gateway) -> NewHookOut:
    """A hook; its address is shown this once."""
    store = gate_of(parts).store
    there = store.hooks()
    if asked.name in parts.sending.engines:
        raise Problem(422, "engines_name", "an engine has that name: take another")
    if any(each.name == asked.name for each in there):
        raise Problem(409, "name_taken", "a hook has that name: take another, or rotate it")
    if len(there) >= HOOKS_MAX:
        raise Problem(409, "too_many_hooks", f"there are {HOOKS_MAX} hooks: take some away first")
    for name in asked.agents:
        if name not in parts.profile.agents:
            raise Problem(422, "unknown_agent", f"{name}: there is no such agent")
    token = new_secret()
    hook = Hook(
        id=new_id(),
        name=asked.name,
        hash=sealed(token),
        user=caller.name,
        agents=tuple(sorted(set(asked.agents))),
        strength=asked.strength,
        made_ms=parts.now_ms(),
    )
    store.put_hook(hook)
    return _new(parts, hook, token)


@router.post("/hooks/{id}/rotate", responses=refusals(401, 403, 404))
async def rotate(id: Id, caller: Owner, parts: Gateway) -> NewHookOut:
    """Another address for the same hook; the old one opens nothing any more."""
    token = new_secret()
    hook = _hook(parts, id)._replace(hash=sealed(token))
    gate_of(parts).store.put_hook(hook)
    return _new(parts, hook, token)


@router.delete("/hooks/{id}", status_code=204, responses=refusals(401, 403, 404))
async def take_away(id: Id, caller: Owner, parts: Gateway) -> None:
    """It takes no alerts any more."""
    gate_of(parts).store.drop_hook(_hook(parts, id).id)


@router.post(
    "/hooks/{token}",
    status_code=201,
    responses={
        200: {"model": SignalOut, "description": "this alert was taken before"},
        **refusals(403, 404, 503),
    },
    openapi_extra=ALERT,
)
async def alert(
    token: Annotated[str, Path(pattern=TOKEN)], request: Request, response: Response, parts: Gateway
) -> SignalOut:
    """Takes an alert; answered within 3 s. One that names its bar is taken once."""
    store = gate_of(parts).store
    hook = store.hook(sealed(token))
    user = None if hook is None else parts.profile.users.get(hook.user)
    if hook is None or user is None:
        raise Problem(404, "unknown_hook", "no hook has this address: it was taken away or rotated")
    caller = Caller(f"hook:{hook.id}", user, key=f"hook:{hook.id}", only=frozenset(hook.agents))
    gate_of(parts).limit(caller)
    if not caller.may("operator"):
        raise Problem(403, "role", "who made this hook may send no signals any more: ask an owner")
    body: bytes = request.scope.get(BODY, b"")
    if len(body) > BODY_BYTES_MAX:
        raise Problem(413, "too_large", f"expected an alert of at most {BODY_BYTES_MAX} bytes")
    ready(parts)
    said = alert_of(body, parts.views.symbols())
    reason = said.message or said.name
    asked = SignalIn(
        symbol=said.symbol,
        side=said.side,
        strength=hook.strength,
        source=hook.name,
        reason=reason,
    )
    sent = await sent_signal(parts, caller, asked, said.key(hook.id), WITHIN_S)
    outcome = "repeated" if sent.repeated else "taken"
    parts.metrics.add("chandler_gateway_signals_total", outcome=outcome)
    if sent.repeated:
        response.status_code = 200
    return sent


def _hook(parts: Parts, id_: str) -> Hook:
    found = next((each for each in gate_of(parts).store.hooks() if each.id == id_), None)
    if found is None:
        raise Problem(404, "unknown_hook", "there is no such hook: GET /v1/hooks lists them")
    return found


def _new(parts: Parts, hook: Hook, token: str) -> NewHookOut:
    url = hook_url(parts.installation, parts.profile, token)
    return NewHookOut(**_shown(hook), url=url)


def _shown(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "name": hook.name,
        "user": hook.user,
        "agents": list(hook.agents),
        "strength": hook.strength,
        "made_ms": hook.made_ms,
    }
