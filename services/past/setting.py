"""What a profile tries in a backtest: its engines, and its agents on paper money."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chandler.core.desk.config import Desk
from chandler.core.market.surge import settings_of
from chandler.core.trading.agents import AgentConfig, PumpConfig
from chandler.replay.backtest import Setting
from chandler.replay.dense.native import cache_in
from chandler.streams.settings import Installation
from services import plugins
from services.desks import desks
from services.layers import (
    ConfigurationError,
    check_keys,
    merge,
    nested,
    parse_value,
    read,
    values_of,
)
from services.layers import convert as profile_of
from services.loading import plugin_defaults
from services.positions.service import RETRY_MS
from services.profile import Profile
from services.pump_guard.service import boundary


class Chosen(NamedTuple):
    """A profile as it is tried, and lines for people."""

    profile: Profile
    setting: Setting
    notes: list[str]


class Ran(NamedTuple):
    """How a session ran."""

    desks: Sequence[Desk]
    pump: PumpConfig
    pace: float


def chosen(
    installation: Installation,
    name: str = "",
    *,
    agents: Sequence[str] = (),
    changes: Sequence[str] = (),
) -> Chosen:
    """The profile `name` (default: the installation's) with `changes` (a.b=c), ready to be tried.

    The desk's times are meant at 1x then. ConfigurationError says in one line what is wrong.
    """
    where = msgspec.structs.replace(installation, profile=name) if name else installation
    layers = read(where, plugin_defaults())
    values = values_of(layers)
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or not key.strip():
            raise ConfigurationError(
                f"--set {change}: expected a.b=value, as agents.trend.leverage=2"
            )
        wanted = nested(key.strip(), parse_value(text.strip()))
        check_keys(wanted, "--set")
        values = merge(values, wanted)
    profile = profile_of(
        [*layers, layers[-1]._replace(name="command", source="--set", values=values)]
    )
    profile, notes = on_paper(_only(profile, agents))
    if profile.simulator is not None:
        simulator = msgspec.structs.replace(profile.simulator, speed=1.0)
        profile = msgspec.structs.replace(profile, simulator=simulator)
    return Chosen(profile, setting_of(profile, where), notes)


def setting_of(profile: Profile, installation: Installation, ran: Ran | None = None) -> Setting:
    """A profile's engines and the agents of it that have paper money.

    `ran`: how the desk and the pump guard of a recorded session ran, which then counts.
    """
    loaded = plugins.load()
    code = plugins.code_hash(loaded)
    cache_in(kernels(installation), code)
    ran = ran or Ran(desks(profile, loaded), profile.pump, profile.pace)
    guard = None
    if profile.trades and ran.pump.enabled:
        guard = settings_of(ran.pump, int(ran.pump.heartbeat_ms * ran.pace), boundary(profile))
    return Setting(
        profile=profile.name or installation.profile,
        engines=plugins.resolve(profile, loaded),
        desks=[each for each in ran.desks if each.kind == "paper" and each.agents],
        guard=guard,
        retry_ms=round(RETRY_MS * ran.pace),
        code=code,
    )


def kernels(installation: Installation) -> Path:
    """Where machine code is kept."""
    return installation.data / "cache" / "kernels"


def on_paper(profile: Profile) -> tuple[Profile, list[str]]:
    """With every agent on paper money of its own; says for whom that is another account."""
    notes = []
    agents: dict[str, AgentConfig] = {}
    for name, agent in profile.agents.items():
        agents[name] = agent
        if agent.mode == "live":
            agents[name] = msgspec.structs.replace(agent, mode="paper", account="")
            notes.append(f"agent {name} trades on account {agent.account}: tried on paper money")
    accounts: dict[str, Any] = {} if notes else dict(profile.accounts)
    return msgspec.structs.replace(profile, agents=agents, accounts=accounts), notes


def _only(profile: Profile, agents: Sequence[str]) -> Profile:
    enabled = {name: each for name, each in profile.agents.items() if each.enabled}
    for name in agents:
        if name not in profile.agents:
            known = ", ".join(profile.agents) or "none"
            raise ConfigurationError(f"no agent is called {name!r}: there are {known}")
    kept = {name: profile.agents[name] for name in agents} if agents else enabled
    if not kept:
        raise ConfigurationError(
            f"profile {profile.name} has no enabled agent: name one in [agents.NAME]"
        )
    followed = {engine for agent in kept.values() for engine in agent.engines}
    if not agents or any(not agent.engines for agent in kept.values()):
        return msgspec.structs.replace(profile, agents=kept)
    engines = {  # what nobody of them follows isn't looked at
        name: msgspec.structs.replace(engine, enabled=engine.enabled and name in followed)
        for name, engine in profile.engines.items()
    }
    return msgspec.structs.replace(profile, agents=kept, engines=engines)
