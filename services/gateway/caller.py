"""Who calls, and what they may: the roles and agents of [users], as on Telegram."""

from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from chandler.core.notices.routing import Role, User
from services.gateway.parts import Parts
from services.gateway.problems import Problem

ROLES: tuple[Role, ...] = ("viewer", "operator", "owner")  # each may do what those before it may
PERSON = "person"  # a scope that no key has


class Caller(NamedTuple):
    """Somebody of [users], by a session, an API key, or a signature."""

    name: str
    user: User
    key: str = ""  # the API key's id; "": a person's session
    scopes: frozenset[str] = frozenset()  # of a key: "read", "signals", "commands"
    only: frozenset[str] = frozenset()  # of a key: these agents alone; empty: its user's
    session: str = ""  # its id; "": a key

    def sees(self, agent: str) -> bool:
        return self.user.sees(agent) and (not self.only or agent in self.only)

    def may(self, least: Role) -> bool:
        return ROLES.index(self.user.role) >= ROLES.index(least)

    @property
    def restricted(self) -> bool:
        """Whether there may be agents that are hidden from the caller."""
        user = self.user
        limited = user.role == "viewer" or (user.role == "operator" and bool(user.agents))
        return limited or bool(self.only)

    @property
    def who(self) -> str:
        """As commands name them."""
        return f"{'api' if self.key else 'page'}:{self.name}"


def parts_of(request: Request) -> Parts:
    """The gateway that serves this request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


Gateway = Annotated[Parts, Depends(parts_of)]


async def caller_of(request: Request) -> Caller:
    """Who calls; Problem 401 where that can't be told."""
    found: Caller | None = await parts_of(request).access.caller(request)
    if found is None:
        raise Problem(
            401,
            "unauthenticated",
            "expected Authorization: Bearer TOKEN (POST /v1/login), or X-API-Key",
            {"WWW-Authenticate": "Bearer"},
        )
    return found


def at_least(role: Role, scope: str) -> Any:
    """A dependency: a caller of this role at least whose key, if it is one, has the scope."""

    async def check(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        if not caller.may(role):
            raise Problem(
                403, "role", f"your role is {caller.user.role}: this needs {role}, ask an owner"
            )
        if caller.key and scope == PERSON:
            raise Problem(403, "scope", "no key may do this: log in with a password")
        if caller.key and scope not in caller.scopes:
            raise Problem(403, "scope", f"this key has no scope {scope!r}: make one that has it")
        return caller

    return Depends(check)
