"""One event as a notice, where the event alone says it. Trades, which need memory, are `trades`."""

from chandler.core.events import DeadLetter, Event, InfraEvent, Signal
from chandler.core.hashing import digest
from chandler.core.notices.kinds import KINDS, Kind, Level, Notice
from chandler.core.notices.words import (
    NAME_MAX,
    called,
    in_words,
    moment,
    money,
    number,
    one_line,
    price,
)
from chandler.core.trading import events as tr
from chandler.core.trading.money import from_float

LINES_MAX = 30  # of a notice of the desk
# What the pump guard says of ticks whose candles did not come: core.market.pump's words.
PUMP_GUARD, BLIND, NOT_JUDGED = "pump_guard", "judged without its candle", "not judged"
GIVEN_UP = "given up"  # how the watchdog says in a crash's detail that it restarts no more


def cause_of(event: Event, place: str) -> str:
    """What a notice's id is derived from: the same event gives it wherever it stands.

    "" where the event is never told. `place` (topic, partition, offset) names what has no id.
    """
    match event:
        case tr.OrderFilled():
            return digest("fill", event.id, event.trade)
        case tr.OrderCancelled():
            return digest("cancelled", event.id)
        case tr.Liquidated():
            return digest("liquidation", event.position, str(event.at))
        case tr.PositionClosed():
            return digest("exit", event.position.id)
        case tr.FundingPaid():
            return digest("funding", event.position, str(event.settled_ms))
        case tr.Refusal():
            return digest("refusal", event.agent, event.cause, event.reason, str(event.at))
        case tr.PumpState():
            told = event.kind != "heartbeat"
            return digest("pump", event.symbol, event.kind, str(event.at)) if told else ""
        case tr.NoticeAsked():
            return digest("asked", event.id or place)
        case tr.Answer():
            # Each shard of the desk answers for its own agents.
            return digest("answer", event.command, event.outcome, event.by, event.detail)
        case Signal():
            return digest("signal", event.id)
        case InfraEvent():
            parts = (event.service, event.instance, event.kind, str(event.at), event.detail)
            return digest("infra", *parts)
        case DeadLetter():
            return digest("dead letter", place)
    return ""


def told(
    event: Event, cause: str, now_ms: int, *, who: str = "", crash: bool = False
) -> list[Notice]:
    """The notice of an event that needs no memory; none of any other.

    `now_ms`: wall time, for events without one. `who`: of an answer, who asked. `crash`: what ends
    was a crash, not a pump: its end alone doesn't say so.
    """
    match event:
        case tr.FundingPaid():
            return [_funding(event, cause)]
        case tr.Refusal():
            return [_refusal(event, cause)]
        case tr.PumpState() if event.kind != "heartbeat":
            return [_pump(event, cause, crash)]
        case tr.NoticeAsked():
            return [_asked(event, cause)]
        case tr.Answer():
            return [_answer(event, cause, who)]
        case Signal():
            return [_signal(event, cause)]
        case InfraEvent():
            return _infra(event, cause)
        case DeadLetter():
            return [_dead_letter(event, cause, now_ms)]
    return []


def untold(event: Event, cause: str, now_ms: int) -> Notice:
    """That an event came whose figures nobody can reckon with: counted with the dead letters."""
    name = type(event).__name__
    return Notice(
        id=cause,
        kind="dead_letters",
        level="warning",
        at=now_ms,
        head=f"{name} can't be told: its figures are impossible",
        lines=[one_line(f"{name} {getattr(event, 'symbol', '')} {getattr(event, 'agent', '')}")],
        group=f"notifier: impossible {name}",
        label=KINDS["dead_letters"].words,
    )


def _funding(event: tr.FundingPaid, cause: str) -> Notice:
    done = "received" if event.amount < 0 else "paid"
    rate = number(event.rate * 100)
    return Notice(
        id=cause,
        kind="funding",
        at=event.at,
        agent=event.agent,
        symbol=event.symbol,
        head=f"{called(event.agent)}: funding of {called(event.symbol)}, "
        f"{money(abs(event.amount))} {done}",
        lines=[
            f"rate {rate} %, size {number(event.size)}, mark {price(event.mark)}",
            moment(event.settled_ms),
        ],
    )


def _refusal(event: tr.Refusal, cause: str) -> Notice:
    return Notice(
        id=cause,
        kind="refusal",
        at=event.at,
        agent=event.agent,
        symbol=event.symbol,
        head=f"{called(event.agent)}: refusal of {event.side} {called(event.symbol)}: "
        f"{in_words(event.reason)}",
        lines=[one_line(event.detail), f"from {called(event.source)}, {moment(event.at)}"],
    )


def _pump(event: tr.PumpState, cause: str, crash: bool) -> Notice:
    what = "crash" if crash or event.pump == "down" else "pump"
    if event.kind == "started":
        blocked = "long" if event.pump == "down" else "short"
        lines = [
            f"{event.change * 100:+.3g} %, volume {event.volume_ratio:.3g} × the usual",
            "nothing is opened on either side" if event.both else f"no {blocked} is opened in it",
        ]
    else:
        lines = []
    return Notice(
        id=cause,
        kind="pump",
        at=event.at,
        symbol=event.symbol,
        head=f"{called(event.symbol)}: {what} {event.kind}",
        lines=[*lines, moment(event.at)],
    )


