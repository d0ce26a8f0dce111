"""The private REST endpoints: keys, signatures, limits by account; and what goes wrong with them.

Signatures and their 30 s are wall time; limits are per second of the venue's clock. An answer
leaves only after what it tells is on disk.
"""

import asyncio
import time
from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

from chandler.exchanges.simulator.faults import AMBIGUOUS_CODES, Faults
from chandler.exchanges.simulator.private.account import Account
from chandler.exchanges.simulator.private.checks import Call
from chandler.exchanges.simulator.private.course import Course
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.keys import is_signed
from chandler.exchanges.simulator.private.orders import PREFIX, Endpoint, Orders
from chandler.exchanges.simulator.private.plans import Plans
from chandler.exchanges.simulator.private.records import Receipt
from chandler.exchanges.simulator.private.settings import Settings
from chandler.exchanges.simulator.rest import (
    SUCCESS,
    TOO_MANY,
    UNVERIFIED,
    VenueError,
    respond,
)

WINDOW_MS = 30_000  # a signature is valid so long, before and after its time
NO_REPLY_S = 120.0  # then a request that is not answered is cut
LOOK_S = 0.1  # at whether its sender is still there
BODY_BYTES_MAX = 1 << 20
UNIFIED = "40085"
PLACE, PLACE_MANY = f"{PREFIX}/place-order", f"{PREFIX}/batch-place-order"


