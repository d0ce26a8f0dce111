"""A chat with somebody: what is written and tapped, what comes of it."""

from typing import Any

import msgspec
from msgspec.structs import replace

from chandler.core.notices.routing import User
from chandler.core.notices.text import parts
from chandler.core.trading.events import Command
from chandler.core.trading.limits import LIMITS
from services.notifier.talk import Asked, Decided, Query, Talks
from services.notifier.talking import Talking, decide

NOW = 1_800_000_000_000
OLGA, OTTO, RITA, VERA = 1, 2, 3, 4  # owner, operator, operator of anna and scalper, viewer of anna
STRANGER = 99
TALKING = Talking(
    users={
        "olga": User(role="owner", telegram_id=OLGA),
        "otto": User(role="operator", telegram_id=OTTO),
        "rita": User(role="operator", telegram_id=RITA, agents=["anna", "scalper", "gone"]),
        "vera": User(role="viewer", telegram_id=VERA, agents=["anna"]),
    },
    agents=("anna", "hidden", "scalper"),
    engines=("scalper", "trend", "external"),
    services=("ingest", "pump_guard", "executor"),
    halves=("trading", "telegram"),
    limits=LIMITS,
    symbols=frozenset({"BTCUSDT", "ETHUSDT", "ETHUSDC", "SOLUSDT", "1INCHUSDT", "4USDT"}),
)


def words(decided: Decided) -> str:
    """What is answered, as plain lines."""
    return "\n".join(each.text for each in decided.reply.lines) if decided.reply else ""


def taps(decided: Decided) -> dict[str, str]:
    """Label → data of the buttons under an answer."""
    rows = decided.reply.buttons if decided.reply else []
    return {button.text: button.data for row in rows for button in row}


class Chat:
    """Somebody writes and taps; the talks are kept as JSON in between, as over a restart."""

    def __init__(self, user_id: int = OLGA, **more: Any) -> None:
        self.user_id = user_id
        self.talking = replace(TALKING, **more)
        self.talks = Talks()
        self.now = NOW
        self.update = 100
        self.made: list[Command] = []

    def says(self, text: str, **more: Any) -> Decided:
        return self.takes(**{"text": text, "at": self.now, **more})

    def taps(self, data: str, **more: Any) -> Decided:
        return self.takes(**{"data": data, "tap": "t1", "at": self.now, **more})

    def takes(self, **more: Any) -> Decided:
        self.update += 1
        given = {"update": self.update, "user_id": self.user_id, "chat_id": 7, "private": True}
        decided = decide(self.talking, self.talks, Asked(**{**given, **more}), self.now)
        check(decided)
        self.talks = msgspec.json.decode(msgspec.json.encode(decided.talks), type=Talks)
        assert self.talks == decided.talks
        self.made += decided.commands
        return decided

    def confirms(self, text: str) -> Decided:
        """Writes, and taps on Confirm."""
        return self.taps(taps(self.says(text))["Confirm"])

    def query(self, text: str) -> Query:
        decided = self.says(text)
        assert decided.query is not None, words(decided)
        return decided.query

    def command(self, text: str) -> Command:
        """The one command that a line makes at once."""
        decided = self.says(text)
        assert len(decided.commands) == 1, words(decided)
        return decided.commands[0]


def check(decided: Decided) -> None:
    """What holds of everything that is decided."""
    msgspec.json.encode(decided)  # no half of a character anywhere
    if decided.reply is not None:
        assert decided.user
        assert parts(decided.reply.lines), "nothing to see"
        shown = [button for row in decided.reply.buttons for button in row]
        assert len(shown) <= 100
        assert all(1 <= len(each.data.encode()) <= 64 and each.text.strip() for each in shown)
        assert all(1 <= len(row) <= 8 for row in decided.reply.buttons)
        assert sum(len(each.text) for each in decided.reply.lines) <= 4_000
    assert len(decided.tapped) <= 200
    assert not (decided.query and (decided.reply or decided.commands or decided.wish))
    assert not (decided.refusal and decided.user)
    assert len({each.id for each in decided.commands}) == len(decided.commands)
    for command in decided.commands:
        assert len(command.id) == 26
        assert command.who == f"telegram:{decided.user}"
        assert command.at == 0
