"""The simulator's own endpoints, below /admin/: not part of the venue, for tests and people."""

from typing import Any, Protocol

import msgspec
import orjson
from aiohttp import web

from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.faults import Faults
from chandler.exchanges.simulator.instruments import row_strings
from chandler.exchanges.simulator.market import SPACINGS, Market
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.sockets import Limits, Sockets


class Controls(Protocol):
    """What the endpoints turn: the simulator."""

    clock: VenueClock
    market: Market
    sockets: Sockets
    faults_text: str
    faults_seed: int

    def set_faults(self, text: str, seed: int | None) -> Faults: ...
    def set_speed(self, speed: float) -> None: ...
    def state(self) -> dict[str, Any]: ...


class Admin:
    """Answers with plain JSON; what can't be done is 400 with {"error": one line}."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """All of them."""
        for method, path, handler in (
            ("GET", "/admin/state", self._state),
            ("GET", "/admin/clock", self._clock),
            ("POST", "/admin/clock", self._set_clock),
            ("GET", "/admin/faults", self._faults),
            ("POST", "/admin/faults", self._set_faults),
            ("DELETE", "/admin/faults", self._clear_faults),
            ("GET", "/admin/limits", self._limits),
            ("POST", "/admin/limits", self._set_limits),
            ("POST", "/admin/delist", self._delist),
            ("DELETE", "/admin/delist", self._relist),
            ("GET", "/admin/candles", self._candles),
            ("GET", "/admin/missing", self._missing),
        ):
            router.add_route(method, path, handler)

    async def _state(self, _: web.Request) -> web.Response:
        return answer(self._controls.state())

    async def _clock(self, _: web.Request) -> web.Response:
        clock = self._controls.clock
        return answer({"now_ms": clock.now(), "speed": clock.speed})

    async def _set_clock(self, request: web.Request) -> web.Response:
        """{"speed"?, "now_ms"?}: another speed, a jump forward."""
        body = await _body(request, {"speed": float, "now_ms": int})
        if "speed" in body:
            self._controls.set_speed(body["speed"])
        if "now_ms" in body:
            self._controls.clock.advance(body["now_ms"])
        return await self._clock(request)

    async def _faults(self, _: web.Request) -> web.Response:
        controls = self._controls
        return answer({"spec": controls.faults_text, "seed": controls.faults_seed})

    async def _set_faults(self, request: web.Request) -> web.Response:
        """{"spec", "seed"?}: these from now on; `missing` for the slots to come."""
        body = await _body(request, {"spec": str, "seed": int})
        if "spec" not in body:
            raise SimulatorError('expected {"spec": "cut=20s,drop=5%", "seed": 1}, found no spec')
        self._controls.set_faults(body["spec"], body.get("seed"))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._controls.set_faults("", None)
        return await self._faults(request)

    async def _limits(self, _: web.Request) -> web.Response:
        return answer(msgspec.to_builtins(self._controls.sockets.limits))

    async def _set_limits(self, request: web.Request) -> web.Response:
        """Some of the limits on connections, in wall time."""
        sockets = self._controls.sockets
        try:
            given = msgspec.to_builtins(sockets.limits) | orjson.loads(await request.read())
            sockets.limits = msgspec.convert(given, Limits)
        except (ValueError, TypeError) as error:
            raise SimulatorError(f"limits: {error}: expected some of those of GET") from None
        return await self._limits(request)

    async def _delist(self, request: web.Request) -> web.Response:
        """{"symbol"}: it is off from now on."""
        index, symbol = self._named(await _body(request, {"symbol": str}))
        controls = self._controls
        controls.market.delisted.setdefault(symbol, controls.clock.now())
        controls.sockets.drop_symbol(index)
        return answer({"delisted": controls.market.delisted})

    async def _relist(self, request: web.Request) -> web.Response:
        _, symbol = self._named(await _body(request, {"symbol": str}))
        self._controls.market.delisted.pop(symbol, None)
        return answer({"delisted": self._controls.market.delisted})

    async def _candles(self, request: web.Request) -> web.Response:
        """?symbol=&granularity=&limit=: the final candles up to now, as the venue has them."""
        index, _ = self._named(dict(request.query))
        spacing = SPACINGS.get(request.query.get("granularity", "5m"))
        limit = request.query.get("limit", "1000")
        if spacing is None or not limit.isdigit():
            raise SimulatorError(f"expected granularity from {' '.join(SPACINGS)}, limit of digits")
        now = self._controls.clock.now()
        bars = self._controls.market.bars(index, spacing, now, int(limit), now)
        return answer([row_strings(bar) for bar in bars])

    async def _missing(self, request: web.Request) -> web.Response:
        """?from_ms=: open times of the 5m slots up to now that the venue lacks, by symbol."""
        market = self._controls.market
        text = request.query.get("from_ms", "0")
        if not text.isdigit():
            raise SimulatorError(f"from_ms is {text!r}: expected ms since 1970")
        first = max(int(text), market.recording.origin_ms) // SLOT_MS
        slots = range(first, self._controls.clock.now() // SLOT_MS)
        lacking = {
            symbol: [
                slot * SLOT_MS
                for slot in slots
                if market.candle(index, slot) is None
                and slot * SLOT_MS >= market.first_open_ms(index)
            ]
            for index, symbol in enumerate(market.symbols)
        }
        return answer({symbol: opens for symbol, opens in lacking.items() if opens})

    def _named(self, body: dict[str, Any]) -> tuple[int, str]:
        symbol = body.get("symbol", "")
        index = self._controls.market.index.get(symbol)
        if index is None:
            raise SimulatorError(
                f"symbol {symbol!r} isn't known: /admin/state lists those that are"
            )
        return index, symbol


def answer(data: Any, status: int = 200) -> web.Response:
    """Plain JSON."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


async def _body(request: web.Request, expected: dict[str, type]) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    names = ", ".join(f"{name}: {kind.__name__}" for name, kind in expected.items())
    if not isinstance(body, dict) or set(body) - set(expected):
        raise SimulatorError(f"expected a JSON object with {names}")
    try:
        return {name: msgspec.convert(value, expected[name]) for name, value in body.items()}
    except msgspec.ValidationError as error:
        raise SimulatorError(f"expected a JSON object with {names}: {error}") from None
