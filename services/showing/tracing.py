"""Follows an order back to its candles: finds each record by its place, and checks each link.

A record's header `in` names the record that it came from; where that isn't the one, it is looked
for by its number (seq, time) within its partition.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar, cast

from chandler.core.engine import ResolvedEngine
from chandler.core.events import (
    Candle,
    CandleMissing,
    CandleSealed,
    Event,
    IndicatorRow,
    InputRef,
    MatrixRow,
    Signal,
    Symbol,
    Ticker,
    event_at,
)
from chandler.core.granularity import Granularity
from chandler.core.trading.events import (
    Command,
    DeskTaken,
    ExitRequested,
    OrderFilled,
    OrderRequested,
    PumpState,
)
from chandler.core.trading.orders import OrderEvent
from chandler.replay.audit import lineage
from chandler.replay.audit.lineage import Link
from chandler.streams.lookup import Lookup
from chandler.streams.reader import Record
from services.showing.places import OrderError, Place, Places

E = TypeVar("E", bound=Event)
DAYS_KEPT = "its topic keeps 7 days"


class Found(NamedTuple):
    """The order and its chain."""

    order: str
    links: list[Link]

    @property
    def differing(self) -> int:
        return sum(bool(link.faults) for link in self.links)


class Tracer:
    """One question after another, over one look-up."""

    def __init__(
        self, lookup: Lookup, places: Places, engines: Mapping[str, ResolvedEngine], *, code: str
    ) -> None:
        self._lookup = lookup
        self._places = places
        self._engines = engines
        self._code = code
        self._records: dict[tuple[int, int], Record | None] = {}

    async def order(self, order: str) -> Found:
        """The chain of one order; OrderError where its events are not where they should be."""
        links: list[Link] = []
        records = [await self._at(place) for place in self._places.events(order)]
        life = [
            (record.event, shown_place(record))
            for record in records
            if record is not None and isinstance(record.event, OrderEvent)
        ]
        if len(life) != len(records) or not life or any(each.id != order for each, _ in life):
            raise OrderError(f"{order}: its events are not where the ledger has them")
        links.append(lineage.of_life(life))
        request = next((each for each, _ in life if isinstance(each, OrderRequested)), None)
        links += [
            await self._fill(record, record.event, request)
            for record in records
            if record is not None and isinstance(record.event, OrderFilled)
        ]
        if request is None:
            links.append(_not_ours())
            return Found(order, links)
        links += await self._requested(next(each for each in records if each is not None), request)
        return Found(order, links)

    async def _fill(
        self, record: Record, fill: OrderFilled, request: OrderRequested | None
    ) -> Link:
        place = _named(record)
        journalled = None
        if place is not None and place.topic == "desk":
            journalled = await self._desk(place.partition, place.offset)
        taken = _desk_event(journalled)
        raw = record.raw or b""
        if request is None:
            says = [f"trade {fill.trade}, by a {taken.kind}" if taken else f"trade {fill.trade}"]
            return Link("fill", shown_place(record), says, [], event=fill)
        return lineage.of_fill(fill, raw, shown_place(record), taken, request)

    async def _requested(self, record: Record, request: OrderRequested) -> list[Link]:
        """From the request on: the desk's record, the guard, the cause and what is behind it."""
        journalled = await self._desk(request.shard, request.seq)
        taken = _desk_event(journalled)
        raw = record.raw or b""
        links = [lineage.of_request(request, raw, shown_place(record), taken)]
        if journalled is None or taken is None:
            says = [f"shard {request.shard} seq {request.seq}"]
            return [*links, Link("desk", "", says, ["topic desk has no such record"])]
        balance = self._places.balance(request.agent, taken.at)
        links.append(lineage.of_desk(taken, shown_place(journalled), balance))
        guard = None if request.reduce_only else await self._guard(taken)
        if guard is not None:
            links.append(guard)
        return links + await self._caused(journalled, taken, request)

    async def _desk(self, shard: int, seq: int) -> Record | None:
        key = (shard, seq)
        if key not in self._records:

            def wanted(record: Record) -> bool:
                return isinstance(record.event, DeskTaken) and record.event.seq == seq

            self._records[key] = await self._lookup.find("desk", shard, _seq_of, seq, wanted)
        return self._records[key]

    async def _guard(self, taken: DeskTaken) -> Link | None:
        seen = taken.seen.guard
        if seen is None:
            return None
        record = await self._of_symbol("pumps", PumpState, seen.symbol, seen.at)
        told = None if record is None else record.raw
        link = lineage.of_guard(taken, told, "" if record is None else shown_place(record))
        if link is not None and told is None and await self._has_expired("pumps", seen.symbol):
            return link._replace(faults=[], unchecked=["its topic keeps 90 days"])
        return link

    async def _caused(
        self, journalled: Record, taken: DeskTaken, request: OrderRequested
    ) -> list[Link]:
        """What the order is for: a signal, an exit, a command; or an order that was given up."""
        cause, is_input = await self._cause(journalled, request)
        if cause is None:
            if self._places.events(request.cause):
                says = [f"order {request.cause}, which came to nothing: see ./chandler why"]
                return [Link("cause", "", says, [])]
            return [Link("cause", "", [], [f"there is no signal or exit {request.cause}"])]
        event, raw, place = cause.event, cause.raw or b"", shown_place(cause)
        record = taken if is_input else None
        if isinstance(event, Signal):
            links = [lineage.of_signal(event, raw, place, record)]
            if request.action == "open":
                links[0].faults.extend(lineage.of_opening(request, event))
            return links + await self._signalled(cause, event)
        if isinstance(event, ExitRequested):
            links = [lineage.of_exit(event, raw, place, record), await self._tick(event)]
            return links + await self._opened(event.position)
        assert isinstance(event, Command)
        links = [lineage.of_command(event, raw, place, record)]
        return links if request.action == "open" else links + await self._opened(request.position)

    async def _cause(
        self, journalled: Record, request: OrderRequested
    ) -> tuple[Record | None, bool]:
        """The record of the order's cause, and whether it is what the desk took just then."""
        place = _named(journalled)
        if place is not None:
            record = await self._at(place)
            if record is not None and getattr(record.event, "id", "") == request.cause:
                return record, True
        known = self._places.cause(request.cause)
        record = None if known is None else await self._at(known)
        if record is not None and getattr(record.event, "id", "") == request.cause:
            return record, False
        for topic in ("signals", "exits", "signals.external"):
            partition = await self._lookup.partition_of(topic, request.symbol)
            record = await self._lookup.find(
                topic,
                partition,
                _at_of(Event, request.symbol),
                request.at,
                lambda each: getattr(each.event, "id", "") == request.cause,
            )
            if record is not None:
                return record, False
        return None, False

    async def _tick(self, exit_: ExitRequested) -> Link:
        record = await self._of_symbol("tickers", Ticker, exit_.symbol, exit_.at)
        if record is None and await self._has_expired("tickers", exit_.symbol):
            return Link("ticker", "", [], [], [DAYS_KEPT])
        ticker = None if record is None else cast(Ticker, record.event)
        return lineage.of_tick(exit_, ticker, "" if record is None else shown_place(record))

    async def _opened(self, position: str) -> list[Link]:
        """The order that opened the position that this one closes, and what that was for."""
        order = self._places.opening(position)
        places = self._places.events(order) if order else []
        record = await self._at(places[0]) if places else None
        if record is None or not isinstance(record.event, OrderRequested):
            return [Link("opening", "", [], [], [f"what opened {position} is not known"])]
        first, *rest = await self._requested(record, record.event)
        opening = first._replace(name="opening", says=[f"order {order}", *first.says])
        return [opening, *rest]

    async def _signalled(self, record: Record, signal: Signal) -> list[Link]:
        """Notes, indicator values and candles behind a signal, and the decision made again."""
        if record.topic != "signals":
            return []
        engine = self._engines.get(signal.source)
        matrix = await self._row(
            MatrixRow, "matrix", signal.symbol, signal.close_ms, str(signal.granularity)
        )
        row = None if matrix is None else cast(MatrixRow, matrix.event)
        made = lineage.of_matrix(signal, row, "" if matrix is None else shown_place(matrix))
        links = [await self._unless_expired(made, "matrix", signal.symbol)]
        rows: dict[Granularity, IndicatorRow | None] = {}
        for ref in signal.inputs:
            found, row_links = await self._input(ref, engine)
            rows[ref.granularity] = found
            links += row_links
        links.append(lineage.again(signal, record.raw or b"", rows, engine, code=self._code))
        return links

    async def _input(
        self, ref: InputRef, engine: ResolvedEngine | None
    ) -> tuple[IndicatorRow | None, list[Link]]:
        """One input's indicator row and candle."""
        topic = f"indicators.{ref.granularity}"
        record = await self._row(IndicatorRow, topic, ref.symbol, ref.close_ms)
        row = None if record is None else cast(IndicatorRow, record.event)
        link = lineage.of_row(ref, row, "" if record is None else shown_place(record), None)
        links = [await self._unless_expired(link, topic, ref.symbol)]
        candle = await self._candle(ref, record)
        known = None if candle is None else cast(Candle, candle.event)
        place = "" if candle is None else shown_place(candle)
        return row, [*links, lineage.of_candle(ref, known, place)]

    async def _candle(self, ref: InputRef, row: Record | None) -> Record | None:
        topic = f"candles.{ref.granularity}"

        def wanted(record: Record) -> bool:
            event = record.event
            return (
                isinstance(event, CandleSealed | CandleMissing)
                and event.symbol == ref.symbol
                and event.close_ms == ref.close_ms
            )

        place = None if row is None else _named(row)
        if place is not None and place.topic == topic:
            record = await self._at(place)
            if record is not None and wanted(record):
                return record
        partition = await self._lookup.partition_of(topic, ref.symbol)
        number = _at_of(CandleSealed | CandleMissing, ref.symbol)
        return await self._lookup.find(topic, partition, number, ref.close_ms, wanted)

    async def _row(
        self,
        kind: type[MatrixRow] | type[IndicatorRow],
        topic: str,
        symbol: Symbol,
        close_ms: int,
        granularity: str = "",
    ) -> Record | None:
        def wanted(record: Record) -> bool:
            event = record.event
            return (
                isinstance(event, kind)
                and event.symbol == symbol
                and event.close_ms == close_ms
                and granularity in ("", event.granularity)
            )

        partition = await self._lookup.partition_of(topic, symbol)
        number = _at_of(kind, symbol)
        return await self._lookup.find(topic, partition, number, close_ms, wanted)

    async def _of_symbol(
        self, topic: str, kind: type[Event], symbol: Symbol, at: int
    ) -> Record | None:
        """The symbol's first event of a time."""
        number = _at_of(kind, symbol)
        partition = await self._lookup.partition_of(topic, symbol)

        def wanted(record: Record) -> bool:
            return record.event is not None and number(record.event) == at

        return await self._lookup.find(topic, partition, number, at, wanted)

    async def _unless_expired(self, link: Link, topic: str, symbol: Symbol) -> Link:
        """A record that is gone for its age is no fault."""
        if link.place or not await self._has_expired(topic, symbol):
            return link
        return link._replace(faults=[], unchecked=[DAYS_KEPT])

    async def _has_expired(self, topic: str, symbol: str) -> bool:
        partition = await self._lookup.partition_of(topic, symbol)
        return await self._lookup.begin(topic, partition) > 0

    async def _at(self, place: Place) -> Record | None:
        return await self._lookup.at(*place)


def shown_place(record: Record) -> str:
    """topic/partition/offset"""
    return str(Place(record.topic, record.partition, record.offset))


def _named(record: Record) -> Place | None:
    """The record that the header `in` names; for an order event its desk record, by seq."""
    parts = record.headers.get("in", b"").decode(errors="replace").split("/")
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        return None
    return Place(parts[0], int(parts[1]), int(parts[2]))


def _desk_event(record: Record | None) -> DeskTaken | None:
    return record.event if record is not None and isinstance(record.event, DeskTaken) else None


def _seq_of(event: Event) -> int | None:
    return event.seq if isinstance(event, DeskTaken) else None


def _at_of(kind: object, symbol: Symbol) -> Callable[[Event], int | None]:
    """What the records of one symbol come in the order of."""

    def number(event: Event) -> int | None:
        of_it = isinstance(event, kind) and getattr(event, "symbol", "") == symbol  # type: ignore[arg-type]
        return event_at(event) if of_it else None

    return number


def _not_ours() -> Link:
    why = "nobody requested it here: a stop that the venue held, or somebody else's order"
    return Link("request", "", [], [], [why])
