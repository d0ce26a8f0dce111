"""Sends signed requests: orders once and never again, questions again while that makes sense.

Rates are counted by account and endpoint, in wall time (bitget-api §4.2).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from chandler.core.trading.broker import Reply, Unknown
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.config import is_local
from chandler.exchanges.bitget.pacing import Backoff, Budget, BudgetFullError
from chandler.exchanges.bitget.rest import Answer, read_answer, read_body
from chandler.exchanges.bitget.trade.config import TradeConfig
from chandler.exchanges.bitget.trade.replies import CODE_EXPIRED, now_ms, reply
from chandler.exchanges.bitget.trade.signing import Ask, Signed, Signer

TIMEOUT_S = 10.0  # of one answer
KEEP_ALIVE_S = 10.0  # an idle connection older than this may be dead, and an order with it
TRIES_MAX = 4  # of one question
CONNECTIONS_MAX = 8
PER_SECOND = 10.0  # of an endpoint that isn't named below
PER_SECOND_OF = {"all-position": 5.0, "set-leverage": 5.0, "set-margin-mode": 5.0, "info": 1.0}
BURST = 0.3  # of a second's requests
CODES_AGAIN = errors.CODES_PASSING | {CODE_EXPIRED, ""}  # "": no answer at all
RETRY = Backoff(first_s=0.3, most_s=5.0, floor_s=0.1)
THROTTLED = Backoff(first_s=1.0, most_s=60.0)


class Raw(NamedTuple):
    """An answer as it came."""

    status: int
    body: bytes


class Client:
    """An account's way to the venue. `skew_ms` is the venue's wall clock less ours."""

    def __init__(
        self, config: TradeConfig, signer: Signer, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.skew_ms = 0
        self.resync: Callable[[], Awaitable[object]] | None = None  # measures the skew anew
        self.requests: Counter[str] = Counter()  # made, by endpoint
        self._config = config
        self._signer = signer
        self._random = Random()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._budgets: dict[str, Budget] = {}
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=not is_local(self._config.rest_url),
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def venue_now(self) -> int:
        """The venue's wall clock, ms: what a question is signed with."""
        return now_ms() + self.skew_ms

    async def order(self, order: str, ask: Ask, at_ms: int) -> Reply:
        """Signs with `at_ms`, sends exactly that once, and says what became of it. Never raises.

        A cancelled call leaves the outcome unknown, as a crash does.
        """
        signed = self._signer.sign(ask, at_ms)
        try:
            await self._take(ask.endpoint)
            raw = await self._send(ask.endpoint, signed)
        except errors.VenueError as error:
            return Unknown(id=order, reason=str(error), at=self.venue_now())
        return reply(order, ask.endpoint, raw.status, raw.body)

    async def ask(self, ask: Ask) -> Answer:
        """The answer to a question, asked again while that makes sense; raises VenueError."""
        failures = 0
        while True:
            try:
                return await self.once(ask)
            except errors.RateLimited:
                failures += 1
                if failures >= TRIES_MAX:
                    raise
                budget = self._budget(ask.endpoint)
                budget.hold(THROTTLED.wait_s(failures, self._random))
            except (errors.VenueUnreachable, errors.VenueRefused) as error:
                code = error.code if isinstance(error, errors.VenueRefused) else ""
                failures += 1
                if failures >= TRIES_MAX or code not in CODES_AGAIN:
                    raise
                if code == CODE_EXPIRED and self.resync is not None:
                    await self.resync()
                await asyncio.sleep(RETRY.wait_s(failures, self._random))

    async def once(self, ask: Ask) -> Answer:
        """One try of a question, or of a setting that can be made twice; raises VenueError."""
        await self._take(ask.endpoint)
        raw = await self._send(ask.endpoint, self._signer.sign(ask, self.venue_now()))
        return read_answer(ask.endpoint, raw.status, raw.body)

    async def _take(self, endpoint: str) -> None:
        try:
            await self._budget(endpoint).take()
        except BudgetFullError as error:
            raise errors.RateLimited(f"{endpoint}: {error}") from None

    def _budget(self, endpoint: str) -> Budget:
        if endpoint not in self._budgets:
            most = 2.0 * PER_SECOND_OF.get(endpoint, PER_SECOND)
            self._budgets[endpoint] = Budget(most, 2.0, burst=max(1.0, BURST / 2 * most))
        return self._budgets[endpoint]

    async def _send(self, endpoint: str, signed: Signed) -> Raw:
        """The bytes of `signed`, once. Redirects aren't followed: they would send them twice."""
        assert self._session is not None, "open the client first"
        self.requests[endpoint] += 1
        try:
            async with self._session.request(
                signed.method,
                URL(signed.url, encoded=True),
                data=signed.body,
                headers=signed.headers,
                allow_redirects=False,
            ) as response:
                return Raw(response.status, await read_body(response))
        except TimeoutError:
            raise errors.VenueUnreachable(
                f"{endpoint}: no answer within {self._timeout.total:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise errors.VenueUnreachable(f"{endpoint}: {said}") from None


def rows(answer: Answer, *names: str) -> list[dict[str, Any]]:
    """The list in an answer, wherever it keeps it; null, which the venue sends for none, is empty.

    VenueUnreachable if there is none.
    """
    data: Any = answer.data
    if isinstance(data, dict):
        found = [data[name] for name in names if name in data]
        data = found[0] if found else data
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise errors.VenueUnreachable(f"expected a list of rows, found {str(data)[:60]}")
    return data
