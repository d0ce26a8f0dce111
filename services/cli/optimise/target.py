"""What is optimised: an engine or an agent of the profile, who trades it, and what may vary."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from chandler.core.trading.modes import settings_of
from chandler.replay.optimise.space import Parameter, of_engine, of_mode
from chandler.streams.settings import Installation
from services import plugins
from services.layers import ConfigurationError, nearest
from services.past.setting import Chosen, chosen
from services.profile import Profile

Kind = Literal["engine", "agent"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is varied, and all that it takes to try it."""

    kind: Kind
    name: str
    profile: str  # as it was named
    agents: list[str]  # that trade
    changes: list[str]  # that people asked for, --set
    without: list[str]  # engines that none of the agents follows are left out
    parameters: list[Parameter]

    @property
    def word(self) -> str:
        """engine:scalper"""
        return f"{self.kind}:{self.name}"

    def tried(self, installation: Installation, changes: Sequence[str] = ()) -> Chosen:
        """The profile with a trial's changes; ConfigurationError says why it can't be."""
        every = [*self.changes, *self.without, *changes]
        return chosen(installation, self.profile, agents=self.agents, changes=every)


def target_of(
    installation: Installation, word: str, profile: str = "", changes: Sequence[str] = ()
) -> Target:
    """`word`: NAME, engine:NAME or agent:NAME; an engine comes first.

    ConfigurationError: it isn't there, nobody trades it, or it has nothing to vary.
    """
    found = chosen(installation, profile, changes=changes)
    kind, name = _kind(found.profile, word)
    agents = _agents(found.profile, kind, name)
    followed = _followed(found.profile, agents)
    enabled = [each.name for each in found.setting.engines]
    target = Target(
        kind=kind,
        name=name,
        profile=profile,
        agents=agents,
        changes=list(changes),
        without=[
            f"engines.{each}.enabled=false"
            for each in enabled
            if followed is not None and each not in followed
        ],
        parameters=[],
    )
    parameters = _parameters(target, found)
    if not parameters:
        raise ConfigurationError(
            f"{target.word} has nothing to vary: give its evaluators a Tunable, see docs/engines.md"
        )
    return msgspec.structs.replace(target, parameters=parameters)


def _kind(profile: Profile, word: str) -> tuple[Kind, str]:
    before, colon, name = word.partition(":")
    engines = sorted(name for name, each in profile.engines.items() if each.enabled)
    agents = sorted(profile.agents)
    if colon and before not in ("engine", "agent"):
        raise ConfigurationError(f"{word}: expected engine:NAME or agent:NAME")
    if before != "agent" and (name or word) in engines:
        return "engine", name or word
    if before != "engine" and (name or word) in agents:
        return "agent", name or word
    if before != "agent" and (name or word) in profile.engines:
        raise ConfigurationError(
            f"engine {name or word} is disabled: enable it with "
            f"--set engines.{name or word}.enabled=true"
        )
    raise ConfigurationError(
        f"no engine and no agent is called {name or word!r}"
        f"{nearest(name or word, [*engines, *agents])}: there are the engines "
        f"{', '.join(engines) or 'none'} and the agents {', '.join(agents) or 'none'}"
    )


def _agents(profile: Profile, kind: Kind, name: str) -> list[str]:
    if kind == "agent":
        return [name]
    found = [agent for agent, each in profile.agents.items() if name in each.engines]
    if not found:  # who names none follows all
        found = [agent for agent, each in profile.agents.items() if not each.engines]
    if not found:
        some = next(iter(profile.agents))
        raise ConfigurationError(
            f"no agent of profile {profile.name} follows engine {name}: let one do so, as "
            f"--set 'agents.{some}.engines=[\"{name}\"]'"
        )
    return found


def _followed(profile: Profile, agents: Sequence[str]) -> set[str] | None:
    """The engines that they follow; None: all."""
    lists = [profile.agents[agent].engines for agent in agents]
    return {each for one in lists for each in one} if all(lists) else None


def _parameters(target: Target, found: Chosen) -> list[Parameter]:
    engines = {each.name: each for each in found.setting.engines}
    if target.kind == "engine":
        return of_engine(engines[target.name])
    followed = found.profile.agents[target.name].engines or sorted(engines)
    made = [each for name in followed if name in engines for each in of_engine(engines[name])]
    agent = found.profile.agents[target.name]
    mode = plugins.load().modes[agent.trading_mode]
    return [*made, *of_mode(target.name, mode, settings_of(mode, agent.set))]
