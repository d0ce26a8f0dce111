"""What the shapes share: amounts as strings, lists with a cursor, windows of time."""

from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from chandler.core.trading.money import shown

NUMBER_MAX = 2**53 - 1  # that a program in JavaScript reads exactly
ITEMS_MAX = 500
ITEMS_USUAL = 50
CURSOR_MAX = 400
NAME = r"^[^\x00-\x1f\x7f]+$"  # of agents, engines, services: whatever a profile calls them
ID = r"^[A-Za-z0-9~_.-]+$"

Item = TypeVar("Item")

Amount = Annotated[
    Decimal,
    PlainSerializer(shown, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, mode="serialization"),
]
Whole = Annotated[int, Field(ge=0, le=NUMBER_MAX)]  # a time in ms, a count
Name = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]  # "": any
SymbolName = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9]*$")]  # "": any
NamePath = Annotated[str, Path(max_length=100, pattern=NAME)]
IdPath = Annotated[str, Path(max_length=100, pattern=ID)]


class Form(BaseModel):
    """What every shape is: no field that nobody named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listed(Form, Generic[Item]):
    """A page of a list, the newest first."""

    items: list[Item]
    next: Annotated[
        str, Field(description="?after= of the next page; empty: this is the last one")
    ] = ""


class Known(Form, Generic[Item]):
    """What topics say now, whole."""

    items: list[Item]
    next: Annotated[str, Field(description="always empty: it is not paged")] = ""
    at_ms: int = Field(description="the venue's time that is known; 0: none yet")
    stale: Annotated[str, Field(description="why it may be old; empty: it is as it is")] = ""


class Asked(Form):
    """What every list may be asked with."""

    limit: Annotated[int, Field(ge=1, le=ITEMS_MAX)] = ITEMS_USUAL
    after: Annotated[str, Field(max_length=CURSOR_MAX)] = ""
    since_ms: Annotated[Whole, Field(description="none of before")] = 0
    until_ms: Annotated[Whole, Field(description="none from then on; 0: no end")] = 0


def of_row(kind: type[Item], row: dict[str, Any], **more: Any) -> Item:
    """A shape of a row of the ledger that may have other columns, too."""
    names: Any = kind.model_fields  # type: ignore[attr-defined]
    return kind(**{name: row[name] for name in names if name in row}, **more)
