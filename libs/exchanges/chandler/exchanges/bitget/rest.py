"""Bitget's public REST: candles, tickers, contracts, within its limits.

Reads only, so what fails in passing is asked again, a bounded number of times.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import aiohttp
import msgspec
import orjson

from chandler.core.events import FundingRate, Instrument, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.exchanges.bitget import errors, symbols
from chandler.exchanges.bitget.config import VenueConfig, is_local
from chandler.exchanges.bitget.pacing import Backoff, Budget, BudgetFullError
from chandler.exchanges.bitget.parse import CandleRow, TickerPush, parse_rows, parse_ticker

CANDLES_MAX = 1000  # rows of one `candles` answer
HISTORY_MAX = 200  # rows of one `history-candles` answer; more is refused with 40053
PAGE_OVERLAP = 2  # candles that two pages share, so that none falls between them
EMPTY_PAGES_MAX = 3  # in a row; then the venue's history is taken to begin here
TRIES_RATE_LIMITED_MAX = 5  # of one request
TRIES_UNREACHABLE_MAX = 3
BODY_BYTES_MAX = 16 << 20
CONNECTIONS_MAX = 16
PER_MINUTE_MAX = 6000  # requests of all endpoints together, by IP (bitget-api §3.4)
LEFT_HEADER = "x-mbx-used-remain-limit"  # bitget-api §3.4; of the endpoint, in this second
TIMEOUT_S = 10.0  # of one answer, wall time
# The whole-IP trip lasts five minutes and looks like any other 429: so far the wait must grow.
THROTTLE = Backoff(first_s=1.0, most_s=300.0)
UNREACHABLE = Backoff(first_s=0.5, most_s=10.0, floor_s=0.1)

_MARKET = "/api/v2/mix/market/"
_ENDPOINTS = {
    "time": "/api/v2/public/time",
    "candles": _MARKET + "candles",
    "history-candles": _MARKET + "history-candles",
    "tickers": _MARKET + "tickers",
    "contracts": _MARKET + "contracts",
    "current-fund-rate": _MARKET + "current-fund-rate",
    "merge-depth": _MARKET + "merge-depth",
}

_E = TypeVar("_E")


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The book, best level first: (price, size in base coin), decimal strings."""

    symbol: Symbol
    at: int  # venue's time, ms
    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]


class Answer(NamedTuple):
    """What an answer's envelope holds."""

    data: Any
    at: int  # venue's time, ms; 0 where it states none


