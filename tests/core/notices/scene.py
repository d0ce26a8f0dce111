"""Events as the desk, the watch and the services write them, for tests of what people are told."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from chandler.core.events import DeadLetter, InfraEvent, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.notices.inputs import Came, Confirmed, Input, Output, Send
from chandler.core.notices.kinds import Notice
from chandler.core.notices.outbox import Notifying, State
from chandler.core.notices.outbox import step as outbox_step
from chandler.core.notices.routing import User
from chandler.core.trading import events as tr

D = Decimal
BTC = Symbol("BTCUSDT")
AT = 1_704_448_800_000  # 2024-01-05 10:00 UTC
NOW = 1_800_000_000_000  # wall time, far from it
MINUTE = 60_000

OWNER = User(role="owner", telegram_id=1)
OPERATOR = User(role="operator", telegram_id=2)
VIEWER = User(role="viewer", telegram_id=3, agents=["anna"])


def fill(**more: Any) -> tr.OrderFilled:
    """anna buys 0.5 BTC at 42,000: the whole entry of position p1."""
    event = tr.OrderFilled(
        id="o1",
        trade="t1",
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        leg="entry",
        action="open",
        side="long",
        price=D("42000"),
        size=D("0.5"),
        fee=D("12.60000000"),
        done=True,
        leverage=3,
        stop=D("41000.0"),
        targets=[D("43000")],
        source="scalper",
        at=AT,
    )
    return replace(event, **more)


def closing(**more: Any) -> tr.OrderFilled:
    """A fill that closes a part of p1."""
    given = {"id": "o2", "trade": "t2", "leg": "take_profit-1", "action": "close", "fee": D(5)}
    return fill(**{**given, "source": "take_profit", "stop": None, "targets": [], **more})


def closed(**more: Any) -> tr.PositionClosed:
    """p1 ends an hour later: entered for 21,000, left for 21,500."""
    position = tr.PositionMarked(
        id="p1",
        account="anna",
        agent="anna",
        symbol=BTC,
        side="long",
        size=D(0),
        cost=D(0),
        leverage=3,
        stop=None,
        targets=[],
        adds=0,
        opened_ms=AT,
        source="scalper",
        mark=D(43000),
        peak=D(43100),
        unrealised=D(0),
        realised=D(500),
        fees=D("25.5"),
        funding=D("-1.5"),
    )
    figures = {name: more.pop(name) for name in list(more) if hasattr(position, name)}
    figures.pop("symbol", None)
    event = tr.PositionClosed(
        position=replace(position, **figures),
        symbol=BTC,
        reason="take_profit",
        exit_notional=D(21500),
        at=AT + 60 * MINUTE,
    )
    return replace(event, **more)


def asked(number: int = 1, **more: Any) -> tr.NoticeAsked:
    """A notice of the desk."""
    text = f"number {number}"
    event = tr.NoticeAsked(id=f"n{number}", level="info", agent="anna", text=text, at=AT + number)
    return replace(event, **more)


def signal(number: int = 1, **more: Any) -> Signal:
    event = Signal(
        id=f"s{number}",
        symbol=BTC,
        side="long",
        strength=0.7,
        source="scalper",
        granularity=Granularity("5m"),
        close_ms=AT,
        expires_ms=AT + MINUTE,
        stop=41000.5,
        reason="dip in an uptrend",
        inputs=[],
        config="",
        code="",
    )
    return replace(event, **more)


def infra(kind: str, detail: str = "", **more: Any) -> InfraEvent:
    event = InfraEvent(service="ingest", instance="here:1:0", kind="ready", at=AT, detail=detail)
    return replace(event, kind=kind, **more)


def letter(number: int = 1, **more: Any) -> DeadLetter:
    detail = f"record {number}"
    return replace(DeadLetter(source="ingest", cause="undecodable", detail=detail), **more)


def refusal(number: int = 1, **more: Any) -> tr.Refusal:
    event = tr.Refusal(
        agent="anna",
        account="anna",
        symbol=BTC,
        side="long",
        cause=f"s{number}",
        source="scalper",
        reason="strength_low",
        detail="strength 0.1: expected at least 0.3",
        seq=number,
        at=AT + number,
    )
    return replace(event, **more)


def notice(number: int = 1, **more: Any) -> Notice:
    return replace(
        Notice(id=f"n{number}", kind="entry", agent="anna", at=AT, head=f"number {number}"), **more
    )


class Chats:
    """A notifier whose messages all arrive at once."""

    def __init__(self, *, state: State | None = None, **more: Any) -> None:
        users = more.pop("users", {"olga": OWNER})
        self.notifying = Notifying(users=users, **more)
        self.state = state or State()
        self.now = NOW
        self.sent: list[Send] = []

    def take(self, event: Input) -> list[Output]:
        """An input, and the replies to what comes of it."""
        self.state, outputs = outbox_step(self.notifying, self.state, event)
        for output in outputs:
            if isinstance(output, Send):
                self.sent.append(output)
                self.take(Confirmed(user=output.user, id=output.id, now=self.now))
        return outputs

    def come(self, *events: Any) -> list[str]:
        """Events, one after the other; what was sent of them."""
        before = len(self.sent)
        for event in events:
            self.take(Came(event=event, now=self.now))
        return [each.html for each in self.sent[before:]]

    def heads(self, user: str = "olga") -> list[str]:
        """The first lines of what a user got."""
        return [each.html.splitlines()[0] for each in self.sent if each.user == user]
