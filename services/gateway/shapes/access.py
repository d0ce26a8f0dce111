"""Logging in, links, keys and hooks."""

from typing import Annotated

from pydantic import Field, StringConstraints

from services.gateway.shapes.fields import (
    AgentName,
    Given,
    Name,
    Password,
    RoleName,
    Scope,
    Taken,
)

UserName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
SETUP_TOKEN = r"^[A-Za-z0-9_-]{1,100}$"  # noqa: S105 - what one looks like


class LoginIn(Taken):
    name: UserName
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MeOut(Given):
    """Who you are here."""

    name: str
    role: RoleName
    agents: list[str] = Field(description="those that you see")
    key: str = Field(default="", description="the id of the key that you came with")
    scopes: list[str] = Field(default=[], description="of that key")


class TokenOut(Given):
    """A session's token: Authorization: Bearer TOKEN."""

    token: str
    expires_ms: int
    name: str
    role: RoleName
    agents: list[str]


class SetupIn(Taken):
    name: UserName
    password: Password


class SetupOut(Given):
    """Whose link it is."""

    name: str
    expires_ms: int


class LinkOut(Given):
    """A one-time link to set a password."""

    url: str
    expires_ms: int


class KeyIn(Taken):
    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    agents: list[AgentName] = Field(default=[], max_length=50, description="none: all that you see")
    expires_ms: Annotated[int, Field(ge=0, le=4_102_444_800_000)] = Field(
        default=0, description="0: never"
    )


class KeyOut(Given):
    """An API key, without its secret."""

    id: str
    name: str
    user: str
    scopes: list[str]
    agents: list[str]
    made_ms: int
    expires_ms: int


class NewKeyOut(KeyOut):
    """With its secret, shown this once: the header X-API-Key is ID.SECRET."""

    secret: str


class KeysOut(Given):
    items: list[KeyOut]
    next: str = ""


class HookIn(Taken):
    name: Name
    agents: list[AgentName] = Field(default=[], max_length=50, description="none: all that you see")
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0


class HookOut(Given):
    """A hook, without its token."""

    id: str
    name: str
    user: str
    agents: list[str]
    strength: float
    made_ms: int


class NewHookOut(HookOut):
    """With its address: shown this once."""

    url: str


class HooksOut(Given):
    items: list[HookOut]
    next: str = ""
