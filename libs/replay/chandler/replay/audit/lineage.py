"""What has to hold between an order and what it comes from, link by link (DESIGN.md, P7).

Knows nothing of Kafka: it takes events with their bytes as they were recorded, and says of each
link what it is and what differs.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.decision import Close, Slot, decide
from chandler.core.desk.requests import order_id
from chandler.core.engine import ResolvedEngine
from chandler.core.events import (
    Candle,
    CandleSealed,
    Event,
    IndicatorRow,
    InputRef,
    MatrixRow,
    Signal,
    Ticker,
)
from chandler.core.granularity import Granularity, utc
from chandler.core.hashing import digest
from chandler.core.notes import Invoke, call
from chandler.core.trading.events import (
    Command,
    DeskTaken,
    ExitRequested,
    OrderFilled,
    OrderRequested,
)
from chandler.core.trading.money import shown
from chandler.core.trading.orders import OrderEvent, step

RETRIES_MAX = 100  # intents of one leg whose ids are tried

_encode = msgspec.json.Encoder().encode


class Link(NamedTuple):
    """One link of the chain."""

    name: str  # "fill", "request", "desk", "signal", "matrix", "indicators 5m", "candle 5m" …
    place: str  # topic/partition/offset; "" where it is not known
    says: list[str]  # for people
    faults: list[str]  # what differs; none: it is as it should be
    unchecked: Sequence[str] = ()  # what could not be looked at, and why
    event: Event | None = None  # that it is about, where it is one


Placed = tuple[OrderEvent, str]  # with its place


def of_life(events: Sequence[Placed]) -> Link:
    """The order's own events, in their order: a life that an order may have."""
    order, says, faults = None, [], []
    for event, place in events:
        stepped = step(order, event)
        order = stepped.order
        if stepped.fault is not None:
            faults.append(f"{place}: {stepped.fault.kind}: {stepped.fault.detail}")
        says.append(f"{type(event).__name__} at {utc(event.at)}, {place}")
    if order is not None:
        says.append(f"now {order.state}, {shown(order.filled)} of {shown(order.size)} filled")
    return Link("order", "", says, faults)


def of_fill(
    fill: OrderFilled, raw: bytes, place: str, record: DeskTaken | None, request: OrderRequested
) -> Link:
    """A fill: as the desk journalled it, of the order that was requested."""
    says = [
        f"{'bought' if fill.buys else 'sold'} {shown(fill.size)} {fill.symbol} at "
        f"{shown(fill.price)}, fee {shown(fill.fee)}, trade {fill.trade}, {utc(fill.at)}",
        f"desk seq {record.seq}, which took {record.kind}" if record else "desk record unknown",
    ]
    faults = [] if record else ["the desk record that it names is not there"]
    if record is not None:
        faults += _journalled(record, raw)
    if record is not None and record.kind == Ticker.__name__:
        ticker = msgspec.json.decode(record.input, type=Ticker)
        says.append(f"ticker bid {ticker.bid} ask {ticker.ask} last {ticker.last}")
        if (ticker.at, ticker.symbol) != (fill.at, fill.symbol) or ticker.at < request.ready_ms:
            faults.append(
                f"its ticker is {ticker.symbol} of {ticker.at}, expected {fill.symbol} from "
                f"{request.ready_ms} on"
            )
    expected = (request.position, request.leg, request.side, request.action)
    if (fill.position, fill.leg, fill.side, fill.action) != expected:
        faults.append(f"position, leg, side or action differ from the request's: {expected}")
    return Link("fill", place, says, faults, event=fill)


def of_request(request: OrderRequested, raw: bytes, place: str, record: DeskTaken | None) -> Link:
    """The intent: its id comes from its cause, and the journal holds the same bytes."""
    says = [
        f"{request.action} {request.side} {shown(request.size)} {request.symbol} at "
        f"{shown(request.price)}, {request.leverage}x, leg {request.leg}",
        f"agent {request.agent} on {request.account}, for {request.source}: {request.reason}",
        f"stop {_level(request.stop)}, targets {' '.join(map(shown, request.targets)) or 'none'}",
    ]
    faults = [] if record is None else _journalled(record, raw)
    given = (request.agent, request.cause, request.symbol, request.leg)
    if request.id not in (order_id(*given, retry) for retry in range(RETRIES_MAX)):
        faults.append("its id does not come from agent, cause, symbol and leg")
    return Link("request", place, says, faults, event=request)


