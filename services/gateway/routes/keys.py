"""API keys of a user: made, listed, taken away."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from services.gateway.access.secrets import new_id, new_secret, sealed
from services.gateway.access.store import Key
from services.gateway.caller import PERSON, Caller, Gateway, at_least
from services.gateway.problems import Problem, refusals
from services.gateway.routes.access import gate_of
from services.gateway.shapes.access import KeyIn, KeyOut, KeysOut, NewKeyOut

router = APIRouter(tags=["access"])
KEYS_MAX = 50  # of a user

Person = Annotated[Caller, at_least("viewer", PERSON)]
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$")]


@router.get("/keys", responses=refusals(401, 403))
async def keys(caller: Person, parts: Gateway) -> KeysOut:
    """Yours; an owner's are everybody's."""
    users = sorted(parts.profile.users) if caller.may("owner") else [caller.name]
    found = [each for user in users for each in gate_of(parts).store.keys(user)]
    return KeysOut(items=[KeyOut(**_shown(each)) for each in found])


@router.post("/keys", status_code=201, responses=refusals(401, 403, 409))
async def make(asked: KeyIn, caller: Person, parts: Gateway) -> NewKeyOut:
    """A key; its secret is shown this once. It may no more than you may."""
    store, now_ms = gate_of(parts).store, parts.now_ms()
    if asked.expires_ms and asked.expires_ms <= now_ms:
        raise Problem(422, "invalid", f"expires_ms: expected a time after {now_ms}, or 0")
    for name in asked.agents:
        if name not in parts.profile.agents or not caller.sees(name):
            raise Problem(422, "unknown_agent", f"{name}: there is no such agent")
    if len(store.keys(caller.name)) >= KEYS_MAX:
        raise Problem(409, "too_many_keys", f"you have {KEYS_MAX} keys: take some away first")
    secret = new_secret()
    key = Key(
        id=new_id(),
        user=caller.name,
        name=asked.name,
        hash=sealed(secret),
        scopes=tuple(sorted(set(asked.scopes))),
        agents=tuple(sorted(set(asked.agents))),
        made_ms=now_ms,
        expires_ms=asked.expires_ms,
    )
    store.put_key(key)
    return NewKeyOut(**_shown(key), secret=secret)


@router.delete("/keys/{id}", status_code=204, responses=refusals(401, 403, 404))
async def take_away(id: Id, caller: Person, parts: Gateway) -> None:
    """It opens nothing any more."""
    store = gate_of(parts).store
    key = store.key(id)
    if key is None or not (key.user == caller.name or caller.may("owner")):
        raise Problem(404, "unknown_key", "there is no such key: GET /v1/keys lists them")
    store.drop_key(id)


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "user": key.user,
        "scopes": list(key.scopes),
        "agents": list(key.agents),
        "made_ms": key.made_ms,
        "expires_ms": key.expires_ms,
    }
