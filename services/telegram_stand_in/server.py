"""The stand-in: the Bot API, its control and the page on one loopback port.

async with StandIn(port=0) as stand_in:
    ...  # stand_in.url is what a bot library takes instead of the real server's address
"""

import asyncio
import contextlib
import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web

from services.telegram import STAND_IN_TOKEN, STAND_IN_USERNAME
from services.telegram_stand_in.api.asking import Asking
from services.telegram_stand_in.api.methods import KNOWN, Method, call, methods
from services.telegram_stand_in.api.parameters import read_parameters
from services.telegram_stand_in.api.writing import Writing
from services.telegram_stand_in.chats import Bot, Json
from services.telegram_stand_in.clock import Clock
from services.telegram_stand_in.control import Control
from services.telegram_stand_in.faults import Faults, Weather
from services.telegram_stand_in.limits import Limits, Throttle
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.pictures import DOCUMENT_BYTES_MAX
from services.telegram_stand_in.refusals import ApiError, too_many
from services.telegram_stand_in.webhooks import Webhook

HOST = "127.0.0.1"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
BODY_BYTES_MAX = DOCUMENT_BYTES_MAX + (1 << 20)
REFUSED_S_MAX = 600.0
CLOSE_S = 1.0
TOKEN, USERNAME = STAND_IN_TOKEN, STAND_IN_USERNAME
PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class StandInError(Exception):
    """The stand-in can't be started; one line for a person."""


