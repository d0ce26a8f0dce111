"""The public REST endpoints: envelope, limits by endpoint and address, candles, tickers, contracts.

Sources: the venue's pages on each endpoint (docs: bitget-api §3). Limits are per second of the
venue's clock.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.faults import Faults
from chandler.exchanges.simulator.instruments import Quotes, keep_margin_rate, row_strings
from chandler.exchanges.simulator.market import SPACINGS, Market, Spacing
from chandler.exchanges.simulator.sockets import INST_TYPE

PER_SECOND_MAX = 20  # by address and endpoint
PER_MINUTE_MAX = 6000  # by address, all endpoints; then there is nothing for BANNED_MS
BANNED_MS = 5 * MINUTE_MS
LIMIT_DEFAULT = 100
CANDLES_MAX, HISTORY_MAX = 1000, 200
SPAN_MS_MAX = 90 * DAY_MS
SUCCESS, TOO_MANY, NO_SYMBOL, REMOVED = "00000", "429", "40034", "40309"
OUT_OF_RANGE, NO_URL, TIME_SPAN, UNVERIFIED = "40053", "40404", "00001", "400172"
ADDRESSES_MAX = 1000
OTHER_PRODUCTS = frozenset(
    ["COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"]
)
PREFIX = "/api/v2/mix/market"


class VenueError(Exception):
    """A business error: HTTP 400 with the venue's code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class RateLimit:
    """Requests by address: per endpoint and second, and all together per minute."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], tuple[int, int]] = {}
        self._minutes: dict[str, tuple[int, int]] = {}
        self._banned: dict[str, int] = {}

    def left(self, address: str, endpoint: str, now_ms: int) -> int:
        """Takes one request; how many are left in this second, negative: refused."""
        if now_ms < self._banned.get(address, 0):
            return -1
        if len(self._seconds) > ADDRESSES_MAX:
            self._seconds.clear()
        minute = now_ms // MINUTE_MS
        count = self._taken(self._minutes, address, minute)
        if count > PER_MINUTE_MAX:
            self._banned[address] = now_ms + BANNED_MS
            return -1
        return PER_SECOND_MAX - self._taken(self._seconds, (address, endpoint), now_ms // 1000)

    @staticmethod
    def _taken(counts: dict[Any, tuple[int, int]], key: Any, window: int) -> int:
        kept, count = counts.get(key, (window, 0))
        count = count + 1 if kept == window else 1
        counts[key] = (window, count)
        return count


class Rest:
    """Answers the venue's public questions."""

    def __init__(self, market: Market, quotes: Quotes, clock: VenueClock) -> None:
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self._market = market
        self._quotes = quotes
        self._clock = clock
        self._limit = RateLimit()
        self._started = time.monotonic()
        self._endpoints: dict[str, Callable[[dict[str, str], int], Any]] = {
            "/api/v2/public/time": lambda _, now: {"serverTime": str(now)},
            f"{PREFIX}/candles": self._candles,
            f"{PREFIX}/history-candles": self._history,
            f"{PREFIX}/tickers": self._tickers,
            f"{PREFIX}/ticker": self._ticker,
            f"{PREFIX}/contracts": self._contracts,
            f"{PREFIX}/merge-depth": self._depth,
            f"{PREFIX}/current-fund-rate": self._funding,
            f"{PREFIX}/funding-time": self._funding_time,
            f"{PREFIX}/symbol-price": self._symbol_price,
            f"{PREFIX}/query-position-lever": self._tiers,
            # Nothing but USDT-M perpetuals is traded here.
            "/api/v2/spot/public/coins": lambda *_: [],
            "/api/v2/spot/public/symbols": lambda *_: [],
            "/api/v2/margin/currencies": lambda *_: [],
        }

    def set_faults(self, faults: Faults) -> None:
        """Storms begin to count from now."""
        self.faults = faults
        self._started = time.monotonic()

    async def answer(self, request: web.Request) -> web.Response:
        """Any request below /api/."""
        now = self._clock.now()
        path = request.path
        self.counts[f"rest {path.rpartition('/')[2] if path in self._endpoints else 'other'}"] += 1
        storm = self.faults.storm429
        left = self._limit.left(request.remote or "", path, now)
        if left < 0 or (storm is not None and storm.covers(time.monotonic() - self._started)):
            self.counts["rest_429"] += 1
            return respond(now, 0, TOO_MANY, "Too Many Requests", None, 429)
        try:
            endpoint = self._endpoints.get(path)
            if endpoint is None:
                raise VenueError(NO_URL, "Request URL NOT FOUND", 404)
            if request.method != "GET":
                raise VenueError(UNVERIFIED, "Request method is not supported", 405)
            return respond(now, left, SUCCESS, "success", endpoint(dict(request.query), now))
        except VenueError as error:
            return respond(now, left, error.code, error.message, None, error.status)

    def _candles(self, query: dict[str, str], now: int) -> list[list[str]]:
        index, spacing = self._symbol(query), _spacing(query)
        limit = _number(query, "limit", LIMIT_DEFAULT)
        _check_limit(limit, CANDLES_MAX)
        start, end = _number(query, "startTime", 0), _number(query, "endTime", now + 1)
        if "startTime" in query and end - start > SPAN_MS_MAX:
            raise VenueError(TIME_SPAN, "startTime and endTime interval cannot exceed 90 days")
        oldest = max(start, now - _depth_ms(spacing))
        bars = self._market.bars(index, spacing, end, limit, now, oldest)
        forming = self._market.forming(index, spacing, now)
        if forming is not None and oldest <= forming.open_ms < end:
            bars = [*bars, forming][-limit:]
        return [row_strings(bar) for bar in bars]

    def _history(self, query: dict[str, str], now: int) -> list[list[str]]:
        """Finished bars only; startTime is ignored, as on the venue."""
        index, spacing = self._symbol(query), _spacing(query)
        limit = _number(query, "limit", LIMIT_DEFAULT)
        _check_limit(limit, HISTORY_MAX)
        end = _number(query, "endTime", now)
        return [row_strings(bar) for bar in self._market.bars(index, spacing, end, limit, now)]

    def _tickers(self, query: dict[str, str], now: int) -> list[dict[str, Any]]:
        _check_product(query)
        return [self._quotes.ticker(index, now) for index in self._listed()]

    def _ticker(self, query: dict[str, str], now: int) -> list[dict[str, Any]]:
        return [self._quotes.ticker(self._symbol(query), now)]

    def _contracts(self, query: dict[str, str], now: int) -> list[dict[str, Any]]:
        if query.get("productType", "").upper() in OTHER_PRODUCTS:
            return []
        _check_product(query)
        if query.get("symbol"):
            return [self._quotes.contract(self._symbol(query))]
        return [self._quotes.contract(index) for index in range(len(self._market.symbols))]

    def _depth(self, query: dict[str, str], now: int) -> dict[str, Any]:
        index, limit = self._symbol(query), query.get("limit", "100")
        levels = {"1": 1, "5": 5, "15": 15, "50": 50, "100": 100, "max": 100}.get(limit)
        if levels is None:
            raise VenueError(UNVERIFIED, "Parameter verification failed limit")
        return self._quotes.depth(index, levels, now)

    def _funding(self, query: dict[str, str], now: int) -> list[dict[str, str]]:
        _check_product(query)
        indices = [self._symbol(query)] if query.get("symbol") else self._listed()
        return [self._quotes.funding(index, now) for index in indices]

    def _funding_time(self, query: dict[str, str], now: int) -> list[dict[str, str]]:
        funding = self._quotes.funding(self._symbol(query), now)
        period = funding["fundingRateInterval"]
        return [
            {
                "symbol": funding["symbol"],
                "nextFundingTime": funding["nextUpdate"],
                "ratePeriod": period,
            }
        ]

    def _symbol_price(self, query: dict[str, str], now: int) -> list[dict[str, str]]:
        ticker = self._quotes.ticker(self._symbol(query), now)
        price = ticker["lastPr"]
        return [
            {
                "symbol": ticker["symbol"],
                "price": price,
                "indexPrice": price,
                "markPrice": price,
                "ts": str(now),
            }
        ]

    def _tiers(self, query: dict[str, str], now: int) -> list[dict[str, str]]:
        contract = self._quotes.contract(self._symbol(query))
        return [
            {
                "symbol": contract["symbol"],
                "level": "1",
                "startUnit": "0",
                "endUnit": "10000000",
                "leverage": contract["maxLever"],
                "keepMarginRate": keep_margin_rate(contract["symbol"]),
            }
        ]

    def _listed(self) -> list[int]:
        market = self._market
        return [i for i, symbol in enumerate(market.symbols) if symbol not in market.delisted]

    def _symbol(self, query: dict[str, str]) -> int:
        _check_product(query)
        symbol = query.get("symbol", "")
        if not symbol:
            raise VenueError(UNVERIFIED, "Parameter verification failed symbol")
        index = self._market.index.get(symbol)
        if index is None:
            raise VenueError(NO_SYMBOL, f"Parameter {symbol} does not exist")
        if symbol in self._market.delisted:
            raise VenueError(REMOVED, "The symbol has been removed")
        return index


