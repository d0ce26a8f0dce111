"""Who may ask what, and what there is to name: people, agents, engines, services, limits."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from chandler.core.notices.kinds import How, Kind
from chandler.core.notices.routing import User
from chandler.core.trading.limits import Limit
from services.notifier.talking.reading import UnclearError

NAMES_MAX = 10  # in one answer; how many more there are is said


class Talking(msgspec.Struct, frozen=True, kw_only=True):
    """Who may ask what, and what there is to name."""

    users: Mapping[str, User]
    agents: tuple[str, ...]
    engines: tuple[str, ...]  # what can be paused: "external" too, where it is named here
    services: tuple[str, ...]  # what can be restarted
    limits: Mapping[str, Limit]  # name → what can be set
    symbols: frozenset[str]  # as the venue writes them; empty: not known yet, none is refused
    halves: tuple[str, ...] = ()  # names for several services at once, of logs
    switched: Mapping[str, Mapping[Kind, How]] = {}  # by user: what was switched in the chat
    bot: str = ""  # the bot's own name, without @; "": not known


class Aim(NamedTuple):
    """Whom a command is for."""

    agent: str  # of the one command; "": all, or those below
    agents: list[str]  # one command for each; empty: the one command as it is
    words: str  # "agents: a, b"

    @property
    def many(self) -> bool:
        """Whether nobody was named: it is for all that the person may ask of."""
        return not self.agent


class Person(NamedTuple):
    """Somebody of [users], and what there is to name."""

    name: str
    user: User
    talking: Talking

    @property
    def agents(self) -> tuple[str, ...]:
        """Those that the person may know of."""
        return tuple(each for each in self.talking.agents if self.user.sees(each))

    @property
    def restricted(self) -> bool:
        """Whether there may be agents that are hidden from the person."""
        user = self.user
        return user.role == "viewer" or (user.role == "operator" and bool(user.agents))

    @property
    def staff(self) -> bool:
        return self.user.role != "viewer"

    def aim(self, agent: str) -> Aim:
        """Whom a command is for; `agent` "": nobody was named.

        UnclearError where there is no agent.
        """
        if not self.agents:
            there = "your agents are not here" if self.talking.agents else "there are no agents"
            raise UnclearError(f"{there}: nothing is traded that you may ask for")
        if agent:
            return Aim(agent, [], f"agents: {agent}")
        names = listed(self.agents)
        if self.restricted:
            return Aim("", list(self.agents), f"agents: {names}")
        return Aim("", [], f"agents: all ({names})")


def person_of(talking: Talking, user_id: int) -> Person | None:
    """Who has this id; None: a stranger."""
    for name, user in talking.users.items():
        if user.telegram_id == user_id:
            return Person(name, user, talking)
    return None


def listed(names: tuple[str, ...] | list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" … and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
