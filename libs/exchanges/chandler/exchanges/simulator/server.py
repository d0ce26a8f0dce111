"""The simulator: the venue's WebSocket and REST on one loopback port, and the clock that drives it.

async with Simulator(config, data, port) as simulator:
    ...  # simulator.rest_url, simulator.ws_url
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from chandler.exchanges.simulator.admin import Admin, answer
from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.config import (
    TICKS_PER_SECOND_MAX,
    SimulatorConfig,
    SimulatorError,
)
from chandler.exchanges.simulator.faults import Faults, parse_faults
from chandler.exchanges.simulator.instruments import Quotes
from chandler.exchanges.simulator.market import Market, start_ms
from chandler.exchanges.simulator.player import Player
from chandler.exchanges.simulator.private import stream
from chandler.exchanges.simulator.private.course import Course
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.rest import PrivateRest
from chandler.exchanges.simulator.private.stream import PrivateSockets
from chandler.exchanges.simulator.recording import SHIPPED, read_recording
from chandler.exchanges.simulator.rest import Rest
from chandler.exchanges.simulator.sockets import Sockets

HOST = "127.0.0.1"
CLOCK_FILE = "simulator-clock.json"
SOCKET_PATH = "/v2/ws/public"
ACCOUNTS = ("demo",)  # that there are anyway
HOUSEKEEPING_S = 0.2


class Simulator:
    """A venue for one installation; `data` None: the clock's place is kept nowhere."""

    def __init__(
        self,
        config: SimulatorConfig,
        data: Path | None,
        port: int,
        log: logging.Logger | None = None,
        accounts: tuple[str, ...] = (),
        host: str = HOST,
    ) -> None:
        """`accounts`: names of those to have beside "demo". Reads the candles.

        SimulatorError says what is wrong with the configuration.
        """
        if config.symbols < 1:
            raise SimulatorError(f"simulator.symbols is {config.symbols}: expected at least 1")
        if not 1 <= config.ticks_per_second_max <= TICKS_PER_SECOND_MAX:
            raise SimulatorError(
                f"simulator.ticks_per_second_max is {config.ticks_per_second_max}: "
                f"expected 1 to {TICKS_PER_SECOND_MAX}"
            )
        self.config = config
        self.host = host  # listened on
        self.port = port  # 0: any free one, known once started
        self.log = log or logging.getLogger("simulator")
        file = Path(config.candles) if config.candles else SHIPPED
        recording = read_recording(file, config.symbols, config.seed)
        self.market = Market(recording, config.seed, config.loop)
        clock_file = data / CLOCK_FILE if data else None
        self.clock = VenueClock(clock_file, start_ms(config, recording), config.speed)
        quotes = Quotes(self.market)
        self.sockets = Sockets(self.market, quotes, lambda: self.player.shown_ms())
        self.rest = Rest(self.market, quotes, self.clock)
        self.exchange = Exchange(self.market, quotes, data)
        self.course = Course(self.exchange, self.clock)
        self.private = PrivateRest(self.exchange, self.course)
        self.private_sockets = PrivateSockets(
            self.exchange, self.course, lambda: self.sockets.limits
        )
        self._accounts = tuple(dict.fromkeys((*ACCOUNTS, *accounts)))
        self.player = Player(self.market, self.clock, self.sockets, quotes)
        self.faults_text, self.faults_seed = "", config.seed
        self._apply(config.faults, parse_faults(config.faults), since_ms=0)
        self._space()
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def rest_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}{SOCKET_PATH}"

    async def __aenter__(self) -> Self:
        self.exchange.open(self._accounts)
        app = web.Application(middlewares=[_errors])
        app.router.add_get(SOCKET_PATH, self.sockets.serve)
        app.router.add_get(stream.SOCKET_PATH, self.private_sockets.serve)
        Admin(self).add_routes(app.router)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            self.exchange.close()
            raise SimulatorError(
                f"port {self.port} can't be used ({error.strerror}): end what uses it, or set "
                "CHANDLER_PORT_BASE to another number"
            ) from None
        self.port = self._runner.addresses[0][1]
        self._tasks = [
            asyncio.create_task(self.player.run(), name="player"),
            asyncio.create_task(self.sockets.keep_house(), name="housekeeping"),
            asyncio.create_task(self.course.run(), name="accounts"),
            asyncio.create_task(self._keep_house(), name="private housekeeping"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.sockets.close_all()
        self.private_sockets.close_all()
        if self._runner is not None:
            await self._runner.cleanup()
        self.exchange.commit()
        self.exchange.close()
        self.clock.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """What needs a key, and everything else."""
        if self.private.knows(request.path):
            return await self.private.answer(request)
        return await self.rest.answer(request)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self.private_sockets.keep_house()

    async def failed(self) -> None:
        """Returns never; raises what ended the player or the housekeeping."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def set_faults(self, text: str, seed: int | None) -> Faults:
        """These from now on; what the venue already had it keeps."""
        faults = parse_faults(text)
        if seed is not None:
            self.faults_seed = seed
        return self._apply(text, faults, since_ms=self.clock.now())

    def set_speed(self, speed: float) -> None:
        """From now on; the ticks are spaced anew with the next candle."""
        self.clock.set_speed(speed)
        self._space()

    def state(self) -> dict[str, Any]:
        """What is going on, for people and metrics."""
        now, recording = self.clock.now(), self.market.recording
        counts: Counter[str] = self.sockets.counts + self.rest.counts + self.player.counts
        counts += self.private.counts + self.private_sockets.counts + self.exchange.counts
        return {
            "now_ms": now,
            "speed": self.clock.speed,
            "symbols": self.market.symbols,
            "delisted": self.market.delisted,
            "connections": len(self.sockets.sessions),
            "private_connections": len(self.private_sockets.sessions),
            "accounts": list(self.exchange.accounts),
            "subscriptions": sum(len(session.feeds) for session in self.sockets.sessions),
            "faults": self.faults_text,
            "seed": self.config.seed,
            "cadence": self.market.cadence.text,
            "recording": {"origin_ms": recording.origin_ms, "length_ms": recording.length_ms},
            "round": (now - recording.origin_ms) // recording.length_ms,
            "counts": dict(sorted(counts.items())),
        }

    def _apply(self, text: str, faults: Faults, since_ms: int) -> Faults:
        self.faults_text = text
        self.market.lack(faults.missing, self.faults_seed, since_ms)
        self.sockets.set_faults(faults, self.faults_seed)
        self.rest.set_faults(faults)
        self.exchange.set_faults(faults, self.faults_seed)
        self.private.set_faults(faults)
        self.private_sockets.set_faults(faults, self.faults_seed)
        return faults

    def _space(self) -> None:
        self.player.set_cadence(self.config.ticks_per_second_max)
        self.log.info(
            "%d symbols at %g x: %s",
            len(self.market.symbols),
            self.clock.speed,
            self.market.cadence.text,
        )


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What an admin endpoint can't do is said in one line."""
    try:
        return await handler(request)
    except SimulatorError as error:
        return answer({"error": str(error)}, 400)
