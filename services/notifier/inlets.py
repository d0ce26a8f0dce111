"""Where the loop's inputs come from: topics, what people write, alerts. One task each.

None of them ends by an outage: it is waited for, said once, and said again when it is over.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

import msgspec
from aiohttp import web

from chandler.core.events import InfraEvent
from chandler.core.hashing import digest
from chandler.core.notices.words import called, one_line
from chandler.core.trading.events import NoticeAsked
from chandler.streams.reader import ReadError, follow_lanes
from chandler.streams.reader import Record as Read
from chandler.streams.settings import Installation
from services.notifier.channels.telegram import Telegram, TelegramError, pause
from services.notifier.talk import Asked

AGAIN_S = 2.0
AGAIN_S_MAX = 30.0
GRAVE_S = 60.0  # between two tries of what won't mend itself
BODY_BYTES_MAX = 256 * 1024
ALERTS_MAX = 200  # in one request
LEVELS: dict[str, Literal["info", "warning", "alarm"]] = {
    "critical": "alarm",
    "page": "alarm",
    "warning": "warning",
}


async def follow(
    installation: Installation,
    topics: tuple[str, ...],
    offsets: Callable[[], Mapping[str, int]],
    since_ms: int,
    take: Callable[[list[Read]], Awaitable[None]],
    stop: asyncio.Event,
    log: logging.Logger,
    heard: Callable[[], None],
    begun: Callable[[dict[str, int]], Awaitable[None]],
) -> None:
    """Brings records from `offsets` on until `stop`; `heard` says that Kafka answers.

    `begun` is told where partitions begin that `offsets` doesn't know yet.
    """
    while not stop.is_set():
        try:
            lanes = follow_lanes(installation, topics, offsets(), since_ms, stop, begun)
            async with aclosing(lanes) as batches:  # its consumer ends here, not at some time
                async for batch in batches:
                    heard()
                    await take(batch)
        except ReadError as error:
            log.warning("%s: tried again", error)
            await pause(AGAIN_S, stop)


class Connection:
    """Whether the other side answers; tells when that changes."""

    def __init__(
        self, name: str, instance: str, tell: Callable[[InfraEvent], Awaitable[None]]
    ) -> None:
        self._name = name
        self._instance = instance
        self._tell = tell
        self.fault = ""  # "": it answers

    async def lost(self, why: str) -> None:
        if not self.fault:
            await self._tell(self._event("connection_lost", why))
        self.fault = why

    async def back(self) -> None:
        if self.fault:
            await self._tell(self._event("connection_back", ""))
        self.fault = ""

    def _event(self, kind: Literal["connection_lost", "connection_back"], why: str) -> InfraEvent:
        return InfraEvent(
            service="notifier",
            instance=self._instance,
            kind=kind,
            at=time.time_ns() // 1_000_000,
            detail=f"{self._name}: {why}" if why else self._name,
        )


async def listen(
    telegram: Telegram,
    ask: Callable[[Asked], Awaitable[None]],
    after: Callable[[], int],
    connection: Connection,
    stop: asyncio.Event,
    log: logging.Logger,
) -> None:
    """Brings what people write and tap, one after another, until `stop`.

    Telegram forgets an update when the next question names a greater number: only what is kept is
    named, so that none is lost, and none taken twice.
    """
    wait_s = AGAIN_S
    while not stop.is_set():
        try:
            asked = await _unless(stop, telegram.asked(after(), time.time_ns() // 1_000_000))
        except TelegramError as error:
            log.log(logging.ERROR if error.grave else logging.WARNING, "%s", error)
            await connection.lost(str(error))
            rest_s = GRAVE_S if error.grave else error.retry_after_s or wait_s
            await pause(rest_s, stop)
            wait_s = min(wait_s * 2, AGAIN_S_MAX)
            continue
        if asked is None:
            return
        wait_s = AGAIN_S
        await connection.back()
        for at, each in enumerate(asked):
            followed = any(later.chat_id == each.chat_id for later in asked[at + 1 :])
            await ask(msgspec.structs.replace(each, followed=followed))


async def _unless(stop: asyncio.Event, work: Awaitable[list[Asked]]) -> list[Asked] | None:
    """What the work gives; None where the stop came first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for each in (working, stopping):
            each.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


class AlertServer:
    """Alertmanager's webhook: POST /alertmanager, each alert once as a notice."""

    def __init__(
        self,
        host: str,
        port: int,
        take: Callable[[list[NoticeAsked]], Awaitable[None]],
        secret: str = "",
    ) -> None:
        """`secret`: what `Authorization: Bearer` has to bring; "": nothing."""
        self._host, self._port = host, port
        self._take = take
        self._secret = secret
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "AlertServer":
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/alertmanager", self._alerts)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        return self._port

    async def _alerts(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if self._secret and not hmac.compare_digest(given, f"Bearer {self._secret}".encode()):
            return web.Response(status=401, text="expected Authorization: Bearer SECRET\n")
        try:
            notices = notices_of(await request.read(), time.time_ns() // 1_000_000)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return web.Response(
                status=400, text=f"expected Alertmanager's JSON: {one_line(str(error))}\n"
            )
        await self._take(notices)
        return web.Response(text=f"taken: {len(notices)}\n")


class _Alert(msgspec.Struct):
    status: str = "firing"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    fingerprint: str = ""
    starts_at: str = msgspec.field(default="", name="startsAt")
    ends_at: str = msgspec.field(default="", name="endsAt")


class _Payload(msgspec.Struct):
    alerts: list[_Alert]


def notices_of(body: bytes, now_ms: int) -> list[NoticeAsked]:
    """Alertmanager's payload as notices; msgspec.DecodeError. An alert's state is told once."""
    found = msgspec.json.decode(body, type=_Payload).alerts
    made = [_notice(each, now_ms) for each in found[:ALERTS_MAX]]
    if len(found) > ALERTS_MAX:
        more = len(found) - ALERTS_MAX
        text = f"Alertmanager: {more} more alerts in one message"
        made.append(_asked(digest("alerts", made[0].id, str(more)), "warning", text, now_ms))
    return made


def _notice(alert: _Alert, now_ms: int) -> NoticeAsked:
    fires = alert.status == "firing"
    name = called(alert.labels.get("alertname", ""))
    words: dict[str, Any] = {**alert.annotations}
    said = words.get("summary") or words.get("description") or words.get("message") or ""
    level = LEVELS.get(alert.labels.get("severity", ""), "warning") if fires else "info"
    labels = " ".join(
        f"{key}={value}"
        for key, value in sorted(alert.labels.items())
        if key not in ("alertname", "severity")
    )
    head = one_line(f"{name}{' is over' if not fires else ''}{': ' if said else ''}{said}")
    cause = (alert.fingerprint or labels, alert.starts_at, alert.status)
    ended = alert.ends_at if not fires else ""
    text = "\n".join(each for each in (head, one_line(labels)) if each)
    return _asked(digest("alert", name, *cause, ended), level, text, now_ms)


def _asked(
    id_: str, level: Literal["info", "warning", "alarm"], text: str, now_ms: int
) -> NoticeAsked:
    return NoticeAsked(id=id_, level=level, agent="", text=text, at=now_ms)