def respond(
    now: int, left: int, code: str, message: str, data: Any, status: int = 200
) -> web.Response:
    """The venue's envelope; `left` requests may follow in this second. Signatures are of wall time,
    which the header of the venue's guide tells."""
    body = {"code": code, "msg": message, "requestTime": now, "data": data}
    headers = {
        "x-mbx-used-remain-limit": str(max(left, 0)),
        "X-BG-REQUEST-ACCEPT-TIME": str(time.time_ns() // 1_000_000),
    }
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )


def _check_product(query: dict[str, str]) -> None:
    product = query.get("productType", "")
    if not product:
        raise VenueError(UNVERIFIED, "Parameter verification failed productType")
    if product.upper() != INST_TYPE:
        raise VenueError(UNVERIFIED, f"Parameter verification failed productType {product}")


def _check_limit(limit: int, limit_max: int) -> None:
    if not 1 <= limit <= limit_max:
        raise VenueError(OUT_OF_RANGE, f"limit must be between 1 and {limit_max}")


def _spacing(query: dict[str, str]) -> Spacing:
    spacing = SPACINGS.get(query.get("granularity", ""))
    if spacing is None:
        raise VenueError(UNVERIFIED, "Parameter verification failed granularity")
    return spacing


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise VenueError(UNVERIFIED, f"Parameter verification failed {name}")
    return int(text)


def _depth_ms(spacing: Spacing) -> int:
    """How far back `candles` reaches; ccxt's measured values."""
    hours = spacing.interval_ms / HOUR_MS
    for below, days in ((1, 30), (2, 60), (4, 120), (6, 240), (12, 360), (24, 720)):
        if hours < below:
            return days * DAY_MS
    return 1440 * DAY_MS
