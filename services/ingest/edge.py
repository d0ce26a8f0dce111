"""Ingest at work: connects the venue's socket and REST to the candle topics."""

import asyncio
import contextlib
import time

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity
from chandler.core.ingest.lane import FRESH_MS, GRACE_MS
from chandler.core.ingest.plan import shards as plan_shards
from chandler.core.ingest.trust import Trust, confirms_all
from chandler.exchanges.bitget.errors import VenueError
from chandler.exchanges.bitget.feed import Feed
from chandler.exchanges.bitget.rest import Rest
from chandler.streams.settings import SettingsError
from chandler.streams.writing import LostError, Sender
from services import plugins
from services.declaration import Connection, Context
from services.ingest import venue
from services.ingest.clock import Clock
from services.ingest.complaints import LIMITED, Complaints
from services.ingest.frames import Frames
from services.ingest.output import Out, Output, measured, read_out
from services.ingest.repair import Repair
from services.ingest.shard import AHEAD_WALL_MS, Shard
from services.ingest.start import Starter
from services.ingest.tickers import Tickers, fall_back, resume, slack_ms, thaw

TICK_S = 0.05
MEASURE_S = 0.5
STARTS_MAX = 8  # symbols that are set up at once
OPEN_AGAIN_S = 1.0
CAUGHT_UP_WALL_MS = 3_000
CAUGHT_UP_SHARE = 0.9
BACKFILLING = "backfilling"  # the state of health, then how far: "backfilling 40 %"
SENDER_DRAIN_S_MAX = 2.0
UNTRUSTED_FRESH_MS = 10**12  # "rollover": no last update is too old


async def run(context: Context) -> None:
    """Ingests until the stop; ends with a clear line when another instance took over."""
    sender = Sender(context.installation)
    sending = asyncio.create_task(sender.run(), name="sender")
    try:
        await _until_stopped(context, Ingest(context, sender))
    finally:
        sender.close()
        await asyncio.wait([sending], timeout=SENDER_DRAIN_S_MAX)
        sending.cancel()
        await asyncio.wait([sending])


async def _until_stopped(context: Context, ingest: "Ingest") -> None:
    """Runs it; the stop ends it between two transactions, an error of any part at once."""
    work = asyncio.create_task(ingest.run(), name="ingest")
    stop = asyncio.create_task(context.stop.wait(), name="stop")
    try:
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            await ingest.drain()
            work.cancel()
            await asyncio.wait([work])
        if not work.cancelled():
            work.result()
    except ExceptionGroup as group:
        raise _first(group) from None
    finally:
        stop.cancel()
        context.health.ready = False


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


