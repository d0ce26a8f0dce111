"""Who gets what: roles, agents, switches by kind, and which signals somebody wants."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from chandler.core.notices.kinds import KINDS, How, Kind, Notice, default_of

Role = Literal["viewer", "operator", "owner"]
TELEGRAM = "telegram"
VIA = "telegram:"  # before the name of who asks from a chat


class SignalsWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which signals somebody is told of."""

    engines: list[str] = []  # empty: all
    symbols: list[str] = []  # empty: all
    strength_min: float = 0.0


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of [users.NAME]."""

    role: Role
    telegram_id: int = 0  # of the person; 0: nobody on Telegram
    # Where the notices go: telegram, webhook, or a plug-in's; "": nowhere, who has only the page.
    channel: str = "telegram"
    address: str = ""  # of another channel than Telegram: a webhook's URL
    # A viewer sees these only; an operator these, or all where none is named.
    agents: list[str] = []
    notices: dict[Kind, How] = {}  # what differs from what is told anyway
    signals: SignalsWanted = SignalsWanted()

    def sees(self, agent: str) -> bool:
        """Whether what an agent does is for this user's eyes."""
        if self.role == "owner" or (self.role == "operator" and not self.agents):
            return True
        return agent in self.agents


Users = Mapping[str, User]


def faults(users: Users) -> list[str]:
    """What is wrong with the users, one line each."""
    found: dict[int, str] = {}
    said = []
    for name, user in users.items():
        if user.channel == TELEGRAM and user.telegram_id <= 0:
            said.append(
                f"users.{name}: expected telegram_id, a number above 0 (or a "
                'channel; channel = "" is for who needs no notices)'
            )
        if user.channel not in (TELEGRAM, "") and not user.address:
            said.append(f"users.{name}: channel {user.channel} needs an address: set it")
        first = found.setdefault(user.telegram_id, name) if user.telegram_id else name
        if first != name:
            said.append(
                f"users.{name}: telegram_id {user.telegram_id} is {first}'s already: expected one "
                "user for each id, remove one of the two"
            )
        if user.role == "viewer" and not user.agents:
            said.append(f"users.{name}: a viewer without agents sees no trade: name them in agents")
    return said


def told_how(user: User, switches: Mapping[Kind, How], kind: Kind, *, alerts_only: bool) -> How:
    """Whether a user is told of a kind: what was switched last, else the profile, else the kind."""
    return switches.get(kind) or user.notices.get(kind) or default_of(kind, alerts_only=alerts_only)


def gets(name: str, user: User, users: Users, notice: Notice) -> bool:
    """Whether a notice is for a user at all, whatever is switched or muted."""
    if not user.channel:
        return False
    staff = user.role in ("operator", "owner")
    if notice.kind == "answer":
        asker = notice.who.removeprefix(VIA) if notice.who.startswith(VIA) else ""
        return name == asker if asker in users else staff
    if KINDS[notice.kind].staff and not staff:
        return False
    if notice.agent:
        return user.sees(notice.agent)
    if notice.kind == "signal":
        return _wanted(user.signals, notice)
    return staff or notice.kind != "desk"


def _wanted(wanted: SignalsWanted, notice: Notice) -> bool:
    return (
        (not wanted.engines or notice.source in wanted.engines)
        and (not wanted.symbols or notice.symbol in wanted.symbols)
        and not notice.strength < wanted.strength_min
    )
