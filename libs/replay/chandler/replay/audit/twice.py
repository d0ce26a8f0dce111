"""What stands twice in the topics, or older after newer, where a frozen process was let go on.

Knows nothing of Kafka: it takes the records of each partition in their order.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from chandler.core.events import CandleMissing, CandleSealed, Event, Symbol, Ticker
from chandler.core.trading.events import (
    ExitRequested,
    Liquidated,
    OrderFilled,
    OrderRequested,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
    TickersOut,
)
from chandler.core.trading.money import ZERO, minus, plus
from chandler.replay.audit.reckoning import VenueTruth

TOPICS = ("tickers", "positions", "exits", "orders")  # that are counted, beside the candles
SHOWN_MAX = 10  # faults that are spelled out


class Twice(NamedTuple):
    """All is well: nothing but zeros in the first five; the two after them are no faults."""

    orders_twice: int  # ids that the venue was asked for, intended or filled more than once
    exits_twice: int  # ids that stand there twice, or for which two orders were filled
    candles_twice: int  # slots of a lane
    tickers_older: int  # behind what was said to be out, and taken by readers
    positions_older: int  # back in time, older figures, twice, or after the position's end
    tickers_dropped: int  # not newer than the symbol's newest: every reader drops them
    positions_late: int  # a venue's fill or funding of a time before a price that was seen already
    faults: list[str]

    @property
    def well(self) -> bool:
        """Whether nothing is there twice, and nothing older after newer."""
        return not (
            self.orders_twice
            or self.exits_twice
            or self.candles_twice
            or self.tickers_older
            or self.positions_older
        )


class _Trips:
    """How often fills open each position: an add that was on its way opens one that has ended."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self._sizes: dict[str, Decimal] = {}

    def take(self, event: OrderFilled | Liquidated) -> None:
        size = self._sizes.get(event.position, ZERO)
        if isinstance(event, Liquidated):
            size = ZERO
        elif event.action == "close":
            size = max(minus(size, event.size), ZERO)
        else:
            self.opened[event.position] += not size
            size = plus(size, event.size)
        self._sizes[event.position] = size


class _Positions:
    """The events of all positions. Those at a venue are by arrival: fills come after prices."""

    def __init__(self, live: Collection[str]) -> None:
        self.wrong: list[str] = []
        self.late = 0
        self._live = live
        self._newest: dict[str, Event] = {}
        self._at: dict[tuple[str, str], int] = {}  # (position, what it is compared with) → newest
        self._closed: set[str] = set()
        self._again: Counter[str] = Counter()  # opened after their end

    def take(self, event: PositionOpened | PositionUpdated | PositionClosed) -> None:
        now, kind = event.position, type(event).__name__
        before = self._newest.get(now.id)
        wrong = ""
        if isinstance(event, PositionOpened) and now.id in self._closed:
            self._again[now.id] += 1  # `found` says whether its fills do so, too
            self._closed.remove(now.id)
            self._newest.pop(now.id, None)  # its fills have a time of their own
            for like in ("", "mark", "fill"):
                self._at.pop((now.id, like), None)
        elif now.id in self._closed:
            wrong = "after its end"
        elif before == event:
            wrong = "twice"
        elif isinstance(before, PositionOpened | PositionUpdated) and (
            now.fees < before.position.fees
        ):
            wrong = f"with fees of {now.fees} after {before.position.fees}"
        elif event.at < self._before(event):
            wrong = f"after one of {self._before(event)}"
        elif event.at < self._at.get((now.id, ""), -1):
            self.late += 1
        if wrong:
            self.wrong.append(f"position {now.id}: {kind} of {event.at} {wrong}")
        if isinstance(event, PositionClosed):
            self._closed.add(now.id)
        self._newest[now.id] = event
        for like in {"", _like(event)}:
            self._at[now.id, like] = max(event.at, self._at.get((now.id, like), -1))

    def found(self, trips: Mapping[str, int]) -> list[str]:
        """All that is wrong; `trips`: how often fills open each."""
        return self.wrong + [
            f"position {one} is opened {n + 1} times, after its end; its fills open it "
            f"{trips.get(one, 0)} times"
            for one, n in sorted(self._again.items())
            if n + 1 > trips.get(one, 0)
        ]

    def _before(self, event: PositionOpened | PositionUpdated | PositionClosed) -> int:
        """The newest time that this event may not be older than."""
        if event.position.account not in self._live:
            return self._at.get((event.position.id, ""), -1)
        return self._at.get((event.position.id, "mark"), -1) if _like(event) == "mark" else -1