class _Endpoint:
    """One endpoint's budget and what became of its requests."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.throttled = 0  # answers 429 in a row
        self.held_at = float("-inf")  # when the budget was last put on hold


class Rest:
    """An async context manager. `rate` is the speed of the venue's clock.

    Every method raises the tree of errors.py and nothing else. `weight` counts requests made,
    `throttled` answers 429, `rejected` rows that can't be true, by endpoint or cause. `left` is
    the fewest requests that the venue said it would still take in that second, by endpoint, since
    somebody cleared it.
    """

    def __init__(
        self,
        config: VenueConfig,
        rate: float = 1.0,
        *,
        timeout_s: float = TIMEOUT_S,
        random: Random | None = None,
    ) -> None:
        self.weight: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.left: dict[str, int] = {}
        self._config = config
        self._random = random or Random()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._throttle = THROTTLE.scaled(rate)
        self._unreachable = UNREACHABLE.scaled(rate)
        # A faster clock shortens the venue's second; what fits into it stays the same.
        most = config.requests_per_second_max
        self._endpoints = {name: _Endpoint(Budget(most, 1.0 / rate)) for name in _ENDPOINTS}
        self._all = Budget(PER_MINUTE_MAX, 60.0 / rate, burst=100.0)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            trust_env=not is_local(self._config.rest_url),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    def held_s(self, endpoint: str) -> float:
        """Wall seconds for which the endpoint rests after 429; 0 if it doesn't."""
        return self._endpoints[endpoint].budget.held_s

    async def server_time(self) -> int:
        """The venue's time, ms."""
        data = (await self._get("time", {})).data
        try:
            return int(data["serverTime"])
        except (TypeError, KeyError, ValueError):
            raise errors.VenueUnreachable(f"time: no serverTime in {str(data)[:80]}") from None

    async def candles(
        self, symbol: str, granularity: Granularity, *, end_ms: int | None = None, limit: int = 100
    ) -> list[CandleRow]:
        """Recent candles that open before `end_ms`, ascending; the last may still be forming.

        Empty beyond the venue's recent window: that is not the start of history.
        """
        return await self._candles("candles", symbol, granularity, end_ms, limit, CANDLES_MAX)

    async def history_candles(
        self,
        symbol: str,
        granularity: Granularity,
        *,
        end_ms: int | None = None,
        limit: int = HISTORY_MAX,
    ) -> list[CandleRow]:
        """The newest finished candles that open before `end_ms`, ascending, each slot once."""
        return await self._candles(
            "history-candles", symbol, granularity, end_ms, limit, HISTORY_MAX
        )

    async def history(
        self, symbol: str, granularity: Granularity, start_ms: int, end_ms: int
    ) -> list[CandleRow]:
        """All finished candles that open in [start_ms, end_ms), ascending, each slot once.

        Pages backwards, because the venue ignores a start time. What isn't there is absent: the
        caller sees the holes.
        """
        interval = interval_ms(granularity)
        found: dict[int, CandleRow] = {}
        end, empty = end_ms, 0
        while end > start_ms and empty < EMPTY_PAGES_MAX:
            limit = min(HISTORY_MAX, (end - start_ms) // interval + PAGE_OVERLAP)
            page = await self.history_candles(symbol, granularity, end_ms=end, limit=limit)
            fresh = [row for row in page if row.open_ms not in found]
            if fresh and fresh[0].open_ms < end - PAGE_OVERLAP * interval:
                empty = 0
                end = fresh[0].open_ms
                if end > start_ms:
                    end += PAGE_OVERLAP * interval
            else:  # a hole as long as a page, or the beginning of history
                empty += 1
                end -= (HISTORY_MAX - PAGE_OVERLAP) * interval
            found.update((row.open_ms, row) for row in fresh)
        return [found[at] for at in sorted(found) if start_ms <= at < end_ms]

    async def tickers(self) -> list[TickerPush]:
        """All symbols' last prices; impossible ones are left out and counted."""
        data = (await self._get("tickers", self._product())).data
        return self._each("tickers", data, lambda row: parse_ticker(row, _symbol(row), None))

    async def contracts(self) -> list[Instrument]:
        """All perpetuals' steps, sizes and fees; unreadable ones are left out and counted."""
        data, seen_at = await self._get("contracts", self._product())
        perpetual = [row for row in _rows(data) if symbols.is_perpetual(row)]
        return self._each("contracts", perpetual, lambda row: symbols.instrument(row, seen_at))

    async def funding(self) -> list[FundingRate]:
        """Funding rates in force; unreadable ones are left out and counted."""
        data, seen_at = await self._get("current-fund-rate", self._product())
        return self._each("current-fund-rate", data, lambda row: symbols.funding_rate(row, seen_at))

    async def merge_depth(self, symbol: str) -> Depth:
        """The book at the finest precision, up to 100 levels a side."""
        query = {"symbol": symbol, **self._product(), "precision": "scale0", "limit": "max"}
        data = (await self._get("merge-depth", query)).data
        try:
            asks, bids = (
                [(_decimal(price), _decimal(size)) for price, size in data[side]]
                for side in ("asks", "bids")
            )
            return Depth(symbol=Symbol(symbol), at=int(data["ts"]), asks=asks, bids=bids)
        except (TypeError, KeyError, ValueError, InvalidOperation):
            raise errors.VenueUnreachable(f"merge-depth: not a book: {str(data)[:80]}") from None

    async def _candles(
        self,
        endpoint: str,
        symbol: str,
        granularity: Granularity,
        end_ms: int | None,
        limit: int,
        most: int,
    ) -> list[CandleRow]:
        assert 1 <= limit <= most, f"limit is {limit}, expected 1 to {most}"
        query = {"symbol": symbol, **self._product(), "limit": str(limit)}
        query["granularity"] = symbols.rest_granularity(granularity)
        if end_ms is not None:
            query["endTime"] = str(end_ms)
        data = (await self._get(endpoint, query)).data
        rows, rejected = parse_rows(_rows(data), granularity)
        self.rejected.update(bad.cause for bad in rejected)
        once = {row.open_ms: row for row in rows if end_ms is None or row.open_ms < end_ms}
        return [once[at] for at in sorted(once)]

    def _each(self, endpoint: str, data: Any, read: Callable[[Any], _E]) -> list[_E]:
        """What can be read of the rows; the rest is counted."""
        found = []
        for row in _rows(data):
            try:
                found.append(read(row))
            except errors.MalformedFrame:
                self.rejected[f"unreadable row of {endpoint}"] += 1
        return found

    def _product(self) -> dict[str, str]:
        return {"productType": self._config.product_type}

    async def _get(self, endpoint: str, query: dict[str, str]) -> Answer:
        """The answer's `data`, asked for again while that makes sense."""
        limited = unreachable = 0
        while True:
            try:
                return await self._ask(endpoint, query)
            except errors.RateLimited:
                limited += 1
                if limited >= TRIES_RATE_LIMITED_MAX:
                    raise
            except (errors.VenueUnreachable, errors.VenueRefused) as error:
                if isinstance(error, errors.VenueRefused) and (
                    error.code not in errors.CODES_PASSING
                ):
                    raise
                unreachable += 1
                if unreachable >= TRIES_UNREACHABLE_MAX:
                    raise
                await asyncio.sleep(self._unreachable.wait_s(unreachable, self._random))

    async def _ask(self, endpoint: str, query: dict[str, str]) -> Answer:
        """One request, when the budgets admit it."""
        assert self._session is not None, "use `async with Rest(…)`"
        place = self._endpoints[endpoint]
        try:
            await place.budget.take()
            await self._all.take()
        except BudgetFullError as error:
            raise errors.RateLimited(f"{endpoint}: {error}") from None
        self.weight[endpoint] += 1
        asked_at = time.monotonic()
        url = self._config.rest_url + _ENDPOINTS[endpoint]
        try:
            async with self._session.get(url, params=query) as response:
                left = response.headers.get(LEFT_HEADER, "")
                body = await read_body(response)
        except TimeoutError:
            raise errors.VenueUnreachable(
                f"{endpoint}: no answer within {self._timeout.total:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise errors.VenueUnreachable(f"{endpoint}: {_one_line(error)}") from None
        if left.isdecimal():
            self.left[endpoint] = min(int(left), self.left.get(endpoint, int(left)))
        try:
            answer = read_answer(endpoint, response.status, body)
        except errors.RateLimited:
            self._slow_down(endpoint, asked_at)
            raise
        if asked_at >= place.held_at:
            place.throttled = 0
        return answer

    def _slow_down(self, endpoint: str, asked_at: float) -> None:
        """Puts the endpoint on hold. Answers to what was under way before the hold say nothing."""
        place = self._endpoints[endpoint]
        self.throttled[endpoint] += 1
        if asked_at >= place.held_at:
            place.throttled += 1
            place.budget.hold(self._throttle.wait_s(place.throttled, self._random))
            place.held_at = time.monotonic()


# {"code":"00000","msg":"success","requestTime":1695806875837,"data":…}
# {"code":"40034","msg":"Parameter NOPE does not exist","requestTime":1695806875837,"data":null}
def read_answer(endpoint: str, status: int, body: bytes) -> Answer:
    """The data in an answer, whatever its HTTP status; else an error of the tree."""
    said = f"{endpoint}: HTTP {status}"
    if status == 429:
        raise errors.RateLimited(f"{said}, too many requests")
    if not body.strip():
        raise errors.VenueUnreachable(f"{said} with an empty body")
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.VenueUnreachable(f"{said} with what is not JSON: {body[:60]!r}") from None
    if not isinstance(answer, dict) or "code" not in answer:
        raise errors.VenueUnreachable(f"{said} without a code: {body[:60]!r}")
    code, message = str(answer["code"]), " ".join(str(answer.get("msg", "")).split())
    if code == errors.CODE_RATE_LIMITED:
        raise errors.RateLimited(f"{said}, too many requests")
    if status >= 500:
        raise errors.VenueUnreachable(f"{said}, code {code}: {message[:200]}")
    if code != errors.OK:
        raise errors.refusal(code, message[:200])
    at = answer.get("requestTime")
    return Answer(answer.get("data"), at if isinstance(at, int) else 0)


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """All of it; an aiohttp error if it is absurdly long."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"more than {BODY_BYTES_MAX} bytes")
    return b"".join(parts)


def _rows(data: Any) -> list[Any]:
    """A list of rows; null, which the venue sends for none, is empty."""
    if data is None:
        return []
    if not isinstance(data, list):
        raise errors.VenueUnreachable(f"expected a list of rows, found {str(data)[:60]}")
    return data


def _symbol(row: Any) -> str:
    symbol = row.get("symbol") if isinstance(row, dict) else None
    if not isinstance(symbol, str) or not symbol:
        raise errors.MalformedFrame(f"a row without a symbol: {str(row)[:80]}")
    return symbol


def _decimal(value: Any) -> str:
    """A level's number, as JSON had it, without exponent."""
    number = Decimal(str(value))
    if not number.is_finite() or number < 0:
        raise ValueError(value)
    return format(number, "f")


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
