"""The audit of the desk: every decision again, every output in its topic once, no short in a pump.

Knows nothing of Kafka: it takes the journal's records, each shard's in their order, then the events
of `orders` with the place that they name as their cause, then the pumps' states.
"""

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from chandler.core.desk.config import Desk
from chandler.core.desk.journal import recheck
from chandler.core.desk.state import AgentState
from chandler.core.events import Symbol
from chandler.core.trading.events import DeskTaken, OrderRequested, PumpState, WindowClosed
from chandler.replay.audit.verdict import (
    EVER,
    NOT_COMPARED,
    Bounds,
    Checked,
    Difference,
)

FIRST_SEQ = 1
SHOWN_MAX = 10  # differences that are spelled out
OTHER = "other code or configuration"

Configured = Callable[[str], Desk | None]  # the shard of a configuration's hash; None: unknown


class DeskAudit(NamedTuple):
    """What `audit orders` prints. All is well: nothing but decisions, events and shorts."""

    decisions: int  # journal records that were decided again
    mismatches: int  # decided again they come out otherwise, or records are missing
    not_compared: int  # of other code or an unknown configuration, or after such a one
    events: int  # of topic orders that the journal explains, each once
    missing: int  # outputs of the journal that are not in orders
    duplicated: int  # outputs of the journal that are in orders again
    unexplained: int  # events of orders that no output of the journal is
    shorts: int  # requests that open or add to a short
    guarded: int  # of these, with a state of the pump guard at their time
    shorts_in_pump: int
    told_later: int  # a pump that the desk went on without, or could not know of yet
    differences: list[str]  # the first few, for people

    @property
    def well(self) -> bool:
        faults = (self.mismatches, self.missing, self.duplicated, self.unexplained)
        return self.decisions > 0 and not any(faults) and not self.shorts_in_pump

    @property
    def line(self) -> str:
        later = f" told_later={self.told_later}" if self.told_later else ""
        return (
            f"decisions={self.decisions} mismatches={self.mismatches} "
            f"not_compared={self.not_compared} events={self.events} missing={self.missing} "
            f"duplicated={self.duplicated} unexplained={self.unexplained} shorts={self.shorts} "
            f"shorts_in_pump={self.shorts_in_pump}{later}"
        )


class _Header(msgspec.Struct):
    type: str = ""
    at: int = -1
    symbol: str = ""


_header = msgspec.json.Decoder(_Header)
_request = msgspec.json.Decoder(OrderRequested)
_window = msgspec.json.Decoder(WindowClosed)


class _Short(NamedTuple):
    """A request that opens or adds to a short, and what the desk knew then."""

    request: OrderRequested
    shard: int
    guard_ms: int  # `at` of the guard's state that was seen; -1: none
    excused: bool  # the guard was waited for in vain, or (live) is not waited for


class _Shard:
    """One shard's journal so far."""

    def __init__(self) -> None:
        self.seq = -1  # of the newest record; -1: none yet
        self.states: dict[str, AgentState] = {}
        self.broken = False  # an earlier record could not be decided again
        self.certain: set[str] = set()  # since then: agents whose states are known again
        self.excused: dict[Symbol, int] = {}  # symbol → since when its guard is not waited for


