"""From a request to the signal that it stands for: pure, times and names are handed in."""

import difflib
from collections.abc import Collection, Iterable

from chandler.core.events import Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.hashing import canonical, digest
from services.gateway.caller import Caller
from services.gateway.problems import Problem
from services.gateway.shapes.signals import SignalIn

OLD_MS_MAX = 60_000  # of the venue's clock at 1x
GRANULARITY = Granularity("1m")  # no engine's: an event has one
KEY_OF_SIGNALS = "signal"
ALIKE = 0.9  # one letter is wrong: another coin may be two away


def signal_id(user: str, key: str) -> str:
    """Of the signal that a user sends under an idempotency key."""
    return digest(KEY_OF_SIGNALS, user, key)


def body_hash(asked: SignalIn) -> str:
    """What the same key has to come with."""
    return digest(canonical(asked.model_dump(exclude={"idempotency_key"})))


def key_of(said: str, header: str) -> str:
    """The idempotency key, of the body or the header; "": there is none. Problem 422."""
    if said and header and said != header:
        raise Problem(422, "two_keys", "idempotency_key and Idempotency-Key differ: send one")
    return said or header


def check(
    asked: SignalIn,
    *,
    symbols: Collection[str],
    engines: Collection[str],
    clock_ms: int,
    pace: float,
) -> None:
    """Problem 422 says what is wrong with a signal, whoever sends it."""
    if asked.kind and (asked.kind == "exit") != (asked.side == "flat"):
        raise Problem(
            422, "contradiction", f"kind {asked.kind} with side {asked.side}: an exit is flat"
        )
    if asked.source in engines:
        raise Problem(
            422, "engines_name", f"source {asked.source}: an engine has that name, take another"
        )
    if asked.symbol.upper() not in symbols:
        raise unknown_symbol(asked.symbol, symbols)
    slack_ms = round(OLD_MS_MAX * max(1.0, pace))
    if asked.at_ms is not None and clock_ms - asked.at_ms > slack_ms:
        late_s = (clock_ms - asked.at_ms) / 1_000
        raise Problem(
            422, "too_old", f"at_ms is {late_s:.0f} s before the venue's time, {clock_ms}: too late"
        )
    if asked.at_ms is not None and asked.at_ms - clock_ms > slack_ms:
        raise Problem(
            422, "from_future", f"at_ms is after the venue's time, {clock_ms}: leave it out"
        )


def unknown_symbol(name: str, symbols: Collection[str]) -> Problem:
    """422, with the nearest that there is."""
    near = difflib.get_close_matches(name.upper(), symbols, 1, ALIKE)
    hint = f": the nearest is {near[0]}" if near else ": GET /v1/symbols lists them"
    return Problem(422, "unknown_symbol", f"{name[:40]} is not followed here{hint}")


def aimed(caller: Caller, named: Iterable[str], agents: Collection[str]) -> list[str]:
    """The agents that a signal is for; empty: all. Problem 403, 422."""
    seen = [each for each in sorted(agents) if caller.sees(each)]
    wanted = sorted(set(named))
    for name in wanted:
        if name not in seen:
            there = " ".join(seen) or "none"
            raise Problem(422, "unknown_agent", f"{name}: there is no such agent, but {there}")
    if wanted or not caller.restricted:
        return wanted
    if not seen:
        raise Problem(403, "no_agents", "your agents are not here: nothing of it would be acted on")
    return seen


def signal_of(
    asked: SignalIn, id_: str, agents: list[str], at_ms: int, until_ms: int, code: str
) -> Signal:
    """The event."""
    return Signal(
        id=id_,
        symbol=Symbol(asked.symbol.upper()),
        side=asked.side,
        strength=asked.strength,
        source=asked.source,
        granularity=GRANULARITY,
        close_ms=at_ms,
        expires_ms=until_ms,
        stop=asked.stop,
        targets=asked.targets,
        reason=asked.reason,
        agents=agents,
        inputs=[],
        config="",
        code=code,
    )
