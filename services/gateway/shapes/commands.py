"""Commands: what is asked of the desk and of services, and what became of it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from services.gateway.shapes.fields import (
    AgentName,
    Given,
    IdempotencyKey,
    Name,
    SymbolName,
    Taken,
)

What = Literal[
    "trading",
    "buying",
    "selling",
    "force",
    "close",
    "close_all",
    "pause",
    "resume",
    "resolve",
    "limit",
    "restart",
]
WRITTEN = {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$"}


def _decimal(value: object) -> object:
    """Of a string, or of a JSON number as it was meant."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return Decimal(str(value)[:40])
    except InvalidOperation:
        raise ValueError("expected a number") from None


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(allow_inf_nan=False, max_digits=24, decimal_places=12),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number"}, WRITTEN]}, mode="validation"),
    WithJsonSchema(WRITTEN, mode="serialization"),
]


class CommandIn(Taken):
    """One command. What it needs beside `what` depends on that."""

    what: What
    agent: AgentName | None = Field(default=None, description="none: all")
    symbol: SymbolName | None = Field(default=None, description="none: all")
    side: Literal["long", "short"] | None = Field(default=None, description="of force")
    on: bool = Field(default=True, description="of trading, buying, selling")
    source: Name | None = Field(default=None, description="the engine of pause and resume")
    notional: Amount | None = Field(default=None, description="of force, quote coin")
    limit: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] | None = None
    value: Amount | None = Field(default=None, description="of limit; none: the profile's")
    service: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}(-[0-9])?$")] | None = None
    idempotency_key: IdempotencyKey | None = None


class AnswerOut(Given):
    """What somebody who carries commands out says of one."""

    outcome: Literal["done", "refused"]
    detail: str
    by: str
    at_ms: int


class CommandOut(Given):
    """A command, and what became of it."""

    id: str
    who: str
    what: What
    agent: str
    symbol: str
    side: str
    on: bool
    source: str
    notional: str | None
    limit: str
    value: str | None
    service: str
    at_ms: int
    outcome: Literal["waiting", "done", "refused"]
    detail: str
    by: str
    answers: list[AnswerOut]
    repeated: bool = False


class CommandsOut(Given):
    items: list[CommandOut]
    next: str = ""


class SwitchesIn(Taken):
    trading: bool | None = None
    buying: bool | None = None
    selling: bool | None = None


class AgentPatch(Taken):
    """What is to change of an agent; each part is a command."""

    switches: SwitchesIn | None = None
    limits: (
        dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")], Amount | None] | None
    ) = Field(default=None, max_length=20, description="none of a value: the profile's")
