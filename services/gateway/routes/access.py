"""Logging in and out, who one is, and the links with which passwords are set."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from services.gateway.access.gate import Gate
from services.gateway.access.people import Given
from services.gateway.access.tokens import Session
from services.gateway.address import setup_url
from services.gateway.caller import PERSON, Caller, Gateway, at_least
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.shapes.access import (
    SETUP_TOKEN,
    LinkOut,
    LoginIn,
    MeOut,
    SetupIn,
    SetupOut,
    TokenOut,
)

router = APIRouter(tags=["access"])

Somebody = Annotated[Caller, at_least("viewer", "read")]
Person = Annotated[Caller, at_least("viewer", PERSON)]
Owner = Annotated[Caller, at_least("owner", PERSON)]
SetupToken = Annotated[str, Path(pattern=SETUP_TOKEN)]


def gate_of(parts: Parts) -> Gate:
    """What knows callers here."""
    assert isinstance(parts.access, Gate)
    return parts.access


@router.post("/login", responses=refusals(401, 503))
async def login(asked: LoginIn, request: Request, parts: Gateway) -> TokenOut:
    """A session: its token is good for 15 minutes and can be renewed for 12 hours."""
    address = request.client.host if request.client else ""
    people = gate_of(parts).people
    try:
        given = await people.login(asked.name, asked.password, address, parts.now_ms())
    except Problem as problem:
        parts.metrics.add("chandler_gateway_logins_total", outcome=problem.kind)
        raise
    parts.metrics.add("chandler_gateway_logins_total", outcome="well")
    return _token(parts, given)


@router.post("/refresh", responses=refusals(401, 403))
async def refresh(request: Request, caller: Person, parts: Gateway) -> TokenOut:
    """Another 15 minutes of the same session."""
    session = _session(request, parts)
    return _token(parts, gate_of(parts).people.refresh(session, parts.now_ms()))


@router.post("/logout", status_code=204, responses=refusals(401, 403))
async def logout(request: Request, caller: Person, parts: Gateway) -> None:
    """No token of the session opens anything any more."""
    gate_of(parts).people.end(_session(request, parts), parts.now_ms())


@router.get("/me", responses=refusals(401, 403))
async def me(caller: Somebody, parts: Gateway) -> MeOut:
    """Who you are here."""
    return MeOut(
        name=caller.name,
        role=caller.user.role,
        agents=[each for each in sorted(parts.profile.agents) if caller.sees(each)],
        key=caller.key,
        scopes=sorted(caller.scopes),
    )


@router.get("/setup/{token}", responses=refusals(404))
async def setup_state(token: SetupToken, parts: Gateway) -> SetupOut:
    """Whose link it is; 404 once it is used or too old."""
    name, expires_ms = gate_of(parts).people.link_of(token, parts.now_ms())
    return SetupOut(name=name, expires_ms=expires_ms)


@router.post("/setup/{token}", responses=refusals(404, 503))
async def setup(token: SetupToken, asked: SetupIn, parts: Gateway) -> TokenOut:
    """Sets the password, and begins a session."""
    people = gate_of(parts).people
    given = await people.set_password(token, asked.name, asked.password, parts.now_ms())
    return _token(parts, given)


@router.post("/users/{name}/link", status_code=201, responses=refusals(401, 403, 404))
async def link(name: Annotated[str, Path(max_length=64)], caller: Owner, parts: Gateway) -> LinkOut:
    """A one-time link for somebody of [users] to set a password; an older one ends."""
    if name not in parts.profile.users:
        raise Problem(404, "unknown_user", "there is no such user: add it to [users] first")
    token, expires_ms = gate_of(parts).people.link(name, parts.now_ms())
    url = setup_url(parts.installation, parts.profile, token)
    return LinkOut(url=url, expires_ms=expires_ms)


def _session(request: Request, parts: Parts) -> Session:
    token = request.headers["authorization"].partition(" ")[2].strip()
    return gate_of(parts).session(token)


def _token(parts: Parts, given: Given) -> TokenOut:
    caller = Caller(given.user, parts.profile.users[given.user])
    return TokenOut(
        token=given.token,
        expires_ms=given.expires_ms,
        name=given.user,
        role=caller.user.role,
        agents=[each for each in sorted(parts.profile.agents) if caller.sees(each)],
    )
