"""What happens in a run: events that people are to be told of, and what people ask.

Each has a token of its own, which stands in every message about it: N0001 of an event, C0001 of a
command, A0001 of what became of it.
"""

import random
import re
from decimal import Decimal
from typing import NamedTuple

from chandler.core.events import DeadLetter, InfraEvent, Symbol
from chandler.core.notices.kinds import Level
from chandler.core.notices.routing import Role, User
from chandler.core.trading.events import (
    Answer,
    Command,
    NoticeAsked,
    OrderFilled,
    PositionClosed,
    PositionMarked,
    PumpState,
)
from chandler.streams.writing import Record

TOKEN = re.compile(r"[NCA]\d{4}")
MOST = 1_200  # notices: the stand-in remembers 2,000 messages of a chat
START_MS = 1_704_448_800_000  # 2024-01-05 10:00: no day ends meanwhile
STEP_MS = 1_000
AGENTS = ("first", "second")
USERS = {
    "olga": User(role="owner", telegram_id=101),
    "otto": User(role="operator", telegram_id=102),
    "ola": User(role="operator", telegram_id=103, agents=["first"]),
    "vera": User(role="viewer", telegram_id=104, agents=["second"]),
}
SHARES = {"notice": 30, "entry": 25, "exit": 20, "infra": 10, "pump": 10, "letter": 5}
LETTERS_MAX = 100  # groups that the notifier tells apart are bounded


class Ask(NamedTuple):
    """Something that somebody wrote."""

    update: int  # Telegram's number of it
    user: str
    text: str
    token: str


def causes(count: int, seed: int) -> list[Record]:
    """The events of a run, in the order in which they happen."""
    chance = random.Random(seed)
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    letters = [at for at, kind in enumerate(kinds) if kind == "letter"]
    for at in letters[LETTERS_MAX:]:
        kinds[at] = "notice"
    return [_cause(kind, number, chance) for number, kind in enumerate(kinds, 1)]


def wish(number: int, role: Role, chance: random.Random) -> tuple[str, str]:
    """A line that this role may write, and its token. An owner's may be one that is asked back."""
    token = f"C{number:04}"
    agent = "first"
    if role == "owner" and chance.random() < 0.4:
        side = chance.choice(("buy", "sell"))
        return f"/{side} {token}USDT 100 {agent}", token
    switch = chance.choice(("trading", "buying", "selling"))
    return f"/{switch} {chance.choice(('on', 'off'))} {agent} {token}USDT", token


def answer_to(command: Command) -> Record:
    """What became of a command, as the desk would say it."""
    made = Answer(
        command=command.id,
        outcome="done",
        detail=f"A{command.symbol[1:5]} is carried out",
        by="chaos",
        at=command.at,
    )
    return Record("answers", command.id, made)


def _cause(kind: str, number: int, chance: random.Random) -> Record:
    token, at = f"N{number:04}", START_MS + number * STEP_MS
    symbol, agent = Symbol(f"{token}USDT"), chance.choice(AGENTS)
    match kind:
        case "entry":
            return Record("orders", symbol, _entry(token, symbol, agent, at))
        case "exit":
            return Record("positions", symbol, _exit(token, symbol, agent, at))
        case "infra":
            detail = f"{token} was ended; again in 3 s"
            event = InfraEvent(
                service="drill", instance="chaos:1:0", kind="crashed", at=at, detail=detail
            )
            return Record("infra", "drill", event)
        case "pump":
            pump = PumpState(
                symbol=symbol, at=at, kind="started", pump="up", change=0.05, volume_ratio=4.0
            )
            return Record("pumps", symbol, pump)
        case "letter":
            letter = DeadLetter(source="drill", cause=f"{token} is odd", detail="expected nothing")
            return Record("dead-letters", "drill", letter)
    levels: tuple[Level, ...] = ("info", "warning")
    level = chance.choice(levels)
    whose = chance.choice(("", *AGENTS))
    text = f"{token} <happened> & more"
    asked = NoticeAsked(id=token, level=level, agent=whose, text=text, at=at)
    return Record("notices", whose, asked)


def _entry(token: str, symbol: Symbol, agent: str, at: int) -> OrderFilled:
    return OrderFilled(
        id=f"order{token}",
        trade="1",
        account=agent,
        agent=agent,
        symbol=symbol,
        position=f"position{token}",
        leg="entry",
        action="open",
        side="long",
        price=Decimal(100),
        size=Decimal(1),
        fee=Decimal("0.06"),
        done=True,
        leverage=3,
        source="scalper",
        at=at,
    )


def _exit(token: str, symbol: Symbol, agent: str, at: int) -> PositionClosed:
    position = PositionMarked(
        id=f"closed{token}",
        account=agent,
        agent=agent,
        symbol=symbol,
        side="long",
        size=Decimal(0),
        cost=Decimal(0),
        leverage=3,
        stop=None,
        targets=[],
        adds=0,
        opened_ms=at - 60_000,
        source="scalper",
        mark=Decimal(110),
        peak=Decimal(110),
        unrealised=Decimal(0),
        realised=Decimal(10),
        fees=Decimal("0.12"),
        funding=Decimal(0),
    )
    return PositionClosed(
        position=position, symbol=symbol, reason="take_profit", exit_notional=Decimal(110), at=at
    )