class StandIn:
    """Telegram for one installation, in memory."""

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = HOST,
        names: frozenset[str] = frozenset(),
        bots: Mapping[str, str] | None = None,
        people: tuple[Person, ...] = (),
        limits: Limits | None = None,
        faults: Faults | None = None,
        clock: Clock | None = None,
        webhook_retry_s: float = 1.0,
        log: logging.Logger | None = None,
    ) -> None:
        """`bots`: usernames by token; `people`: those whom the bots know from the beginning.

        `host`: listened on; `names`: by which it is reached, beside loopback's and the host's.

        Port 0: any free one, known once started. StandInError where a token isn't one.
        """
        self.host, self.port = host, port
        self._names = LOOPBACK | {host} | names
        self.clock, self.weather = clock or Clock(), Weather(faults or Faults())
        self.bots: dict[str, Bot] = {}
        self._methods: dict[str, dict[str, Method]] = {}
        self._webhooks: list[Webhook] = []
        self._throttles: list[Throttle] = []
        self._log = log or logging.getLogger("telegram_stand_in")
        self._counts: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._refusing: asyncio.Task[None] | None = None
        for token, username in (bots or {TOKEN: USERNAME}).items():
            if not token.partition(":")[0].isdecimal() or not token.partition(":")[2]:
                raise StandInError("a token is not one: expected DIGITS:LETTERS")
            bot = Bot(token, username, self.clock, self.weather.duplicate_every)
            throttle = Throttle(limits or Limits())
            webhook = Webhook(bot.updates, self.clock.now, webhook_retry_s)
            self.bots[token] = bot
            self._throttles.append(throttle)
            self._webhooks.append(webhook)
            self._methods[token] = methods(Asking(bot, webhook), Writing(bot, throttle))
            for person in people:
                People(bot).join(person)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_guard(self._names)])
        app.router.add_get("/", self._page)
        Control(self).add_routes(app.router)
        app.router.add_get("/file/bot{token}/files/{file}", self._file)
        app.router.add_route("*", "/bot{token}/{method}", self._answer)
        # No access log: a request's address holds the token.
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=CLOSE_S, handler_cancellation=True
        )
        await self._runner.setup()
        try:
            await self._listen()
        except OSError as error:
            await self._runner.cleanup()
            raise StandInError(
                f"port {self.port} can't be used ({error.strerror}): end what uses it, or set "
                "CHANDLER_PORT_BASE to another number"
            ) from None
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._refusing is not None:
            self._refusing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refusing
        for webhook in self._webhooks:
            await webhook.close()
        if self._runner is not None:
            if self._site is not None:
                await self._site.stop()
            self._cut_all()
            await self._runner.cleanup()

    def limits(self) -> Limits:
        """Those in force, the same for all bots."""
        return self._throttles[0].limits

    def set_limits(self, limits: Limits) -> None:
        """These from now on."""
        for throttle in self._throttles:
            throttle.limits = limits

    def refuse(self, seconds: float) -> None:
        """The port is closed for so long; what was said stays."""
        if self._refusing is None or self._refusing.done():
            self._refusing = asyncio.create_task(
                self._close_port(min(max(seconds, 0.0), REFUSED_S_MAX)), name="refuse"
            )

    async def close_port(self) -> None:
        """Refuses connections until `open_port`; those that are open are cut."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self._cut_all()

    async def open_port(self) -> None:
        """Listens again, on the same port."""
        if self._site is None:
            await self._listen()

    def state(self) -> Json:
        """What is going on, for people and metrics."""
        return {
            "now_s": self.clock.now(),
            "bots": [
                bot.shown() | {
                    "chats": len(bot.chats),
                    "updates": bot.updates.made,
                    "pending": len(bot.updates),
                    "repeated": bot.updates.repeated,
                    "forgotten": bot.updates.forgotten,
                    "polling": bot.updates.opened.is_set(),
                    "webhook": bool(webhook.url),
                }
                for bot, webhook in zip(self.bots.values(), self._webhooks, strict=True)
            ],
            "counts": dict(sorted(self._counts.items())),  # answers, by method and code
            "faults": dict(sorted(self.weather.counts.items())),
        }  # fmt: skip

    async def _listen(self) -> None:
        assert self._runner is not None, "started"
        self._site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await self._site.start()

    async def _close_port(self, seconds: float) -> None:
        await self.close_port()
        await asyncio.sleep(seconds)
        await self.open_port()

    def _cut_all(self) -> None:
        server = self._runner.server if self._runner is not None else None
        for connection in list(server.connections) if server is not None else []:
            if connection.transport is not None:
                connection.transport.abort()

    async def _page(self, _: web.Request) -> web.Response:
        page = await asyncio.to_thread(PAGE.read_bytes)
        return web.Response(body=page, content_type="text/html", charset="utf-8",
                            headers=PAGE_HEADERS)  # fmt: skip

    async def _file(self, request: web.Request) -> web.Response:
        bot = self.bots.get(self._token(request))
        file = bot.files.get(request.match_info["file"]) if bot is not None else None
        if file is None:
            return _said(ApiError(404 if bot is not None else 401,
                                  "Not Found" if bot is not None else "Unauthorized"))  # fmt: skip
        return web.Response(body=file.data, content_type="application/octet-stream")

    def _token(self, request: web.Request) -> str:
        """The token as it is known, compared without telling how much of it is right."""
        given = request.match_info["token"].encode("utf-8", "replace")
        return next((token for token in self.bots if hmac.compare_digest(token.encode(), given)),
                    "")  # fmt: skip

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """One call of a method, through the faults in force."""
        asked = request.match_info["method"]
        # Names that anybody makes up are counted as one.
        name = asked if asked.lower() in KNOWN else "unknown"
        kind = self.weather.meets(name)
        if kind == "down":
            return _cut(request)
        if kind == "silence":
            await self.weather.changed()
            return _cut(request)
        if kind == "storm":
            response = _said(too_many(self.weather.faults.storm_s))
        elif kind == "server_error":
            status = HTTPStatus(self.weather.faults.server_code)
            response = _said(ApiError(status, status.phrase))
        else:
            response = await self._called(request, name)
        self._counts[f"{name} {response.status}"] += 1
        if kind == "slow":
            await asyncio.sleep(self.weather.faults.slow_s)
        return _cut(request) if kind == "lost_reply" else response

    async def _called(self, request: web.Request, name: str) -> web.Response:
        token = self._token(request)
        try:
            if not token:
                raise ApiError(401, "Unauthorized")
            given = await read_parameters(request)
            result = await call(self._methods[token], name, given)
        except ApiError as error:
            return _said(error)
        except Exception:
            self._log.exception("%s failed", name)
            return _said(ApiError(500, "Internal Server Error"))
        return web.Response(body=orjson.dumps({"ok": True, "result": result}),
                            content_type="application/json")  # fmt: skip


def _guard(names: frozenset[str]) -> Any:
    """Keeps a page out that reaches this port by a name of its own (DNS rebinding)."""

    @web.middleware
    async def guarded(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.host.rpartition(":")[0] not in names:
            expected = ", ".join(sorted(names))
            return web.Response(status=403, text=f"expected one of these as the host: {expected}")
        return await handler(request)

    return guarded


def _said(error: ApiError) -> web.Response:
    return web.Response(body=orjson.dumps(error.body()), status=error.code,
                        content_type="application/json")  # fmt: skip


def _cut(request: web.Request) -> web.Response:
    """Ends the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