class Auditor:
    """Takes the three topics in their order; `finish` says what came of it.

    `code`: the present one. What other code decided and this one decides otherwise is not
    compared; nor is what follows it, until an agent's state is seen to agree again. `bounds`: of
    the decisions that are counted; what was before them is decided again all the same.
    """

    def __init__(
        self,
        configured: Configured,
        *,
        code: str,
        order_types: set[str],
        bounds: Bounds = EVER,
    ) -> None:
        self.desk = Checked(topic="desk")
        self.orders = Checked(topic="orders")
        self.late = 0  # records of inputs that came after their place had passed
        self.windows = 0  # inputs that the desk went on without
        self._bounds = bounds
        self._configured = configured
        self._code = code
        self._order_types = order_types
        self._shards: defaultdict[int, _Shard] = defaultdict(_Shard)
        self._due: Counter[bytes] = Counter()  # outputs that have to be in orders
        self._named: dict[bytes, tuple[str, int]] = {}  # of what is due: its name and time
        self._met: set[bytes] = set()
        self._shorts: list[_Short] = []
        self._pumps: defaultdict[Symbol, _Pumps] = defaultdict(_Pumps)
        self._counts: Counter[str] = Counter()
        self._differences: list[str] = []

    def journalled(self, record: DeskTaken) -> None:
        """The next record of its shard's journal."""
        shard = self._shards[record.shard]
        self._sequence(shard, record)
        desk = self._configured(record.config)
        if desk is None:
            shard.broken, shard.certain = True, set()
            self._not_compared(record)
        else:
            self._decide(shard, desk, record)
        self.late += record.late
        if record.kind == WindowClosed.__name__:
            self.windows += 1
            closed = _window.decode(record.input)
            if closed.input == "pumps":
                shard.excused[closed.symbol] = closed.at
        for raw in record.outputs:
            self._output(shard, record, bytes(raw), live=desk is not None and desk.kind == "live")

    def _sequence(self, shard: _Shard, record: DeskTaken) -> None:
        if shard.seq < 0 and record.seq > FIRST_SEQ:
            said = f"the journal begins with seq {record.seq}: what was before is missing"
            self._differs("mismatches", record, said)
        elif shard.seq >= 0 and record.seq != shard.seq + 1:
            self._differs("mismatches", record, f"follows seq {shard.seq}: records are missing")
        shard.seq = max(record.seq, shard.seq)

    def _decide(self, shard: _Shard, desk: Desk, record: DeskTaken) -> None:
        before = dict(shard.states)
        try:
            found = [each.what for each in recheck(desk, [record], states=shard.states)]
        except Exception as error:  # a state that isn't right may break what only knows right ones
            found = [f"deciding it again raises {type(error).__name__}: {error}"]
        touched = {
            name for name, state in shard.states.items() if state is not before.get(name)
        } or set(desk.agents)
        if not found:
            if self._bounds.holds(record.at):
                self._counts["decisions"] += 1
                self.desk.right(record.at, _content(record))
            shard.certain |= touched
            return
        excused = record.code != self._code or (shard.broken and not touched <= shard.certain)
        if not excused:
            if self._bounds.holds(record.at):
                self._counts["decisions"] += 1
                self._differs("mismatches", record, found[0])
            return
        self._not_compared(record)
        if not shard.broken:
            shard.broken, shard.certain = True, set(shard.states)
        shard.certain -= touched

    def _not_compared(self, record: DeskTaken) -> None:
        if self._bounds.holds(record.at):
            self._counts["not_compared"] += 1
            self.desk.excused(NOT_COMPARED, OTHER)

    def _output(self, shard: _Shard, record: DeskTaken, raw: bytes, *, live: bool) -> None:
        kind = _header.decode(raw).type
        if kind not in self._order_types:
            return
        key = _key(record.shard, record.seq, raw)
        self._due[key] += 1
        self._named[key] = (f"shard {record.shard} seq {record.seq}: {kind}", record.at)
        if kind != OrderRequested.__name__:
            return
        request = _request.decode(raw)
        if request.side == "short" and request.action != "close":
            guard = record.seen.guard
            closed_ms = shard.excused.get(request.symbol, record.at + 1)
            seen_ms = -1 if guard is None else guard.at
            excused = live or closed_ms <= record.at
            self._shorts.append(_Short(request, record.shard, seen_ms, excused))

    def ordered(self, shard: int, seq: int, raw: bytes) -> None:
        """An event of topic orders (but OrdersOut), by the journal record that it names."""
        key = _key(shard, seq, raw)
        if self._due.get(key, 0):
            self._due[key] -= 1
            if not self._due[key]:
                del self._due[key], self._named[key]
            self._met.add(key)
            self._counts["events"] += 1
            at = _header.decode(raw).at
            if self._bounds.holds(at):
                self.orders.right(at, raw)
        elif key in self._met:
            self._counts["duplicated"] += 1
            said = f"shard {shard} seq {seq}: it is in orders again"
            self._say(f"{said}: {_cut(raw)}")
            self.orders.again(_of_order(raw, said))
        elif shard not in self._shards or seq <= self._shards[shard].seq:
            self._counts["unexplained"] += 1
            said = f"shard {shard} seq {seq}: not in the journal"
            self._say(f"{said}: {_cut(raw)}")
            self.orders.wrong(_of_order(raw, said))
        # Else it was made after the journal was read.

    def pumped(self, state: PumpState) -> None:
        """The next state of its symbol's pump guard."""
        self._pumps[state.symbol].take(state)

    def finish(self) -> DeskAudit:
        """What came of it."""
        for key, (name, at) in self._named.items():
            self._say(f"{name} is not in orders")
            for _ in range(self._due[key]):
                what = f"{name} is not in orders"
                self.orders.absent(Difference(topic="orders", at=at, symbol="", what=what))
        guarded = in_pump = told_later = 0
        for short in self._shorts:
            found = self._pumps[short.request.symbol].at(short.request.at)
            guarded += found is not None
            if found is None or not found.blocks:
                continue
            if short.excused and found.at > short.guard_ms:
                told_later += 1
                continue
            in_pump += 1
            request = short.request
            said = (
                f"shard {short.shard} seq {request.seq}: {request.id} opens a short in "
                f"{request.symbol} at {request.at}, which the guard of {found.at} bars"
            )
            self._say(said)
            self.desk.mismatches += 1
            self.desk.told(
                Difference(topic="desk", at=request.at, symbol=request.symbol, what=said)
            )
        return DeskAudit(
            decisions=self._counts["decisions"],
            mismatches=self._counts["mismatches"],
            not_compared=self._counts["not_compared"],
            events=self._counts["events"],
            missing=sum(self._due.values()),
            duplicated=self._counts["duplicated"],
            unexplained=self._counts["unexplained"],
            shorts=len(self._shorts),
            guarded=guarded,
            shorts_in_pump=in_pump,
            told_later=told_later,
            differences=self._differences,
        )

    def _differs(self, what: str, record: DeskTaken, said: str) -> None:
        self._counts[what] += 1
        line = f"shard {record.shard} seq {record.seq} ({record.kind}): {said}"
        self._say(line)
        self.desk.wrong(
            Difference(
                topic="desk",
                at=record.at,
                symbol=_header.decode(record.input).symbol,
                what=line,
                recorded=bytes(record.input).decode(errors="replace"),
                cause=f"its input and what was seen are in seq {record.seq} of the journal itself",
            )
        )

    def _say(self, line: str) -> None:
        if len(self._differences) < SHOWN_MAX:
            self._differences.append(line)


