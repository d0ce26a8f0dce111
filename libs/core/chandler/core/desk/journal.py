"""The desk's journal: a record of each input that had an effect, and the check that repeats it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from chandler.core.desk.config import Desk
from chandler.core.desk.live.inputs import (
    AccountLost,
    AccountOpened,
    Input,
    NotFound,
    Reconciled,
    Sent,
    StopGone,
    StopPlaced,
    StopRefused,
)
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.desk.turn import Taken
from chandler.core.events import FundingRate, Signal, Ticker
from chandler.core.hashing import digest
from chandler.core.trading.broker import (
    Accepted,
    Refused,
    Unknown,
    VenueFill,
    VenueFunding,
    VenueOrder,
)
from chandler.core.trading.events import (
    Command,
    DeskTaken,
    ExitRequested,
    Seen,
    WindowClosed,
)

_KINDS: tuple[type[Input], ...] = (
    Signal,
    ExitRequested,
    Command,
    Ticker,
    FundingRate,
    WindowClosed,
    AccountOpened,
    AccountLost,
    Sent,
    Accepted,
    Refused,
    Unknown,
    VenueFill,
    VenueOrder,
    VenueFunding,
    NotFound,
    StopPlaced,
    StopRefused,
    StopGone,
    Reconciled,
)
_DECODERS = {kind.__name__: msgspec.json.Decoder(kind) for kind in _KINDS}
_encoder = msgspec.json.Encoder()


class Mismatch(NamedTuple):
    """A record that deciding again does not give."""

    record: DeskTaken
    what: str  # one line: what was recorded and what comes now


def state_hash(states: Mapping[str, AgentState]) -> str:
    """One hash over agents' states; whatever their order."""
    return digest(*(_encoder.encode(states[name]) for name in sorted(states)))


def record(
    desk: Desk,
    taken: Taken,
    event: Input,
    seen: Seen,
    *,
    at: int,
    seq: int,
    code: str,
    late: bool = False,
) -> DeskTaken:
    """The journal's record of a take that had outputs, or changed a state."""
    assert taken.outputs or taken.states, (
        f"{type(event).__name__} at {at} had no effect: nothing to record"
    )
    return DeskTaken(
        shard=desk.shard,
        seq=seq,
        at=at,
        kind=type(event).__name__,
        late=late,
        input=msgspec.Raw(_encoder.encode(event)),
        seen=seen,
        outputs=[msgspec.Raw(_encoder.encode(each.event)) for each in taken.outputs],
        state=state_hash(taken.states),
        config=desk.hash,
        code=code,
    )


def input_of(recorded: DeskTaken) -> Input:
    """The input that a record is about; ValueError where this code knows no such kind."""
    decoder = _DECODERS.get(recorded.kind)
    if decoder is None:
        raise ValueError(f"record {recorded.seq}: unknown kind of input {recorded.kind!r}")
    event: Input = decoder.decode(recorded.input)
    return event


def recheck(
    desk: Desk | Callable[[str], Desk],
    records: Iterable[DeskTaken],
    *,
    states: dict[str, AgentState] | None = None,
) -> Iterator[Mismatch]:
    """Decides a shard's journal again, from its first record on, and yields what differs.

    `desk`: the shard's configuration, or a look-up of it by hash. `states`: filled on the way, so
    that the caller can see where the journal leads. A hole in the sequence is a mismatch too.
    """
    states = {} if states is None else states
    before: int | None = None
    for recorded in records:
        if before is not None and recorded.seq != before + 1:
            yield Mismatch(recorded, f"seq {recorded.seq} follows {before}: records are missing")
        before = recorded.seq
        with_desk = desk if isinstance(desk, Desk) else desk(recorded.config)
        yield from _again(with_desk, states, recorded)


def _again(desk: Desk, states: dict[str, AgentState], recorded: DeskTaken) -> Iterator[Mismatch]:
    if recorded.config != desk.hash:
        yield Mismatch(recorded, f"config is {recorded.config}, checked with {desk.hash}")
        return
    try:
        event = input_of(recorded)
    except (ValueError, msgspec.DecodeError) as error:
        yield Mismatch(recorded, f"its input can't be read: {error}")
        return
    taken = take(
        desk,
        states,
        event,
        recorded.seen,
        at=recorded.at,
        seq=recorded.seq,
        late=recorded.late,
    )
    states.update(taken.states)
    outputs = [_encoder.encode(each.event) for each in taken.outputs]
    for number, (was, now) in enumerate(zip(recorded.outputs, outputs, strict=False)):
        if bytes(was) != now:
            yield Mismatch(recorded, f"output {number} was {_cut(bytes(was))}, is {_cut(now)}")
            return
    if len(outputs) != len(recorded.outputs):
        yield Mismatch(recorded, f"{len(recorded.outputs)} outputs, now there are {len(outputs)}")
    elif state_hash(taken.states) != recorded.state:
        yield Mismatch(recorded, "the outputs agree, the states after them don't")


def _cut(raw: bytes) -> str:
    return raw.decode(errors="replace")[:300]
