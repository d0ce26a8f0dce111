"""What a record of a topic says to clients, and whom. Knows nothing of sockets or numbers."""

from collections import OrderedDict
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from chandler.core.events import CandleSealed, Event, InfraEvent, Signal
from chandler.core.trading import events as tr
from chandler.core.trading.money import minus, plus, ratio, shown
from chandler.streams.reader import Record

COMMANDS_KEPT = 5_000
ENTRY_STEP = Decimal("1E-12")
ORDERS = {
    tr.OrderRequested: "requested",
    tr.OrderSent: "sent",
    tr.OrderAccepted: "accepted",
    tr.OrderFilled: "filled",
    tr.OrderCancelled: "cancelled",
    tr.OrderRefused: "refused",
    tr.OrderUnknown: "unknown",
    tr.OrderExpired: "expired",
    tr.Refusal: "refusal",
    tr.FundingPaid: "funding_paid",
    tr.Liquidated: "liquidated",
    tr.BalanceChanged: "balance_changed",
}
encode = msgspec.json.encode


class Audience(NamedTuple):
    """For whom something is."""

    agents: tuple[str, ...] = ()  # who sees one of them; (): everybody
    staff: bool = False  # operators and owners alone
    who: str = ""  # and whoever asked for it, as commands name people


class Said(NamedTuple):
    """A message without its number."""

    type: str
    topic: str  # as clients ask for it
    rest: bytes  # the message's own members, as JSON without braces
    audience: Audience = Audience()
    symbol: str = ""  # of a candle
    granularity: str = ""  # of a candle


class Commands:
    """What was asked for lately: its answers are for who asked."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tr.Command] = OrderedDict()

    def take(self, command: tr.Command) -> None:
        self._known[command.id] = command
        self._known.move_to_end(command.id)
        if len(self._known) > COMMANDS_KEPT:
            self._known.popitem(last=False)

    def of(self, answer: tr.Answer) -> tr.Command | None:
        return self._known.get(answer.command)


def said(record: Record, commands: Commands) -> Said | None:
    """The event's message; None: it is nothing that happened, or is a state."""
    event = record.event
    match event:
        case tr.PositionOpened() | tr.PositionUpdated() | tr.PositionClosed():
            return None if is_mark(event) else position_said(event)
        case Signal():
            rest = _members(external=record.topic == "signals.external", signal=event)
            return Said("signal", "signals", rest, Audience(tuple(event.agents)))
        case tr.PumpState():
            return None if event.kind == "heartbeat" else _whole("pump", "pumps", event)
        case InfraEvent():
            return _whole("infra", "infra", event, Audience(staff=True))
        case tr.Answer():
            return _answered(event, commands.of(event))
        case tr.NoticeAsked():
            return _whole("notice", "notices", event, _of_agent(event.agent))
        case CandleSealed():
            return _candle(event)
        case tr.OrdersOut() | tr.Command() | None:
            return None
    if name := ORDERS.get(type(event)):
        agent: str = event.agent  # type: ignore[attr-defined]
        return Said("order_update", "orders", _members(event=name, order=event), Audience((agent,)))
    return None


def is_mark(event: Event) -> bool:
    """Whether it only marks a position: a state, of which the newest counts."""
    return isinstance(event, tr.PositionUpdated) and event.why == "mark"


def position_said(event: tr.PositionOpened | tr.PositionUpdated | tr.PositionClosed) -> Said:
    """A change of a position."""
    members: dict[str, Any] = {"position": position_of(event.position)}
    match event:
        case tr.PositionOpened():
            members |= {"change": "opened", "why": "fill"}
        case tr.PositionUpdated():
            members |= {"change": "updated", "why": event.why}
        case tr.PositionClosed():
            members |= {
                "change": "closed",
                "why": event.reason,
                "exit_notional": event.exit_notional,
            }
    agent = event.position.agent
    return Said("position_update", "positions", _members(**members), Audience((agent,)))


def position_of(marked: tr.PositionMarked) -> dict[str, Any]:
    """A position as clients see it. `pnl`: all that came of it so far."""
    made = plus(marked.unrealised, marked.realised)
    figures = {
        **msgspec.structs.asdict(marked),
        "entry": entry(marked.cost, marked.size),
        "pnl": minus(made, marked.fees, marked.funding),
    }
    return {name: plain(value) for name, value in figures.items()}


def entry(cost: Decimal, size: Decimal) -> Decimal | None:
    """The average, for display; None of a position that has ended."""
    return ratio(cost, size).quantize(ENTRY_STEP) if size else None


def plain(value: Any) -> Any:
    """Decimals as people write them, without an exponent."""
    return shown(value) if isinstance(value, Decimal) else value


def _answered(answer: tr.Answer, command: tr.Command | None) -> Said:
    audience = Audience(staff=True)
    if command is not None:
        audience = _of_agent(command.agent)._replace(who=command.who)
    return Said("answer", "answers", _members(answer=answer, command=command), audience)


def _of_agent(agent: str) -> Audience:
    return Audience((agent,)) if agent else Audience(staff=True)


def _candle(candle: CandleSealed) -> Said:
    rest = candle_members(
        candle.symbol,
        candle.granularity,
        (candle.open_ms, candle.open, candle.high, candle.low, candle.close),
        sealed=True,
        volume=candle.volume,
    )
    return Said("candle", "candles", rest, symbol=candle.symbol, granularity=candle.granularity)


def candle_members(
    symbol: str,
    granularity: str,
    bar: tuple[int, float, float, float, float],
    **more: Any,
) -> bytes:
    """`bar`: open time, then open, high, low, close."""
    names = ("open_ms", "open", "high", "low", "close")
    named = dict(zip(names, bar, strict=True))
    return _members(symbol=symbol, granularity=granularity, **named, **more)


def _whole(type_: str, topic: str, event: Event, audience: Audience = Audience()) -> Said:  # noqa: B008
    return Said(type_, topic, _members(**{type_: event}), audience)


def _members(**members: Any) -> bytes:
    return encode(members)[1:-1]


def message(type_: str, seq: int, at_ms: int, rest: bytes, place: str = "") -> bytes:
    """The whole message as JSON. `seq` 0: it has no place in the stream."""
    where = f',"place":"{place}"' if place else ""
    head = f'{{"type":"{type_}","seq":{seq},"at_ms":{at_ms}{where}'.encode()
    return b"".join((head, b"," if rest else b"", rest, b"}"))
