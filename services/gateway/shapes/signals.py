"""Signals as they are sent, what became of them, and what would."""

from typing import Annotated, Literal

from pydantic import Field

from services.gateway.shapes.fields import (
    AgentName,
    Given,
    IdempotencyKey,
    Line,
    Name,
    Price,
    SymbolName,
    Taken,
)

EXPIRES_S = 60.0


class SignalIn(Taken):
    """A wish to be long, short or flat in a symbol."""

    symbol: SymbolName
    side: Literal["long", "short", "flat"]
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    kind: Literal["entry", "exit", ""] = Field(
        default="", description="an exit is flat; may be left out"
    )
    source: Name = Field(description="your name for where it comes from; no engine's")
    reason: Line = ""
    stop: Price | None = None
    targets: list[Price] = Field(default=[], max_length=8)
    agents: list[AgentName] = Field(
        default=[], max_length=50, description="none: all that follow you"
    )
    expires_s: Annotated[float, Field(ge=1, le=3_600)] = EXPIRES_S
    at_ms: Annotated[int, Field(ge=0, le=4_102_444_800_000)] | None = Field(
        default=None, description="when you decided, venue's time; more than 60 s ago is refused"
    )
    idempotency_key: IdempotencyKey | None = None


class OutcomeOut(Given):
    """What an agent made of a signal."""

    agent: str
    outcome: Literal["waiting", "order", "refused"]
    order: str = ""
    reason: str = ""
    detail: str = ""


class SignalOut(Given):
    """A signal that is in the topic."""

    id: str
    symbol: str
    side: Literal["long", "short", "flat"]
    strength: float
    source: str
    reason: str
    stop: float | None
    targets: list[float]
    agents: list[str]
    at_ms: int
    expires_ms: int
    place: str = Field(description="TOPIC:PARTITION:OFFSET; empty: not known any more")
    repeated: bool = False
    outcomes: list[OutcomeOut] = Field(default=[], description="of the agents that you see")


class EligibilityOut(Given):
    """What an agent would make of a signal."""

    agent: str
    eligible: bool
    reason: str = ""
    detail: str = ""


class DryRunOut(Given):
    """What would become of a signal, as far as that can be known before."""

    dry_run: Literal[True] = True
    at_ms: int
    agents: list[EligibilityOut]
    unknown: list[str] = Field(description="what only the executor can tell")
