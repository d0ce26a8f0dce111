"""Last prices on their way to topic `tickers`: from the socket, and by REST while it is silent.

After its tickers each shard says how far it has come (`TickersOut`), to every partition: nothing
of it that is not newer follows.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from chandler.core.events import Event, Symbol, Ticker
from chandler.core.granularity import MINUTE_MS, Granularity
from chandler.core.ingest import sequence as candles
from chandler.core.trading.events import TickersOut
from chandler.exchanges.bitget.errors import VenueError
from chandler.exchanges.bitget.parse import TickerPush
from chandler.exchanges.bitget.rest import Rest
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import EVERY, Record, ReplacedError, Sender, tail
from services.ingest.complaints import Complaints
from services.profile import Profile

MINUTE = Granularity("1m")
SILENT_S = 5.0  # of wall time without a ticker of any symbol of a shard; then REST is asked
ASK_EVERY_S = 3.0
SAY_EVERY_S = 0.1  # of wall time
FROZEN, NOT_NEWER, SAID = DROPPED = ("was frozen", "not newer", "said to be out")
FROZEN_S = 2.0  # of wall time without a turn: another ingest may have gone on meanwhile
SLACK_MS = 500  # of the real venue, between the tickers of two symbols
TAIL_RECORDS = 1_000  # of each partition, to find out what an older ingest has said


class Tickers:
    """One shard's. What it publishes is newer than the symbol's newest, and than what it said."""

    def __init__(
        self,
        sender: Sender,
        metrics: Metrics,
        *,
        shard: int = 0,
        slack_ms: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shard = shard
        self.shards = 1  # how many there are now, see `resume`
        self.said = -1  # all up to there is out, ms
        self.heard_at = monotonic()  # by the socket
        self._sender = sender
        self._metrics = metrics
        self._slack_ms = slack_ms
        self._monotonic = monotonic
        self._newest: dict[Symbol, int] = {}
        self._newest_at = -1
        self._said_at = 0.0
        self._awake_at = 0.0
        self.held = True  # until `resume`

    def resume(self, shards: int, said: int) -> None:
        """Goes on after what an older ingest said; there are so many shards now."""
        self.shards, self.said = shards, max(self.said, said)
        self.held, self._awake_at = False, self._monotonic()

    def _is_held(self) -> bool:
        """A process that was frozen must not go on before it has looked at what is out."""
        self.held = self.held or self._monotonic() - self._awake_at > FROZEN_S
        return self.held

    def take(
        self, push: TickerPush, sequence: candles.Sequence | None, *, socket: bool = True
    ) -> None:
        """Publishes a ticker, unless it comes too late."""
        if socket:
            self.heard_at = self._monotonic()
        if self._is_held():
            self._drop(FROZEN)
            return
        if push.at <= self._newest.get(push.symbol, -1):
            if socket:  # REST repeats what it said before
                self._drop(NOT_NEWER)
            return
        if push.at <= self.said:
            self._drop(SAID)
            return
        self._newest[push.symbol] = push.at
        self._newest_at = max(self._newest_at, push.at)
        self._sender.send(Record("tickers", push.symbol, ticker(push, sequence)))

    def _drop(self, cause: str) -> None:
        self._metrics.add("chandler_ingest_tickers_dropped_total", cause=cause)

    def say(self, idle_until: int | None = None) -> None:
        """Says how far the shard has come, where that has grown; `idle_until`: it has no symbols.

        Two symbols may have tickers of the same time: the newest time itself isn't over.
        """
        if self._is_held():
            return
        self._awake_at = now = self._monotonic()
        newest = self._newest_at if idle_until is None else idle_until
        at = newest - 1 - self._slack_ms
        if at <= self.said or now - self._said_at < SAY_EVERY_S:
            return
        self.said, self._said_at = at, now
        event = TickersOut(shard=self.shard, shards=self.shards, at=at)
        self._sender.send(Record("tickers", f"@shard-{self.shard}", event, partition=EVERY))


def ticker(push: TickerPush, sequence: candles.Sequence | None) -> Ticker:
    """The event, with the forming 1m candle where it is subscribed to."""
    minute_ms, volume = push.at - push.at % MINUTE_MS, 0.0
    lane = sequence.lanes.get(MINUTE) if sequence is not None else None
    forming = lane.forming if lane is not None else None
    if forming is not None and forming[0] <= push.at:
        minute_ms, volume = forming[0], forming[5]
    return Ticker(
        symbol=push.symbol,
        at=push.at,
        last=push.last,
        bid=push.bid,
        ask=push.ask,
        mark=push.mark,
        minute_open_ms=minute_ms,
        minute_volume=volume,
    )


def slack_ms(profile: Profile) -> int:
    """By how much the tickers of two symbols may be out of the order of their times, venue's ms."""
    given = profile.venue.ticker_slack_ms
    if given is None:
        given = SLACK_MS if profile.simulator is None else 0
    return int(given * profile.pace)


async def resume(installation: Installation, tickers: Iterable[Tickers], shards: int) -> None:
    """Lets them go on after what is out, of an older ingest too. LostError."""
    found = await tail(installation, "tickers", TAIL_RECORDS)
    for each in tickers:
        each.resume(shards, said_by(found, each.shard, shards))


async def thaw(installation: Installation, tickers: Iterable[Tickers]) -> None:
    """Lets those go on that were frozen. ReplacedError if another ingest has; LostError."""
    held = [each for each in tickers if each.held]
    found = await tail(installation, "tickers", TAIL_RECORDS) if held else []
    for each in held:
        words = [one.at for one in found if isinstance(one, TickersOut) and one.shard == each.shard]
        if max(words, default=-1) > each.said:
            raise ReplacedError(
                f"ingest-{each.shard}: another instance went on with its tickers while this one "
                "was frozen: this one ends"
            )
        each.resume(each.shards, each.said)


def said_by(events: Iterable[Event], shard: int, shards: int) -> int:
    """Up to where an older ingest has said that this shard's tickers are out; -1: nowhere.

    Other symbols may have been the shard's then, if there were more or fewer shards: so the
    furthest that any shard said counts. That also holds for a shard that has been silent for so
    long that its word is not among `events`; and with no word at all, the newest ticker.
    """
    found = list(events)
    out = [each for each in found if isinstance(each, TickersOut)]
    own = [each.at for each in out if (each.shard, each.shards) == (shard, shards)]
    if own and all(each.shards == shards for each in out):
        return max(own)
    return max(
        (each.at for each in out or found if isinstance(each, TickersOut | Ticker)), default=-1
    )


class Served(Protocol):
    """A shard: which symbols it has now."""

    symbols: list[Symbol]


async def fall_back(
    served: Sequence[tuple[Tickers, Served]], rest: Rest, complaints: Complaints
) -> None:
    """Asks REST every few seconds for shards whose socket brings nothing, until it is cancelled."""
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        now = time.monotonic()
        silent = [
            (tickers, shard)
            for tickers, shard in served
            if shard.symbols and now - tickers.heard_at >= SILENT_S
        ]
        if not silent:
            continue
        try:
            pushes = {push.symbol: push for push in await rest.tickers()}
        except VenueError as error:
            age_s = now - min(tickers.heard_at for tickers, _ in silent)
            detail = f"{error}; the newest ticker came {age_s:.0f} s ago"
            complaints.tell("no tickers", detail, letter=False)
            continue
        for tickers, shard in silent:
            for symbol in shard.symbols:
                if symbol in pushes:
                    tickers.take(pushes[symbol], None, socket=False)
