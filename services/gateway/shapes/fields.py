"""Fields that several shapes have: bounded, and of characters that do no harm."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,39}$"
LINE = r"^[^\x00-\x1f\x7f]*$"  # one line
WAIT = r"^(([0-9]|[12][0-9])(\.[0-9]{1,3})?|30)s?$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
SymbolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Line = Annotated[str, StringConstraints(pattern=LINE, max_length=200)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]
IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Scope = Literal["read", "signals", "commands"]
RoleName = Literal["viewer", "operator", "owner"]


class Taken(BaseModel):
    """What is sent: as it is described here and in no other way."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Given(BaseModel):
    """What is answered."""

    model_config = ConfigDict(extra="forbid")


def _wait(text: str) -> str:
    if re.fullmatch(WAIT, text, re.ASCII) is None:
        raise PydanticCustomError("wait", "expected seconds from 0 to 30, as 5s")
    return text


Wait = Annotated[
    str,
    AfterValidator(_wait),
    Field(description="seconds, 30 at most: 5s", json_schema_extra={"pattern": WAIT}),
]


def seconds(wait: str) -> float:
    """Of a Wait."""
    return float(wait.removesuffix("s"))