def of_desk(record: DeskTaken, place: str, balance: str = "") -> Link:
    """What the desk took, saw and made of it."""
    seen = record.seen
    late = ", late" if record.late else ""
    says = [f"shard {record.shard} seq {record.seq} took {record.kind} at {utc(record.at)}{late}"]
    if seen.guard is None:
        says.append("guard: none")
    else:
        barred = [side for side in ("long", "short") if seen.guard.blocks(side)]
        verdict = f"bars {' and '.join(barred)}" if barred else "bars nothing"
        says.append(f"guard: {seen.guard.pump} at {utc(seen.guard.at)}, {verdict}")
    if seen.ticker is not None:
        ticker = seen.ticker
        said = f"bid {ticker.bid} ask {ticker.ask} mark {ticker.mark} at {utc(ticker.at)}"
        says.append(f"ticker: {said}")
    if seen.instrument is not None:
        one = seen.instrument
        says.append(
            f"instrument: price step {one.price_step}, size step {one.size_step}, "
            f"least {one.size_min} and {one.notional_min}, taker fee {one.taker_fee}"
        )
    if balance:
        says.append(f"balance: {balance}")
    says.append(f"config {record.config} code {record.code}")
    return Link("desk", place, says, [], event=record)


def of_guard(record: DeskTaken, told: bytes | None, place: str) -> Link | None:
    """The guard's state that was seen, as topic pumps has it; None where none was seen."""
    if record.seen.guard is None:
        return None
    faults = []
    if told is None:
        faults.append("topic pumps has no such state")
    elif told != _encode(record.seen.guard):
        faults.append("topic pumps has another state of that time")
    guard = record.seen.guard
    return Link("guard", place, [f"pump {guard.pump}"], faults, event=guard)


def of_signal(signal: Signal, raw: bytes, place: str, record: DeskTaken | None) -> Link:
    """The signal, as the desk took it. `record`: None where the desk took something else."""
    says = [
        f"{signal.side} {signal.symbol} {signal.strength:.3f} by {signal.source} "
        f"{signal.granularity} at {utc(signal.close_ms)}",
        signal.reason,
        f"config {signal.config or '-'} code {signal.code or '-'}",
    ]
    unchecked = [] if signal.inputs else ["it names no candles: it came from outside"]
    return Link("signal", place, says, _same(raw, record), unchecked, signal)


def of_exit(exit_: ExitRequested, raw: bytes, place: str, record: DeskTaken | None) -> Link:
    """The exit, as the desk took it; its id comes from its position and leg."""
    says = [
        f"{exit_.kind}, leg {exit_.leg}: {exit_.action} "
        f"{'all' if exit_.size is None else shown(exit_.size)} of {exit_.symbol} at "
        f"{shown(exit_.price)}, {utc(exit_.at)}, due {utc(exit_.due_ms)}",
        exit_.reason,
    ]
    faults = _same(raw, record)
    if exit_.id != digest(exit_.position, exit_.leg):
        faults.append("its id does not come from its position and leg")
    return Link("exit", place, says, faults, event=exit_)


def of_tick(exit_: ExitRequested, ticker: Ticker | None, place: str) -> Link:
    """The ticker that fired an exit."""
    if ticker is None:
        return Link("ticker", "", [], [f"topic tickers has none of {utc(exit_.at)}"])
    faults = []
    if Decimal(ticker.last) != exit_.price:
        faults.append(f"its last price is {ticker.last}, the exit says {shown(exit_.price)}")
    says = [f"last {ticker.last} mark {ticker.mark}"]
    return Link("ticker", place, says, faults, event=ticker)


def of_command(command: Command, raw: bytes, place: str, record: DeskTaken | None) -> Link:
    """What a person asked for."""
    says = [f"{command.what} {command.agent} {command.symbol} {command.side} by {command.who}"]
    return Link("command", place, says, _same(raw, record), event=command)


def of_opening(request: OrderRequested, signal: Signal) -> list[str]:
    """What differs between a position's first request and the signal that it is for."""
    faults = []
    opened = digest(request.agent, request.symbol, request.cause)
    if request.action == "open" and request.position != opened:
        faults.append("its position's id does not come from agent, symbol and signal")
    if request.symbol != signal.symbol:
        faults.append(f"it is for {request.symbol}, the signal for {signal.symbol}")
    if request.action == "open" and request.side != signal.side:
        faults.append(f"it opens a {request.side}, the signal says {signal.side}")
    return faults