class Ingest:
    """All shards of this process, or one."""

    def __init__(self, context: Context, sender: Sender) -> None:
        profile = context.profile
        self._context = context
        self._log = context.log
        self._config = venue.venue_config(profile, context.installation)
        self._rate = profile.simulator.speed if profile.simulator is not None else 1.0
        self._clock = Clock(self._rate)
        self._look = asyncio.Event()
        self._complaints = Complaints(context.log, context.metrics, sender)
        self._sender = sender
        wanted = plugins.wanted(profile)
        self._granularities: list[Granularity] = wanted.granularities
        self._with_tickers = wanted.tickers
        self._tickers: dict[int, Tickers] = {}  # by shard
        self._shards: list[Shard] = []
        self._feeds: dict[int, Feed] = {}
        self._outputs: list[Output] = []
        self._weight = 0
        self._throttled = 0
        self._working = False
        self._set_up = False  # every symbol has its first candles
        if not self._granularities:
            raise SettingsError(
                "no enabled engine asks for a granularity and ingest.pinned is empty: "
                "enable an engine or pin one"
            )

    async def run(self) -> None:
        """Until it is cancelled, or a part fails."""
        async with Rest(self._config, self._rate) as rest, contextlib.AsyncExitStack() as last:
            last.push_async_callback(self._close)
            self._context.health.state = "waiting for the venue"
            await venue.patiently(lambda: self._clock.look(rest), self._log, "the venue's clock")
            instruments = venue.Instruments(rest, self._sender)
            await venue.patiently(instruments.read, self._log, "the venue's contracts")
            symbols = await self._symbols(rest, instruments)
            self._plan(symbols)
            await self._open_outputs()
            await self._work(rest, instruments)

    async def _symbols(self, rest: Rest, instruments: venue.Instruments) -> list[Symbol]:
        config = self._context.profile.ingest
        symbols = await venue.patiently(
            lambda: venue.choose_symbols(config, rest, instruments.listed, self._complaints),
            self._log,
            "the venue's tickers",
        )
        if not symbols:
            raise SettingsError(
                f"the venue lists {len(instruments.listed)} symbols and none of those wanted: "
                "correct ingest.symbols"
            )
        return symbols

    def _plan(self, symbols: list[Symbol]) -> None:
        """Makes the shards that this process runs."""
        context, config = self._context, self._context.profile.ingest
        channels = len(self._granularities) + self._with_tickers
        try:
            planned = plan_shards(
                symbols, config.symbols_per_shard, channels, config.channels_per_connection_max
            )
        except ValueError as error:
            raise SettingsError(str(error)) from None
        confirms = confirms_all(
            config.seal,
            len(symbols),
            self._config.requests_per_second_max,
            self._rate,
            self._granularities,
        )
        self._planned = len(planned)
        numbers = range(len(planned)) if context.shard is None else [context.shard]
        for number in numbers:
            if number >= len(planned):
                raise SettingsError(
                    f"shard {number}: {len(symbols)} symbols make {len(planned)} shards, "
                    f"expected 0 to {len(planned) - 1}"
                )
            trust = Trust({}, always=config.seal == "rollover", never=confirms)
            self._add_shard(number, planned[number], trust)
        self._log.info(
            "%d symbols, %s, %d connections of %d, %s",
            sum(len(shard.symbols) for shard in self._shards),
            " ".join(self._granularities),
            len(self._shards),
            len(planned),
            "every candle confirmed by REST" if confirms else "sealed by the socket once trusted",
        )

    def _add_shard(self, number: int, symbols: list[Symbol], trust: Trust) -> None:
        context, profile = self._context, self._context.profile
        if self._with_tickers:
            self._tickers[number] = Tickers(
                self._sender,
                context.metrics,
                shard=number,
                slack_ms=slack_ms(profile),
            )
        shard = Shard(
            number,
            symbols,
            self._granularities,
            trust,
            clock=self._clock,
            tickers=self._tickers.get(number),
            complaints=self._complaints,
            metrics=context.metrics,
            connection=Connection(f"connection {number}", self._context.tell),
            log=self._log,
        )
        shard.clock_in_doubt = self._look.set
        tap = None
        if profile.ingest.record_frames:
            tap = Frames(context.installation.data / "frames", number, self._log).take
        self._shards.append(shard)
        self._feeds[number] = Feed(
            self._config.ws_url,
            shard.args(symbols),
            rate=self._rate,
            tap=tap,
            product_type=self._config.product_type,
        )
        output = Output(context.installation, shard, self._clock, context.metrics, self._log)
        self._outputs.append(output)

    async def _open_outputs(self) -> None:
        """Fences all older holders first; what is out is read after that."""
        self._context.health.state = "opening"
        while True:
            try:
                for output in self._outputs:
                    await output.outbox.open()
                self._out = await read_out(self._context.installation)
                if self._tickers:
                    await resume(self._context.installation, self._tickers.values(), self._planned)
                    self._tell_ahead()
                return
            except LostError as error:
                self._log.warning("%s; trying again", error)
                await asyncio.sleep(OPEN_AGAIN_S)

    def _tell_ahead(self) -> None:
        """A line where tickers are out from after the venue's time: none follows until then."""
        said = max((tickers.said for tickers in self._tickers.values()), default=-1)
        ahead_ms = said - self._clock.now()
        if ahead_ms > AHEAD_WALL_MS * self._rate:
            detail = (
                f"tickers are out up to {ahead_ms / 1_000:.0f} s after the venue's time, none is "
                "published until then: another venue, or a clock set back? Use a new CHANDLER_DATA"
            )
            self._complaints.tell("ahead of the venue", detail, letter=False)

    async def _work(self, rest: Rest, instruments: venue.Instruments) -> None:
        self._context.health.state = BACKFILLING
        self._instruments = instruments
        repair = Repair(
            rest,
            self._shards,
            self._clock,
            gone=self._gone,
            complaints=self._complaints,
            metrics=self._context.metrics,
            log=self._log,
        )
        self._working = True
        async with asyncio.TaskGroup() as tasks:
            for shard, output in zip(self._shards, self._outputs, strict=True):
                tasks.create_task(shard.listen(self._feeds[shard.number]))
                tasks.create_task(output.run(self._context.stop))
            tasks.create_task(repair.run())
            simulated = self._context.profile.simulator is not None
            keep = venue.keep_time(self._clock, rest, self._look, self._log, simulated=simulated)
            tasks.create_task(keep)
            tasks.create_task(self._refresh(instruments))
            tasks.create_task(self._tick(repair, rest))
            if self._tickers:
                served = [(self._tickers[each.number], each) for each in self._shards]
                tasks.create_task(fall_back(served, rest, self._complaints))
            await self._start_symbols(rest)
            self._set_up = True

    def _caught_up(self) -> float:
        """The share of all symbols that are out up to now, 0 to 1."""
        now, slack_ms = self._clock.now(), int(CAUGHT_UP_WALL_MS * self._rate) + GRACE_MS
        sequences = [each for shard in self._shards for each in shard.sequences.values()]
        current = sum(each.behind_ms(now) < slack_ms for each in sequences)
        count = max(len(self._symbols_now()), len(sequences))
        return current / count if count else 1.0

    def _symbols_now(self) -> set[Symbol]:
        return {symbol for shard in self._shards for symbol in shard.symbols}

    async def _start_symbols(self, rest: Rest) -> None:
        config = self._context.profile.ingest
        fresh_ms = UNTRUSTED_FRESH_MS if config.seal == "rollover" else FRESH_MS
        starter = Starter(
            rest, self._clock, self._granularities, config.backfill, fresh_ms=fresh_ms
        )
        turns = asyncio.Semaphore(STARTS_MAX)

        async def start(shard: Shard, symbol: Symbol, out: Out) -> None:
            async with turns:
                sequence = await venue.patiently(
                    lambda: starter.sequence(symbol, out.get(symbol, {})),
                    self._log,
                    f"{symbol}'s first candles",
                )
            if symbol not in shard.symbols:
                return
            shard.add(sequence)
            ahead_ms = min(lane.cursor for lane in sequence.lanes.values()) - self._clock.now()
            if ahead_ms > 0:
                detail = (
                    f"{symbol}: its candles are out up to {ahead_ms / 1_000:.0f} s after the "
                    "venue's time and go on from there: another venue, or a clock set back?"
                )
                self._complaints.tell("ahead of the venue", detail, letter=False)

        async with asyncio.TaskGroup() as tasks:
            for shard in self._shards:
                for symbol in shard.symbols:
                    tasks.create_task(start(shard, symbol, self._out))
        self._log.info("%d symbols are set up", len(self._symbols_now()))

    async def _gone(self, symbol: Symbol, error: VenueError) -> None:
        """A symbol that REST denies: it ends if the venue's list denies it too."""
        try:
            await self._instruments.read()
        except VenueError as failed:
            self._log.info("the venue's contracts could not be read: %s", failed)
            return
        self._drop_unlisted(str(error), {symbol})

    def _drop_unlisted(self, why: str, asked: set[Symbol]) -> None:
        for shard in self._shards:
            for symbol in [each for each in shard.symbols if each in asked]:
                if symbol in self._instruments.listed:
                    continue
                shard.drop(symbol, self._feeds[shard.number])
                detail = f"{symbol}: {why}; its candles end here, the other symbols go on"
                self._complaints.tell("delisted", detail)

    async def _refresh(self, instruments: venue.Instruments) -> None:
        """Publishes instruments and funding now and then; ends symbols that are gone."""
        every_s = max(venue.INSTRUMENTS_EVERY_S_MIN, venue.INSTRUMENTS_EVERY_S / self._rate)
        while True:
            try:
                await instruments.publish(sorted(self._symbols_now()))
                await asyncio.sleep(every_s)
                await instruments.read()
                if instruments.listed:
                    self._drop_unlisted("the venue doesn't list it any more", self._symbols_now())
            except VenueError as error:
                self._complaints.tell("venue does not answer", str(error), letter=False)
                await asyncio.sleep(venue.INSTRUMENTS_EVERY_S_MIN)

    async def _tick(self, repair: Repair, rest: Rest) -> None:
        measured = 0.0
        while True:
            for shard in self._shards:
                shard.tick()
            with contextlib.suppress(LostError):  # Kafka is away: looked at again
                await thaw(self._context.installation, self._tickers.values())
            if time.monotonic() - measured >= MEASURE_S:
                measured = time.monotonic()
                self._measure(repair, rest)
            await asyncio.sleep(TICK_S)

    def _measure(self, repair: Repair, rest: Rest) -> None:
        context, now = self._context, self._clock.now()
        newest = measured(self._outputs, now, context.metrics)
        for endpoint, left in rest.left.items():
            context.metrics.set("chandler_ingest_requests_left", left, endpoint=endpoint)
        rest.left.clear()
        weight = sum(rest.weight.values())
        context.metrics.add("chandler_ingest_request_weight_total", weight - self._weight)
        self._weight = weight
        throttled = sum(rest.throttled.values())
        if throttled > self._throttled:
            ages = " ".join(f"{each} {(now - newest[each]) / 1_000:.0f} s" for each in newest)
            detail = (
                f"{throttled - self._throttled} answers 429; what is out is old: {ages}; waiting"
            )
            self._complaints.tell(LIMITED, detail, letter=False)
        self._throttled = throttled
        untrusted = sum(not shard.trust.trusted for shard in self._shards)
        context.metrics.set("chandler_ingest_untrusted", untrusted)
        context.health.lag = repair.open
        if not context.health.ready:
            self._look_at_backfill()
        sent_at = max((output.sent_at for output in self._outputs), default=0.0)
        if sent_at:
            context.health.age_s = time.monotonic() - sent_at

    def _look_at_backfill(self) -> None:
        """Ready when nearly all symbols are out: a few may wait for what the venue lacks."""
        health, share = self._context.health, self._caught_up()
        if self._set_up and share >= CAUGHT_UP_SHARE:
            health.ready, health.state = True, "ready"
        elif self._working and health.state.startswith(BACKFILLING):
            health.state = f"{BACKFILLING} {share * 100:.0f} %"

    async def _close(self) -> None:
        for output in self._outputs:
            await output.outbox.close()

    async def drain(self) -> None:
        """Waits until no transaction is open."""
        if self._working:
            await asyncio.gather(*(output.closed() for output in self._outputs))
