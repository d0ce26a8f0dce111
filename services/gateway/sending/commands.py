"""From a request to the commands that it stands for: pure, times and names are handed in."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from chandler.core.events import Symbol
from chandler.core.hashing import canonical, digest
from chandler.core.trading.events import Answer, Command
from chandler.core.trading.limits import LIMITS, fault_of
from services.gateway.caller import Caller
from services.gateway.problems import Problem
from services.gateway.sending.signals import unknown_symbol
from services.gateway.shapes.commands import (
    AgentPatch,
    AnswerOut,
    CommandIn,
    CommandOut,
    SwitchesIn,
    What,
)

EXPIRES_MS = 60_000  # of wall time: what is carried out later is refused
OWNERS_ONLY = frozenset({"force", "limit"})
EXTERNAL = "external"  # what pause and resume call every source that is no engine
NEEDED: dict[str, tuple[str, ...]] = {
    "force": ("symbol", "side"),
    "pause": ("source",),
    "resume": ("source",),
    "resolve": ("agent",),
    "limit": ("agent", "limit"),
    "restart": ("service",),
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "trading": ("agent", "symbol", "on"),
    "buying": ("agent", "symbol", "on"),
    "selling": ("agent", "symbol", "on"),
    "force": ("agent", "symbol", "side", "notional"),
    "close": ("agent", "symbol"),
    "close_all": ("agent",),
    "pause": ("agent", "source"),
    "resume": ("agent", "source"),
    "resolve": ("agent",),
    "limit": ("agent", "limit", "value"),
    "restart": ("service",),
}


class There(NamedTuple):
    """What there is to name."""

    agents: Collection[str]
    symbols: Collection[str]  # empty: not known yet, none is refused
    engines: Collection[str]
    services: Collection[str]


def command_id(user: str, key: str) -> str:
    """Of the command that a user asks for under an idempotency key."""
    return digest("command-of", user, key)


def body_hash(asked: CommandIn) -> str:
    """What the same key has to come with."""
    said = asked.model_dump(mode="json", exclude={"idempotency_key"})
    return digest(canonical(said))


def check_role(asked: CommandIn, caller: Caller) -> None:
    """Problem 403: it isn't the caller's to give."""
    if asked.what in OWNERS_ONLY and not caller.may("owner"):
        raise Problem(403, "role", f"{asked.what} needs an owner: ask one")


def check(asked: CommandIn, caller: Caller, there: There) -> None:
    """Problem 403, 422: what is wrong with a command, or that it isn't the caller's to give."""
    check_role(asked, caller)
    said = asked.model_fields_set - {"what", "idempotency_key"}
    for name in NEEDED.get(asked.what, ()):
        if getattr(asked, name) is None:
            raise Problem(422, "incomplete", f"{asked.what} needs {name}: add it")
    for name in sorted(said - set(ALLOWED[asked.what])):
        raise Problem(422, "not_of_it", f"{asked.what} has no {name}: leave it out")
    if asked.what == "close" and asked.agent is None and asked.symbol is None:
        raise Problem(422, "incomplete", "close needs agent or symbol; close_all closes everything")
    if asked.what == "restart":
        if (asked.service or "").partition("-")[0] not in there.services:
            names = " ".join(there.services)
            raise Problem(422, "unknown_service", f"expected a service: {names}")
        if caller.only:
            raise Problem(403, "scope", "this key is for some agents only: it restarts nothing")
        return
    _check_names(asked, caller, there)
    if asked.notional is not None and asked.notional <= 0:
        raise Problem(422, "invalid", "notional: expected a number above 0")
    if asked.limit is not None and (fault := fault_of(asked.limit, asked.value)):
        raise Problem(422, "invalid", fault)


def _check_names(asked: CommandIn, caller: Caller, there: There) -> None:
    seen = [each for each in sorted(there.agents) if caller.sees(each)]
    if asked.agent is not None and asked.agent not in seen:
        names = " ".join(seen) or "none"
        raise Problem(422, "unknown_agent", f"{asked.agent}: there is no such agent, but {names}")
    if asked.agent is None and caller.restricted:
        names = " ".join(seen) or "none"
        raise Problem(422, "incomplete", f"name one of your agents: {names}")
    if asked.symbol is not None and there.symbols and asked.symbol.upper() not in there.symbols:
        raise unknown_symbol(asked.symbol, there.symbols)
    if asked.source is not None and asked.source not in {*there.engines, EXTERNAL}:
        names = " ".join([*sorted(there.engines), EXTERNAL])
        raise Problem(422, "unknown_engine", f"expected an engine: {names}")


def command_of(asked: CommandIn, id_: str, who: str, at_ms: int, now_ms: int) -> Command:
    """The event."""
    return Command(
        id=id_,
        who=who,
        what=asked.what,
        agent=asked.agent or "",
        symbol=Symbol((asked.symbol or "").upper()),
        side=asked.side or "",
        on=asked.on,
        source=asked.source or "",
        notional=asked.notional,
        limit=asked.limit or "",
        value=asked.value,
        service=asked.service or "",
        expires_ms=now_ms + EXPIRES_MS,
        at=at_ms,
    )


def parts_of_patch(name: str, patch: AgentPatch) -> list[CommandIn]:
    """The commands that a change of an agent comes to. Problem 422: nothing is asked."""
    said = patch.switches or SwitchesIn()
    switches: tuple[tuple[What, bool | None], ...] = (
        ("trading", said.trading),
        ("buying", said.buying),
        ("selling", said.selling),
    )
    found = [CommandIn(what=what, agent=name, on=on) for what, on in switches if on is not None]
    for limit, value in (patch.limits or {}).items():
        if limit not in LIMITS:
            raise Problem(422, "invalid", f"unknown limit: expected one of {' '.join(LIMITS)}")
        found.append(CommandIn(what="limit", agent=name, limit=limit, value=value))
    if not found:
        raise Problem(422, "incomplete", "expected switches or limits: nothing is to change")
    return found


def expected(command: Command, shards: int) -> int:
    """How many answers a command gets. `shards`: of the desk, with agents."""
    return 1 if command.agent or command.what == "restart" else shards


def shown(command: Command, answers: Sequence[Answer], shards: int) -> CommandOut:
    """As it is answered. It is done where one of those asked has done it and all have answered."""
    whole = len(answers) >= expected(command, shards)
    done = [each for each in answers if each.outcome == "done"]
    outcome: Literal["waiting", "done", "refused"] = "waiting"
    if whole:
        outcome = "done" if done else "refused"
    return CommandOut(
        id=command.id,
        who=command.who,
        what=command.what,
        agent=command.agent,
        symbol=command.symbol,
        side=command.side,
        on=command.on,
        source=command.source,
        notional=_text(command.notional),
        limit=command.limit,
        value=_text(command.value),
        service=command.service,
        at_ms=command.at,
        outcome=outcome,
        detail="; ".join(dict.fromkeys(each.detail for each in done or answers)),
        by=" ".join(dict.fromkeys(each.by for each in answers)),
        answers=[
            AnswerOut(outcome=each.outcome, detail=each.detail, by=each.by, at_ms=each.at)
            for each in answers
        ],
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