class _Guard(NamedTuple):
    at: int
    blocks: bool  # shorts


class _Pumps:
    """One symbol's states of the guard, in eight bytes and one each."""

    def __init__(self) -> None:
        self._ats = array("q")
        self._blocks = bytearray()

    def take(self, state: PumpState) -> None:
        if not self._ats or state.at > self._ats[-1]:
            self._ats.append(state.at)
            self._blocks.append(state.blocks("short"))

    def at(self, at: int) -> _Guard | None:
        """The newest state at or before `at`."""
        found = bisect_right(self._ats, at)
        return _Guard(self._ats[found - 1], bool(self._blocks[found - 1])) if found else None


def _key(shard: int, seq: int, raw: bytes) -> bytes:
    return hashlib.blake2b(b"%d/%d/" % (shard, seq) + raw, digest_size=16).digest()


def _content(record: DeskTaken) -> bytes:
    """What a record says, but for the code that wrote it."""
    place = b"%d/%d/%d" % (record.shard, record.seq, record.at)
    return b"".join((place, record.input, *record.outputs, record.state.encode()))


def _of_order(raw: bytes, what: str) -> Difference:
    header = _header.decode(raw)
    return Difference(
        topic="orders",
        at=header.at,
        symbol=header.symbol,
        what=what,
        recorded=raw.decode(errors="replace"),
    )


def _cut(raw: bytes) -> str:
    return raw.decode(errors="replace")[:200]