def _like(event: Event) -> str:
    return "mark" if isinstance(event, PositionUpdated) and event.why == "mark" else "fill"


class Counting:
    """`take` every record of `TOPICS` and of the candles; then `found`. `live`: venue's accounts.

    Paper money has an order of things: no event of a position is older than the one before. At a
    venue only prices come in order. There, too, a position's fees never fall: older figures show.
    """

    def __init__(self, live: Collection[str] = ()) -> None:
        self._intents: Counter[str] = Counter()
        self._fills: Counter[str] = Counter()  # trades
        self._cause: dict[str, str] = {}  # order → what it was made for
        self._ended: set[str] = set()  # orders that were filled to the end
        self._exits: Counter[str] = Counter()
        self._slots: Counter[tuple[Symbol, str, int]] = Counter()
        self._said: defaultdict[int, dict[int, int]] = defaultdict(dict)  # partition → shard → at
        self._shards: dict[int, int] = {}  # partition → how many say something there now
        self._newest: dict[Symbol, int] = {}  # tickers
        self._positions = _Positions(live)
        self._trips = _Trips()
        self._older: list[str] = []
        self._dropped = 0

    def take(self, partition: int, event: Event) -> None:
        """The next record of a partition."""
        if isinstance(event, Ticker):
            self._ticker(partition, event)
        elif isinstance(event, TickersOut):
            self._word(partition, event)
        elif isinstance(event, CandleSealed | CandleMissing):
            self._slots[event.symbol, event.granularity, event.open_ms] += 1
        elif isinstance(event, PositionOpened | PositionUpdated | PositionClosed):
            self._positions.take(event)
        elif isinstance(event, ExitRequested):
            self._exits[event.id] += 1
        elif isinstance(event, OrderRequested):
            self._intents[event.id] += 1
            self._cause[event.id] = event.cause
        elif isinstance(event, OrderFilled):
            self._fills[event.trade] += 1
            if self._fills[event.trade] == 1:
                self._trips.take(event)
            if event.done:
                self._ended.add(event.id)
        elif isinstance(event, Liquidated):
            self._trips.take(event)

    def _word(self, partition: int, event: TickersOut) -> None:
        said = self._said[partition]
        said[event.shard] = max(event.at, said.get(event.shard, -1))
        self._shards[partition] = event.shards

    def _ticker(self, partition: int, event: Ticker) -> None:
        """Out is what every shard has said; readers take only what is newer than the newest."""
        said = self._said[partition]
        out = min(said.get(shard, -1) for shard in range(self._shards.get(partition, 1)))
        newest = self._newest.get(event.symbol, -1)
        if event.at <= newest:
            self._dropped += 1
            return
        self._newest[event.symbol] = event.at
        if event.at <= out:
            self._older.append(
                f"ticker {event.symbol} of {event.at} came after all up to {out} was said to be out"
            )

    def found(self, truth: VenueTruth | None = None) -> Twice:
        """What it comes to, with what the venue itself was asked for."""
        orders = _twice(truth.received if truth else {}, "the venue was asked {n} times for {one}")
        orders += _twice(self._intents, "intent {one} is there {n} times")
        orders += _twice(self._fills, "fill {one} is there {n} times")
        filled = Counter(self._cause.get(order, "") for order in self._ended)
        filled = Counter({one: n for one, n in filled.items() if one in self._exits})
        exits = _twice(self._exits, "exit {one} is there {n} times")
        exits += _twice(filled, "{n} orders were filled for exit {one}")
        slots = Counter({" ".join(map(str, slot)): n for slot, n in self._slots.items() if n > 1})
        candles = _twice(slots, "candle {one} is there {n} times")
        positions = self._positions.found(self._trips.opened)
        every = (orders, exits, candles, self._older, positions)
        return Twice(
            orders_twice=len(orders),
            exits_twice=len(exits),
            candles_twice=len(candles),
            tickers_older=len(self._older),
            positions_older=len(positions),
            tickers_dropped=self._dropped,
            positions_late=self._positions.late,
            faults=[line for lines in every for line in lines[:SHOWN_MAX]],
        )


def _twice(counts: Mapping[str, int], line: str) -> list[str]:
    return [line.format(one=one, n=n) for one, n in sorted(counts.items()) if n > 1]