def _asked(event: tr.NoticeAsked, cause: str) -> Notice:
    text = event.text.strip() or "a notice without a text"
    head, *more = text.splitlines()
    agent = f"{called(event.agent)}: " if event.agent else ""
    return Notice(
        id=cause,
        kind="desk",
        level=event.level,
        at=event.at,
        agent=event.agent,
        head=one_line(f"{agent}{head}"),
        lines=[*map(one_line, more[:LINES_MAX]), moment(event.at)],
    )


def _answer(event: tr.Answer, cause: str, who: str) -> Notice:
    detail = one_line(event.detail)
    said = f"{event.outcome}: {detail}" if detail else event.outcome
    return Notice(
        id=cause,
        kind="answer",
        at=event.at,
        who=who,
        command=event.command,
        head=one_line(said),
        lines=[f"by {called(event.by)}, {moment(event.at)}"],
    )


def _signal(event: Signal, cause: str) -> Notice:
    known = [f"stop {_price(event.stop)}"] if event.stop is not None else []
    if event.targets:
        known.append("targets " + ", ".join(map(_price, event.targets[:5])))
    granularity = one_line(event.granularity, NAME_MAX)
    return Notice(
        id=cause,
        kind="signal",
        at=event.at,
        symbol=event.symbol,
        source=event.source,
        strength=event.strength,
        close_ms=event.close_ms,
        head=f"{event.side} {called(event.symbol)}, strength {event.strength:.2g}, "
        f"{called(event.source)} {granularity}",
        lines=[
            *([one_line(event.reason)] if event.reason.strip() else []),
            *([", ".join(known)] if known else []),
            f"close {moment(event.close_ms)}",
        ],
    )


def _infra(event: InfraEvent, cause: str) -> list[Notice]:
    service, detail = called(event.service), one_line(event.detail)
    kind: Kind = "infra"
    level: Level = "info"
    group = label = ""
    match event.kind:
        case "connection_lost" | "connection_back":
            kind = "connection"
            which = one_line(event.detail.partition(":")[0], NAME_MAX) or "connection"
            label = "lost" if event.kind == "connection_lost" else "back"
            level = "warning" if label == "lost" else "info"
            group = f"{service}: {which}"
            head = f"{group} {label}"
        case "crashed":
            then = event.detail.rpartition("; ")[2]  # before it are the service's last words
            level = "alarm"  # nothing of it trades, or guards what does: no mute hides it
            head = f"{service} {'is given up' if then.startswith(GIVEN_UP) else 'crashed'}"
        case "behind":
            level, head = "alarm", f"{service} is behind the market"
        case "caught_up":
            head = f"{service} has caught up with the market"
        case "restarted" | "recovered":
            head = f"{service} {event.kind}"
        case _:
            return []  # that a service starts, is ready or stops is no news
    after = f"{head}: {detail}" if detail and kind == "infra" else head
    lines = [detail] if detail and kind == "connection" else []
    return [
        Notice(
            id=cause,
            kind=kind,
            level=level,
            at=event.at,
            head=one_line(after),
            lines=[*lines, moment(event.at)],
            group=group,
            label=label,
        )
    ]


def _dead_letter(event: DeadLetter, cause: str, now_ms: int) -> Notice:
    if event.source == PUMP_GUARD and event.cause in (BLIND, NOT_JUDGED):
        return _unwatched(event, cause, now_ms)
    source, why = called(event.source), called(event.cause)
    # Who made the letter may not have known the record's place.
    placed = f"{event.topic} {event.partition} offset {event.offset}"
    where = placed if event.partition >= 0 and event.offset >= 0 else event.topic
    return Notice(
        id=cause,
        kind="dead_letters",
        level="warning",
        at=now_ms,
        head=f"{source}: dead letter, {why}",
        lines=[each for each in (one_line(event.detail), one_line(where)) if each],
        group=f"{source}: {why}",
        label=KINDS["dead_letters"].words,
    )


def _unwatched(event: DeadLetter, cause: str, now_ms: int) -> Notice:
    """Prices that ran ahead of their candles: as after each start, until ingest has fetched them.

    Without a window before it, none is judged: that is the start. Ticks are judged by a window
    that is minutes old where candles stop later.
    """
    symbol = called(event.detail.partition(" ")[0])
    starts = event.cause == NOT_JUDGED
    if starts:
        group = f"{PUMP_GUARD} waits for candles, as after a start"
        head = f"{PUMP_GUARD}: {symbol} is not watched for pumps yet, its candles are being fetched"
        line = "nothing is to be done; if it comes again and again, see /status and /logs ingest"
    else:
        group = f"{PUMP_GUARD} judges without the newest candles"
        head = f"{PUMP_GUARD}: {symbol} is judged by older candles, the newest are late"
        line = "it goes on by itself when they come; if it doesn't, see /status and /logs ingest"
    return Notice(
        id=cause,
        kind="dead_letters",
        level="info" if starts else "warning",
        at=now_ms,
        symbol=symbol,
        head=head,
        lines=[line],
        group=group,
        label="coin",
        patient=starts,
    )


def _price(value: float) -> str:
    """A float of a signal; itself where it is no price."""
    try:
        return price(from_float(value))
    except (ValueError, ArithmeticError):
        return str(value)
