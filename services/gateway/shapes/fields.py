"""Fields that several shapes have: bounded, and of characters that do no harm."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,39}$"
LINE = r"^[^\x00-\x1f\x7f]*$"  # one line

Name = Annotated[str, StringConstraints(pattern=NAME)]
AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
SymbolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Line = Annotated[str, StringConstraints(pattern=LINE, max_length=200)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]
IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Wait = Annotated[
    str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,3})?s?$", description="seconds, 30 at most: 5s")
]
Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
WAIT_S_MAX = 30.0

Scope = Literal["read", "signals", "commands"]
RoleName = Literal["viewer", "operator", "owner"]


class Taken(BaseModel):
    """What is sent: as it is described here and in no other way."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Given(BaseModel):
    """What is answered."""

    model_config = ConfigDict(extra="forbid")


def seconds(wait: str) -> float:
    """Of a Wait; at most WAIT_S_MAX."""
    return min(float(wait.removesuffix("s") or 0), WAIT_S_MAX)
