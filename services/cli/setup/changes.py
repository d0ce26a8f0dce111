"""What the answers change: values of the profile and of the installation, never a secret. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from chandler.core.notices.routing import Role
from services.layers import flat, lookup, merge, nested
from services.profile import Profile


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who commands and is told."""

    name: str
    telegram_id: int
    role: Role
    agents: list[str]


def of_symbols(wanted: list[str] | int, current: Profile) -> dict[str, Any]:
    """A number: the most traded ones, and as many of the simulator's."""
    ingest, simulator = current.ingest, current.simulator
    if isinstance(wanted, list):
        return {} if wanted == ingest.symbols else {"ingest": {"symbols": wanted}}
    if not ingest.symbols and wanted == ingest.top:
        return {}
    values: dict[str, Any] = {"ingest": {"top": wanted}}
    if ingest.symbols:
        values["ingest"]["symbols"] = []
    if simulator is not None:
        values["simulator"] = {"symbols": wanted}
    return values


def of_engines(wanted: list[str], ground: Profile, current: Profile) -> dict[str, Any]:
    """Engines that are not wanted are off, and so is an agent that has nothing left to follow."""
    values: dict[str, Any] = {}
    for name, engine in current.engines.items():
        if engine.enabled != (name in wanted):
            values = merge(values, nested(f"engines.{name}.enabled", name in wanted))
    if not values:
        return {}
    for name, agent in ground.agents.items():
        if not agent.engines:
            continue
        left = [engine for engine in agent.engines if engine in wanted]
        now = current.agents[name]
        if now.engines != left:
            values = merge(values, nested(f"agents.{name}.engines", left))
        if now.enabled != (agent.enabled and bool(left)):
            values = merge(values, nested(f"agents.{name}.enabled", agent.enabled and bool(left)))
    return values


def of_nobody(planned: Profile) -> dict[str, Any]:
    """Alerts only: every agent is off."""
    return _enabled({name: False for name, agent in planned.agents.items() if agent.enabled})


def of_agents(engines: list[str], ground: Profile, planned: Profile) -> dict[str, Any]:
    """After alerts only: the agents of `ground`, and one's own, that follow a wanted engine."""
    wanted = {}
    for name, agent in planned.agents.items():
        below = ground.agents.get(name)
        followed = (below or agent).engines
        if (below is None or below.enabled) and (not followed or set(followed) & set(engines)):
            wanted[name] = True
    return _enabled(wanted)


def _enabled(agents: Mapping[str, bool]) -> dict[str, Any]:
    return {"agents": {name: {"enabled": on} for name, on in agents.items()}} if agents else {}


def of_balance(amount: Decimal, current: Profile) -> dict[str, Any]:
    """The start balance of every enabled agent with paper money."""
    shown = int(amount) if amount == int(amount) else str(amount)
    return {
        "agents": {
            name: {"balance": shown}
            for name, agent in current.agents.items()
            if agent.enabled and agent.mode == "paper" and agent.balance != amount
        }
    }


def of_telegram(stand_in: bool, api_url: str, current: Profile) -> dict[str, Any]:
    """Where the bot is."""
    values: dict[str, Any] = {}
    if stand_in != current.telegram.stand_in:
        values["stand_in"] = stand_in
    if api_url != current.telegram.api_url:
        values["api_url"] = api_url
    return {"telegram": values} if values else {}


def of_person(person: Person) -> dict[str, Any]:
    """A user of the installation: a profile that is shared must command nobody else's."""
    return {
        "users": {
            person.name: {
                "role": person.role,
                "telegram_id": person.telegram_id,
                "agents": person.agents,
            }
        }
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each value that will be another."""
    old = dict(flat(before))
    said = []
    for path, value in flat(after):
        was = lookup(before, path) if path not in old else old[path]
        if was is None:
            said.append(f"{path} = {value!r}")
        elif was != value:
            said.append(f"{path} = {value!r} (was {was!r})")
    return said
