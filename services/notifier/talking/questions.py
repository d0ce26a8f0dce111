"""Questions that change nothing: arguments in, a `Query` out."""

from typing import Literal, cast

from msgspec.structs import replace

from services.notifier.talk import Query, Topic
from services.notifier.talking.arguments import Found, Sort, needed, sort_out
from services.notifier.talking.known import Person
from services.notifier.talking.reading import UnclearError, quoted

TAKES: dict[Topic, tuple[Sort, ...]] = {
    "status": (),
    "agents": ("agent",),
    "positions": ("agent", "symbol"),
    "balance": ("agent",),
    "statistics": ("period", "agent"),
    "orders": ("agent", "count", "symbol"),
    "refusals": ("agent", "count", "symbol"),
    "why": ("order",),
    "signals": ("engine", "count", "symbol"),
    "market": (),
    "candles": ("symbol", "granularity"),
    "logs": ("log", "count"),
    "crashes": ("service",),
    "digest": (),
}
NEEDS: dict[Topic, Sort] = {"why": "order", "candles": "symbol", "logs": "log"}
OF_NO_AGENT: frozenset[Topic] = frozenset({"signals", "market", "candles", "logs", "crashes"})
BY = ("agent", "engine", "symbol")

Period = Literal["", "day", "week", "month", "all"]
By = Literal["", "agent", "engine", "symbol"]


def ask(person: Person, topic: Topic, words: list[str]) -> Query:
    """The question. UnclearError where an argument is missing or means nothing."""
    if topic not in OF_NO_AGENT:
        _sees_something(person)
    by: By = ""
    if topic == "statistics":
        words, by = _by(words)
    found = sort_out(person, words, *TAKES[topic])
    if topic in NEEDS:
        needed(found, NEEDS[topic])
    return replace(_query(person, topic, found), by=by)


def _query(person: Person, topic: Topic, found: Found) -> Query:
    return Query(
        topic=topic,
        user=person.name,
        agents=list(person.user.agents) if person.restricted else [],
        agent=found.get("agent", ""),
        symbol=found.get("symbol", ""),
        engine=found.get("engine", ""),
        service=found.get("service") or found.get("log", ""),
        period=cast(Period, found.get("period", "")),
        order=found.get("order", ""),
        granularity=found.get("granularity", ""),
        count=int(found.get("count", 0)),
    )


def _sees_something(person: Person) -> None:
    """Whoever may see no agent would be shown all of them: an empty list says so."""
    if person.restricted and not person.user.agents and person.talking.agents:
        raise UnclearError(
            f"you see no agent: expected some in agents of [users.{person.name}], ask an owner"
        )


def _by(words: list[str]) -> tuple[list[str], By]:
    """The words without "by engine", and what is counted by."""
    lower = [each.casefold() for each in words]
    if "by" not in lower:
        return words, ""
    at = lower.index("by")
    by = lower[at + 1] if at + 1 < len(lower) else ""
    if by not in BY:
        found = quoted(words[at + 1]) if by else "nothing"
        raise UnclearError(f"by {found}: expected by engine, by symbol or by agent")
    return [*words[:at], *words[at + 2 :]], cast(By, by)