def of_matrix(signal: Signal, row: MatrixRow | None, place: str) -> Link:
    """The notes behind a signal."""
    if row is None:
        return Link("matrix", "", [], [f"no row of {utc(signal.close_ms)}"])
    notes = row.notes.get(signal.source, {})
    says = [" ".join(f"{name}={value:+.3f}" for name, value in notes.items()) or "no notes"]
    for name, why in row.absent.get(signal.source, {}).items():
        says.append(f"{name} absent: {why}")
    says.append(f"config {row.config} code {row.code}")
    faults = []
    if notes != signal.notes:
        faults.append(f"its notes are {notes}, the signal's {signal.notes}")
    if row.verdicts.get(signal.source) != signal.side:
        faults.append(f"its verdict is {row.verdicts.get(signal.source)!r}, not {signal.side}")
    strange = [ref for ref in signal.inputs if ref not in row.inputs]
    faults += [f"it does not name the signal's input {_ref(ref)}" for ref in strange]
    return Link("matrix", place, says, faults, event=row)


def of_row(
    ref: InputRef, row: IndicatorRow | None, place: str, keys: frozenset[str] | None = None
) -> Link:
    """The indicator values of one of a signal's inputs. `keys`: those that the engine reads."""
    name = f"indicators {ref.granularity}"
    if row is None:
        return Link(name, "", [], [f"no row of {utc(ref.close_ms)}"])
    read = {key: value for key, value in row.values.items() if keys is None or key in keys}
    says = [" ".join(f"{key}={value:.6g}" for key, value in read.items()) or "no values"]
    says.append(f"config {row.config} code {row.code}")
    faults = [] if row.candle == ref else [f"it is of {_ref(row.candle)}, expected {_ref(ref)}"]
    return Link(name, place, says, faults, event=row)


def of_candle(ref: InputRef, candle: Candle | None, place: str) -> Link:
    """The sealed candle that an input names by its hash."""
    name = f"candle {ref.granularity}"
    if candle is None:
        return Link(name, "", [], [f"no candle of {utc(ref.close_ms)}"])
    says = [f"close {utc(candle.close_ms)}, hash {candle.hash}"]
    if isinstance(candle, CandleSealed):
        says.append(
            f"open {candle.open:g} high {candle.high:g} low {candle.low:g} "
            f"close {candle.close:g} volume {candle.volume:g}"
        )
    faults = [] if candle.hash == ref.hash else [f"hash is {candle.hash}, named is {ref.hash}"]
    return Link(name, place, says, faults, event=candle)


def again(
    signal: Signal,
    raw: bytes,
    rows: Mapping[Granularity, IndicatorRow | None],
    engine: ResolvedEngine | None,
    *,
    code: str,
    invoke: Invoke = call,
) -> Link:
    """The engine's decision made again from the recorded indicator values, byte for byte."""
    name = "decision"
    if engine is None or engine.hash != signal.config:
        why = "no such engine is enabled" if engine is None else "its configuration is another now"
        return Link(name, "", [], [], [f"{signal.source} is not asked again: {why}"])
    slots = {each: _slot(rows.get(each)) for each in {*engine.inputs(), signal.granularity}}
    if slots[signal.granularity] is None:
        return Link(name, "", [], [], ["there are no indicator values to ask it with"])
    close = Close(signal.symbol, signal.granularity, signal.close_ms, slots)
    decision = decide(engine, close, -1, signal.code, invoke)
    if decision.signal is not None and _encode(decision.signal) == raw:
        return Link(name, "", [f"{signal.source} says the same again, byte for byte"], [])
    said = "its signal has other bytes" if decision.signal else f"it says: {decision.verdict}"
    if signal.code != code:
        return Link(name, "", [], [], [f"by the code of today {said}; {signal.code} decided it"])
    return Link(name, "", [], [f"asked again, {said}"])


def _slot(row: IndicatorRow | None) -> Slot | None:
    if row is None:
        return None
    return Slot(close_ms=row.close_ms, hash=row.candle.hash, missing=row.missing, values=row.values)


def _journalled(record: DeskTaken, raw: bytes) -> list[str]:
    found = sum(bytes(output) == raw for output in record.outputs)
    if found == 1:
        return []
    return [f"the desk's record {record.seq} holds these bytes {found} times, expected once"]


def _same(raw: bytes, record: DeskTaken | None) -> list[str]:
    if record is None or bytes(record.input) == raw:
        return []
    return [f"its bytes differ from those that the desk took with seq {record.seq}"]


def _level(level: object) -> str:
    return "none" if level is None else str(level)


def _ref(ref: InputRef) -> str:
    return f"{ref.granularity} {utc(ref.close_ms)} {ref.hash}"