class Request(NamedTuple):
    """What came in, before anything of it is believed."""

    method: str
    path: str
    query: str  # as it was sent
    body: bytes
    headers: dict[str, str]  # names in lower case

    def signed_ms(self) -> int:
        """The time that was signed; -1 if that is none."""
        text = self.headers.get("access-timestamp", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1


class PrivateRest:
    """Answers what needs a key."""

    def __init__(self, exchange: Exchange, course: Course) -> None:
        self.counts: Counter[str] = Counter()
        self._exchange = exchange
        self._course = course
        self._orders = Orders(exchange)
        self._settings = Settings(exchange)
        self._endpoints: dict[str, Endpoint] = (
            self._orders.endpoints() | Plans(exchange).endpoints() | self._settings.endpoints()
        )
        self._taken: dict[tuple[str, str], tuple[int, int]] = {}
        self._faults = Faults()
        self._started = time.monotonic()

    def knows(self, path: str) -> bool:
        """Whether a path is one of these."""
        return path in self._endpoints

    def set_faults(self, faults: Faults) -> None:
        """Storms begin to count from now."""
        self._faults = faults
        self._started = time.monotonic()

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        """One request, from its receipt to its answer, or to none."""
        request = await _read(incoming)
        self.counts[f"rest {request.path.rpartition('/')[2]}"] += 1
        endpoint = self._endpoints[request.path]
        faults = self._exchange.faults
        await asyncio.sleep(faults.stuck_s() if endpoint.trades else 0.0)
        places = request.path == PLACE
        outcome = faults.outcome(places=places) if endpoint.trades else ""
        response = self._answered(request, endpoint, outcome)
        await asyncio.sleep(faults.slow_s())
        if response.status == 200 and outcome in ("noreply", "hangup"):
            self.counts[outcome] += 1
            await _fall_silent(incoming, NO_REPLY_S if outcome == "noreply" else 0.0)
        return response

    def _answered(self, request: Request, endpoint: Endpoint, outcome: str) -> web.Response:
        """Does it and puts it on disk; nothing else comes between."""
        now = self._course.advance()
        wall_ms = self._exchange.wall_ms()
        account = self._exchange.by_key.get(request.headers.get("access-key", ""))
        left, args, data, error = 0, {}, None, VenueError(SUCCESS, "success", 200)
        try:
            self._check_storm()
            args = _arguments(request)
            sender = self._sender(request, wall_ms)
            left = self._take(sender, request.path, endpoint.per_second, now)
            if request.method != endpoint.method:
                raise VenueError(UNVERIFIED, "Request method is not supported", 405)
            data = self._carried_out(Call(sender, args, now), endpoint, outcome)
        except VenueError as refused:
            error = refused
        told = error
        code = outcome.removeprefix("!")
        if error.code == SUCCESS and code in AMBIGUOUS_CODES:
            self.counts["ambiguous"] += 1
            told = VenueError(code, "System release error" if code == "40725" else "unknown error")
        self._receive(request, account, args, data, error, outcome, wall_ms)
        self._exchange.commit()
        if error.code == TOO_MANY:
            self.counts["rest_429"] += 1
        shown = data if told.code == SUCCESS else None
        return respond(now, left, told.code, told.message, shown, told.status)

    def _carried_out(self, call: Call, endpoint: Endpoint, outcome: str) -> Any:
        """The data of the answer; what the faults keep from happening is only looked at."""
        if outcome == "vanish":
            draft = self._orders.check(call)
            self.counts["vanish"] += 1
            venue_id = str(self._exchange.next_id())
            return {"clientOid": draft.client_oid or venue_id, "orderId": venue_id}
        if outcome.startswith("!"):
            return None
        return endpoint.answer(call)

    def _check_storm(self) -> None:
        storm = self._faults.storm429
        if storm is not None and storm.covers(time.monotonic() - self._started):
            raise VenueError(TOO_MANY, "Too Many Requests", 429)

    def _sender(self, request: Request, wall_ms: int) -> Account:
        """The account whose key signed this, in time. VenueError."""
        headers = request.headers
        key = headers.get("access-key", "")
        if not key:
            raise VenueError("40006", "Invalid ACCESS_KEY")
        account = self._exchange.by_key.get(key)
        if account is None:
            raise VenueError("40037", "Apikey does not exist")
        if account.settings.unified:
            raise VenueError(
                UNIFIED,
                "You are in Unified Account mode, and the Classic Account API is not supported "
                "at this time",
            )
        signed_ms = request.signed_ms()
        if signed_ms < 0:
            raise VenueError("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(wall_ms - signed_ms) > WINDOW_MS:
            raise VenueError("40008", "Request timestamp expired")
        if headers.get("access-passphrase", "") != account.keys.passphrase:
            raise VenueError("40012", "apikey/password is incorrect")
        head = headers["access-timestamp"] + request.method + request.path
        query = f"?{request.query}" if request.query else ""
        body = request.body.decode("utf-8", "replace")
        texts = {head + query + body, head + unquote_plus(query) + body}  # ccxt signs the latter
        if not is_signed(account.keys.secret, headers.get("access-sign", ""), *texts):
            raise VenueError("40009", "sign signature error")
        return account

    def _take(self, account: Account, path: str, per_second: int, now: int) -> int:
        """Takes one request of this second; how many are left. VenueError 429."""
        kept, count = self._taken.get((account.name, path), (0, 0))
        second = now // 1000
        count = count + 1 if kept == second else 1
        self._taken[account.name, path] = (second, count)
        if count > per_second:
            raise VenueError(TOO_MANY, "Too Many Requests", 429)
        return per_second - count

    def _receive(
        self,
        request: Request,
        account: Account | None,
        args: dict[str, Any],
        data: Any,
        error: VenueError,
        outcome: str,
        wall_ms: int,
    ) -> None:
        """Writes down each order that somebody asked for: the truth that tests count by."""
        if request.path not in (PLACE, PLACE_MANY):
            return
        items: list[tuple[str, str, str]] = []  # clientOid, code, order id
        if error.code == SUCCESS and request.path == PLACE_MANY and isinstance(data, dict):
            items += [(i["clientOid"], SUCCESS, i["orderId"] or "0") for i in data["successList"]]
            items += [(str(i["clientOid"]), i["errorCode"], "0") for i in data["failureList"]]
        else:
            said = data if isinstance(data, dict) else {}
            name = str(said.get("clientOid") or args.get("clientOid") or "")
            code = error.code
            if code == SUCCESS and (outcome == "vanish" or outcome.startswith("!")):
                code = outcome.removeprefix("!")
            venue_id = said.get("orderId") or "0"
            if code == SUCCESS and venue_id == "0" and account is not None:  # it displaced others
                order = account.order(client_oid=name)
                venue_id = "0" if order is None else str(order.id)
            items.append((name, code, venue_id if code == SUCCESS else "0"))
        codes = {"noreply": "nothing", "hangup": "nothing"}
        for name, code, order_id in items:
            told = code if code != SUCCESS else codes.get(outcome, outcome.removeprefix("!"))
            self._exchange.store.receive(
                Receipt(
                    account="" if account is None else account.name,
                    client_oid=name,
                    wall_ms=wall_ms,
                    signed_ms=request.signed_ms(),
                    outcome=code,
                    answered=SUCCESS if told in ("", "vanish") else told,
                    order=int(order_id),
                )
            )


async def _read(incoming: web.Request) -> Request:
    body = await incoming.content.read(BODY_BYTES_MAX + 1)
    while not incoming.content.at_eof() and len(body) <= BODY_BYTES_MAX:
        body += await incoming.content.read(BODY_BYTES_MAX)
    path, _, query = incoming.raw_path.partition("?")
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    return Request(incoming.method, path, query, body, headers)


def _arguments(request: Request) -> dict[str, Any]:
    """The query's parameters, or the body's."""
    if request.method != "POST":
        pairs = (part.partition("=") for part in request.query.split("&") if part)
        return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}
    try:
        args = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError:
        args = None
    if not isinstance(args, dict) or len(request.body) > BODY_BYTES_MAX:
        raise VenueError(UNVERIFIED, "Parameter verification failed")
    return args


async def _fall_silent(incoming: web.Request, length_s: float) -> None:
    """Says nothing until the client has gone, or for so long; then the connection is cut."""
    until = time.monotonic() + length_s
    while time.monotonic() < until:
        transport = incoming.transport
        if transport is None or transport.is_closing():
            return
        await asyncio.sleep(LOOK_S)
    if incoming.transport is not None:
        incoming.transport.abort()
