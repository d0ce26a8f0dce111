"""What is asked of the venue beside candles: its clock, symbols, instruments and funding."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import msgspec

from chandler.core.events import Instrument, Symbol
from chandler.core.ingest.plan import most_traded
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.errors import VenueError
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.rest import Rest
from chandler.exchanges.simulator.server import SOCKET_PATH
from chandler.streams.settings import PORT_SIMULATOR, Installation, SettingsError
from chandler.streams.writing import Record, Sender
from services.ingest.clock import Clock
from services.ingest.complaints import Complaints
from services.profile import IngestConfig, Profile

LOOK_EVERY_S = 30.0  # at the venue's clock
LOOK_EVERY_S_MIN = 0.5
CLOCK_OFF_WALL_MS_MAX = 500  # of wall time; more is worth a line
INSTRUMENTS_EVERY_S = 600.0  # of venue time
INSTRUMENTS_EVERY_S_MIN = 20.0  # of wall time
TRADED = frozenset({"normal", "listed", "limit_open", "maintain", "restrictedapi", ""})
RETRY = Backoff(first_s=0.5, most_s=10.0, floor_s=0.1)

T = TypeVar("T")


def venue_config(profile: Profile, installation: Installation) -> VenueConfig:
    """The profile's venue, or this installation's simulator where the profile names no URLs."""
    venue = profile.venue
    if venue.rest_url and venue.ws_url:
        return venue
    if profile.simulator is None:
        raise SettingsError(
            f"profile {profile.name} has no [simulator] and doesn't name venue.rest_url and "
            "venue.ws_url: set them, or add a simulator"
        )
    host = f"{installation.simulator_host}:{installation.port(PORT_SIMULATOR)}"
    return msgspec.structs.replace(
        venue,
        rest_url=venue.rest_url or f"http://{host}",
        ws_url=venue.ws_url or f"ws://{host}{SOCKET_PATH}",
    )


async def patiently(call: Callable[[], Awaitable[T]], log: logging.Logger, what: str) -> T:
    """Calls until the venue answers; says once in a while that it doesn't."""
    failures = 0
    random = Random()
    while True:
        try:
            return await call()
        except VenueError as error:
            failures += 1
            if failures == 1 or failures % 10 == 0:
                log.warning("%s: %s; trying again", what, error)
            await asyncio.sleep(RETRY.wait_s(failures, random))


async def choose_symbols(
    config: IngestConfig, rest: Rest, listed: dict[Symbol, Instrument], complaints: Complaints
) -> list[Symbol]:
    """The configured symbols that the venue lists, or the most traded ones. VenueError."""
    if not config.symbols:
        tickers = await rest.tickers()
        volumes = {each.symbol: each.quote_volume_24h for each in tickers if each.symbol in listed}
        return most_traded(volumes, config.top)
    symbols = [Symbol(each) for each in dict.fromkeys(config.symbols)]
    for symbol in symbols:
        if symbol not in listed:
            detail = f"{symbol}: the venue doesn't list it, take it out of ingest.symbols"
            complaints.tell("unknown symbol", detail)
    return [symbol for symbol in symbols if symbol in listed]


class Instruments:
    """Publishes instruments and funding, each where it has changed."""

    def __init__(self, rest: Rest, sender: Sender) -> None:
        self.listed: dict[Symbol, Instrument] = {}
        self._rest = rest
        self._sender = sender
        self._instruments: dict[Symbol, Instrument] = {}  # as published
        self._funding: dict[Symbol, tuple[str, int, int]] = {}

    async def read(self) -> None:
        """What the venue lists now. VenueError."""
        contracts = await self._rest.contracts()
        self.listed = {each.symbol: each for each in contracts if each.status.lower() in TRADED}

    async def publish(self, symbols: list[Symbol]) -> None:
        """The symbols' instruments and funding rates. VenueError."""
        for symbol in symbols:
            instrument = self.listed.get(symbol)
            if instrument is None:
                continue
            before = self._instruments.get(symbol)
            if (
                before is None
                or msgspec.structs.replace(instrument, seen_at=before.seen_at) != before
            ):
                self._instruments[symbol] = instrument
                self._sender.send(Record("instruments", symbol, instrument))
        wanted = set(symbols)
        for rate in await self._rest.funding():
            key = (rate.rate, rate.interval_h, rate.next_ms)
            if rate.symbol in wanted and self._funding.get(rate.symbol) != key:
                self._funding[rate.symbol] = key
                self._sender.send(Record("funding", rate.symbol, rate))


async def keep_time(
    clock: Clock, rest: Rest, sooner: asyncio.Event, log: logging.Logger, *, simulated: bool
) -> None:
    """Looks at the venue's clock every LOOK_EVERY_S, or `sooner`, until it is cancelled."""
    while True:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await sooner.wait()
        except TimeoutError:
            pass
        await asyncio.sleep(LOOK_EVERY_S_MIN)
        sooner.clear()
        try:
            wrong_ms = await clock.look(rest)
            off = abs(wrong_ms) > CLOCK_OFF_WALL_MS_MAX * clock.rate
            if off and simulated:
                await clock.measure(rest)
        except VenueError as error:
            log.info("the venue's clock could not be read: %s", error)
            continue
        if off:
            off_s = wrong_ms / 1_000
            log.warning("the venue's clock was off by %.1f s, it runs at %.4g x", off_s, clock.rate)
