"""The desk's own topics: what one transaction of a shard holds, and what its successor reads back.

All of it goes to partition `shard` of `desk` and `desk.state`; orders go by symbol.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from aiokafka import AIOKafkaProducer

from chandler.core.events import DeadLetter, Event
from chandler.core.stage import Output
from chandler.core.trading.events import DeskTaken, OrderRequested, OrdersOut, Seen
from chandler.core.watermarks.seen import MarketKept
from chandler.streams.clients import topic_name
from chandler.streams.codec import encode
from chandler.streams.exact.fetched import Next, Offset, OrderKept
from chandler.streams.exact.restore import OFFSETS_KEY, StateError, read_newest
from chandler.streams.points import armed, point
from chandler.streams.settings import Installation

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

STATE = "desk.state"
MARKET_KEY = "@market"
OWNER_KEY = "@owner"
OUT_KEY = "@out"

_encode_state = msgspec.json.Encoder().encode


class Decided(Protocol[S_co]):
    """What came of an input."""

    @property
    def states(self) -> Mapping[str, S_co]:
        """The agents' states that changed."""

    @property
    def outputs(self) -> Sequence[Output]: ...


class Fold(Protocol[S]):
    """The desk's fold over one shard. A take without outputs and states has no effect."""

    @property
    def state_type(self) -> type[S]: ...

    def heeds(self, event: Event) -> bool:
        """Whether something may come of it; on a live shard what nobody heeds goes last."""

    def take(
        self,
        states: Mapping[str, S],
        event: msgspec.Struct,
        seen: Seen,
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> Decided[S]: ...

    def record(
        self,
        states: Mapping[str, S],
        event: msgspec.Struct,
        seen: Seen,
        decided: Decided[S],
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> DeskTaken:
        """The journal's record of a take; `states` are those after it."""


class DeskOffsets(msgspec.Struct, frozen=True, kw_only=True):
    """How far a shard has come."""

    seq: int = 0  # of the newest journal record
    order: OrderKept = OrderKept()


class MarketSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The market as it was seen, and from where newer records are read again."""

    market: MarketKept = MarketKept()
    start: Offset = {}


class DeskRestored(msgspec.Struct, frozen=True, kw_only=True):
    """What a shard's partition of desk.state holds."""

    states: dict[str, bytes]
    offsets: DeskOffsets | None  # None: the shard has never run
    snapshot: MarketSnapshot
    owner: str
    written_ms: int = 0  # wall time of the newest transaction; 0: the shard has never run


async def restored(installation: Installation, shard: int) -> DeskRestored:
    """Reads a shard's state back; StateError if it can't be what a predecessor left."""
    name = topic_name(installation, STATE)
    newest, written_ms = (await read_newest(installation, name, [shard]))[shard]
    offsets, market, owner = (newest.pop(key, None) for key in (OFFSETS_KEY, MARKET_KEY, OWNER_KEY))
    if offsets is None and newest:
        raise StateError(
            f"{name}/{shard} holds states without offsets: expected both from one transaction, "
            "look who wrote it before any order is made"
        )
    return DeskRestored(
        states=newest,
        offsets=msgspec.json.decode(offsets, type=DeskOffsets) if offsets else None,
        snapshot=msgspec.json.decode(market, type=MarketSnapshot) if market else MarketSnapshot(),
        owner=owner.decode() if owner else "",
        written_ms=written_ms,
    )


class Batch(Generic[S]):
    """What one transaction will hold."""

    def __init__(self) -> None:
        self.started = 0.0  # perf_counter of the first take
        self.takes = 0
        self.records: list[tuple[DeskTaken, Next | None]] = []
        self.outputs: list[tuple[Output, int]] = []  # with the seq of their record
        self.letters: list[DeadLetter] = []
        self.changed: dict[str, S] = {}

    @property
    def is_urgent(self) -> bool:
        """Whether something has to go out now."""
        return bool(self.records or self.letters)

    @property
    def asks(self) -> bool:
        """Whether the venue is to be asked for something once it stands in the topics."""
        return any(isinstance(output.event, OrderRequested) for output, _ in self.outputs)


class Journal:
    """Writes a shard's transactions."""

    def __init__(
        self, installation: Installation, shard: int, shards: int, producer: AIOKafkaProducer
    ) -> None:
        self.producer = producer
        self._installation = installation
        self._shard = shard
        self._shards = shards

    async def own(self, owner: str) -> None:
        """Says who writes here from now on."""
        async with self.producer.transaction():
            await self._send(STATE, owner.encode(), OWNER_KEY, self._shard)

    async def commit(
        self,
        batch: Batch[Any],
        offsets: bytes,
        snapshot: bytes | None,
        out: tuple[int, int] | None,
    ) -> None:
        """One transaction. `out`: the clock that is told, to how many partitions of orders.

        `offsets` and `snapshot` are as they were when the batch ended: JSON.
        """
        point("begin.before")
        await self.producer.begin_transaction()
        point("begin.after")
        for record, source in batch.records:
            await self._journal(record, source)
        for output, seq in batch.outputs:
            header = [("in", f"desk/{self._shard}/{seq}".encode())]
            await self._send(output.topic, encode(output.event), output.key, None, header)
        for letter in batch.letters:
            await self._send("dead-letters", encode(letter), letter.source)
        for agent, state in batch.changed.items():
            await self._send(STATE, _encode_state(state), agent, self._shard)
        await self._send(STATE, offsets, OFFSETS_KEY, self._shard)
        if snapshot is not None:
            await self._send(STATE, snapshot, MARKET_KEY, self._shard)
        if out is not None:
            clock, partitions = out
            told = encode(OrdersOut(shard=self._shard, shards=self._shards, at=clock))
            for partition in range(partitions):
                await self._send("orders", told, OUT_KEY, partition)
        point("commit.before")
        await self.producer.commit_transaction()
        point("commit.after")

    async def _journal(self, record: DeskTaken, source: Next | None) -> None:
        point("journal.before")
        headers = None
        if source is not None and source.taken.topic:
            taken = source.taken
            place = f"{taken.topic}/{taken.partition}/{taken.offset}"
            headers = [("in", place.encode())]
        await self._send("desk", encode(record), str(self._shard), self._shard, headers)
        if armed("journal.after"):
            await self.producer.flush()
        point("journal.after")

    async def _send(
        self,
        topic: str,
        value: bytes,
        key: str,
        partition: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        sent = await self.producer.send(
            topic_name(self._installation, topic),
            value,
            key=key.encode(),
            partition=partition,
            headers=headers,
        )
        sent.add_done_callback(_retrieved)


def _retrieved(sent: "asyncio.Future[Any]") -> None:
    """The commit fails with a record that failed; its own exception needs no second report."""
    if not sent.cancelled():
        sent.exception()
