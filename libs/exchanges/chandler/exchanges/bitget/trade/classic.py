"""A classic (V2) futures account: its requests, and what the answers say. bitget-api §4.

One-way position mode only: with hedge-shaped orders the venue answers 40774.
"""

from decimal import Decimal
from typing import Any

from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    AccountError,
    BrokerError,
    Reply,
    VenueBalance,
    VenueFill,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueStop,
)
from chandler.core.trading.events import Direction, OrderRequested
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.trade import rows as parse
from chandler.exchanges.bitget.trade.client import Client, rows
from chandler.exchanges.bitget.trade.config import TradeConfig
from chandler.exchanges.bitget.trade.replies import (
    CODES_AMBIGUOUS,
    CODES_DUPLICATE,
    CODES_NO_ORDER,
    CODES_NO_STOP,
    CODES_UNCHANGED,
    now_ms,
)
from chandler.exchanges.bitget.trade.signing import Ask

PAGE = 100  # rows of one answer, the venue's most
PAGES_MAX = 200  # of one question: then it is refused, never cut silently
BILLS_SPAN_MS = 30 * 86_400_000  # of one question for bills
ONE_WAY = "one_way_mode"
FUNDING = "contract_settle_fee"
NAMED_MAX = 10_000  # orders whose clientOid is remembered
_ORDER = "v2/mix/order/"
_ACCOUNT = "v2/mix/account/"
_LISTS = ("entrustedList", "fillList", "bills", "orderList", "list")


class Classic:
    """The account's calls; each raises errors.VenueError or BrokerError, orders never."""

    def __init__(self, client: Client, config: TradeConfig) -> None:
        self._client = client
        self._config = config
        self._product = {"productType": config.product_type}
        self._coin = {"marginCoin": config.margin_coin}
        self._named: dict[str, str] = {}  # venue's order id → clientOid
        self._plans: dict[str, str] = {}  # venue's stop id → planType

    async def check(self, symbol: Symbol) -> None:
        """Position mode, which the venue tells by symbol; AccountError unless it is one-way."""
        mode = parse.text(await self._settings(symbol), "posMode")
        if mode and mode != ONE_WAY:
            raise AccountError(
                f"the account's position mode is {mode}: expected {ONE_WAY}; set it in the venue's "
                "futures settings, without open positions and orders"
            )

    async def rights(self) -> list[str] | None:
        """What the key may do, in the venue's words; None where the venue doesn't tell."""
        try:
            answer = await self._client.ask(Ask("GET", "v2/spot/account/info", {}))
        except errors.VenueRefused:
            return None
        data = answer.data if isinstance(answer.data, dict) else {}
        found = data.get("authorities")
        return [str(right) for right in found] if isinstance(found, list) and found else None

    def order_ask(self, request: OrderRequested) -> Ask:
        """The request for an order: exactly these fields (bitget-api §4.3)."""
        body = {
            "symbol": request.symbol,
            **self._product,
            "marginMode": self._config.margin_mode,
            **self._coin,
            "size": format(request.size, "f"),
            "side": "buy" if request.buys else "sell",
            "orderType": "market",
            "clientOid": request.id,
        }
        if request.reduce_only:
            body["reduceOnly"] = "YES"
        return Ask("POST", _ORDER + "place-order", body)

    async def place(self, request: OrderRequested) -> Reply:
        return await self._client.order(request.id, self.order_ask(request), request.sent_ms)

    async def cancel(self, symbol: Symbol, order: str) -> Reply:
        body = {"symbol": symbol, **self._product, **self._coin, "clientOid": order}
        ask = Ask("POST", _ORDER + "cancel-order", body)
        return await self._client.order(order, ask, self._client.venue_now())

    async def find(self, symbol: Symbol, order: str) -> VenueOrder | None:
        """By clientOid: detail, then pending, then history, then the symbol's fills."""
        named = {**self._product, "clientOid": order}
        found = await self._order("detail", {"symbol": symbol, **named}, order)
        found = found or await self._order("orders-pending", named, order)
        found = found or await self._order("orders-history", named, order)
        found = found or await self._order_of_fills(symbol, order)
        if found is not None:
            self._name(found.venue_id, order)
        return found

    async def fills(self, symbol: Symbol, order: str) -> list[VenueFill]:
        found = await self.find(symbol, order)
        if found is None:
            return []
        params = {"symbol": symbol, **self._product, "orderId": found.venue_id}
        page = await self._pages(_ORDER + "fills", params, "tradeId")
        fills = [parse.fill(row, self._config.margin_coin, order) for row in page]
        return sorted(
            (fill for fill in fills if fill.venue_id == found.venue_id),
            key=lambda fill: (fill.at, fill.trade),
        )

    async def fills_since(self, since_ms: int) -> list[VenueFill]:
        params = {**self._product, "startTime": str(since_ms)} if since_ms > 0 else self._product
        page = await self._pages(_ORDER + "fills", params, "tradeId")
        fills = []
        for row in page:
            fill = parse.fill(row, self._config.margin_coin)
            if fill.at < since_ms:
                continue
            name = fill.id or await self._name_of(fill.symbol, fill.venue_id)
            fills.append(parse.fill(row, self._config.margin_coin, name))
        return sorted(fills, key=lambda fill: (fill.at, fill.trade))

    async def fundings_since(self, since_ms: int, now: int) -> list[VenueFunding]:
        """Bills of funding; the venue keeps 90 days and answers for 30 at once."""
        since = max(since_ms, now - 3 * BILLS_SPAN_MS + 1)
        found: dict[str, VenueFunding] = {}
        while since <= now:
            until = min(now + 1, since + BILLS_SPAN_MS)
            span = {"startTime": str(since), "endTime": str(until), "businessType": FUNDING}
            page = await self._pages(_ACCOUNT + "bill", {**self._product, **span}, "billId")
            bills = [row for row in page if parse.text(row, "businessType") == FUNDING]
            found |= {bill.bill: bill for bill in map(parse.funding, bills)}
            since = until + 1
        return sorted(
            (bill for bill in found.values() if bill.at >= since_ms),
            key=lambda bill: (bill.at, bill.bill),
        )

    async def open_orders(self) -> list[VenueOrder]:
        page = await self._pages(_ORDER + "orders-pending", self._product, "orderId")
        return [parse.order(row) for row in page]

    async def positions(self) -> list[VenuePosition]:
        path = "v2/mix/position/all-position"
        answer = await self._ask("GET", path, {**self._product, **self._coin})
        found = [parse.position(row) for row in rows(answer, *_LISTS)]
        return [position for position in found if position is not None]

    # {"marginCoin":"USDT","available":"…","crossedMaxAvailable":"…","isolatedMaxAvailable":"…",
    #  "accountEquity":"…","unrealizedPL":"…",…}                           (bitget-api §4.7)
    async def balance(self) -> VenueBalance:
        answer = await self._ask("GET", _ACCOUNT + "accounts", self._product)
        coin = self._config.margin_coin
        ours = [row for row in rows(answer) if parse.text(row, "marginCoin").upper() == coin]
        if not ours:
            raise errors.VenueUnreachable(f"accounts: no row for {coin}")
        equity = parse.decimal(ours[0], "accountEquity")
        unrealised = parse.decimal(ours[0], "unrealizedPL", default=Decimal(0))
        most = f"{self._config.margin_mode}MaxAvailable"
        return VenueBalance(
            wallet=equity - unrealised,
            available=parse.decimal(ours[0], most, "available"),
            equity=equity,
            at=answer.at or now_ms(),
        )

    async def set_leverage(self, symbol: Symbol, leverage: int) -> None:
        """Also makes the symbol's margin mode the account's; nothing is sent without need."""
        body = {"symbol": symbol, **self._product, **self._coin}
        now = await self._settings(symbol)
        mode = parse.text(now, "marginMode")
        if mode and mode != self._config.margin_mode:
            change = {**body, "marginMode": self._config.margin_mode}
            await self._set("set-margin-mode", change)
        names = ("crossedMarginLeverage", "isolatedLongLever", "isolatedShortLever")
        used = names[:1] if self._config.margin_mode == "crossed" else names[1:]
        have = {parse.text(now, name) for name in used}
        if mode != self._config.margin_mode or have != {str(leverage)}:
            await self._set("set-leverage", {**body, "leverage": str(leverage)})

    async def place_stop(
        self, symbol: Symbol, side: Direction, trigger: Decimal, order: str
    ) -> VenueStop:
        """For the whole position, on the mark price; after an unclear answer it is looked for."""
        body = {
            "symbol": symbol,
            **self._product,
            **self._coin,
            "planType": "pos_loss",
            "triggerPrice": format(trigger, "f"),
            "triggerType": "mark_price",
            "executePrice": "0",
            "holdSide": "buy" if side == "long" else "sell",
            "clientOid": order,
        }
        try:
            answer = await self._client.once(Ask("POST", _ORDER + "place-tpsl-order", body))
            data = answer.data if isinstance(answer.data, dict) else {}
            if venue_id := parse.text(data, "orderId"):
                self._plans[venue_id] = "pos_loss"
                return VenueStop(id=order, venue_id=venue_id, symbol=symbol, trigger=trigger)
            unclear = "an answer without orderId"
        except errors.VenueUnreachable as error:
            unclear = str(error)
        except errors.VenueRefused as error:
            if error.code not in CODES_AMBIGUOUS | CODES_DUPLICATE:
                raise
            unclear = str(error)
        for stop in await self.stops():
            if stop.symbol == symbol and stop.id == order:
                return stop
        raise BrokerError(f"{symbol}: the stop {order} is not at the venue after {unclear}")

    async def cancel_stop(self, stop: VenueStop) -> None:
        """Done as well when it isn't there any more. Without planType nothing is cancelled."""
        ids = {"orderId": stop.venue_id} | ({"clientOid": stop.id} if stop.id else {})
        body = {
            "symbol": stop.symbol,
            **self._product,
            **self._coin,
            "orderIdList": [ids],
            "planType": self._plans.get(stop.venue_id, "pos_loss"),
        }
        try:
            answer = await self._client.once(Ask("POST", _ORDER + "cancel-plan-order", body))
        except errors.VenueRefused as error:
            if error.code in CODES_NO_STOP:
                return
            raise
        data = answer.data if isinstance(answer.data, dict) else {}
        failed = [row for row in data.get("failureList") or [] if isinstance(row, dict)]
        if failed and parse.text(failed[0], "errorCode") not in CODES_NO_STOP:
            raise BrokerError(
                f"{stop.symbol}: the stop was not cancelled: "
                f"{parse.text(failed[0], 'errorMsg')} (code {parse.text(failed[0], 'errorCode')})"
            )
        if not failed and not data.get("successList"):
            left = [other.venue_id for other in await self.stops()]
            if stop.venue_id in left:
                raise BrokerError(f"{stop.symbol}: the venue cancelled no stop: it is still there")
        self._plans.pop(stop.venue_id, None)

    async def stops(self) -> list[VenueStop]:
        params = {**self._product, "planType": "profit_loss"}
        found = []
        for row in await self._pages(_ORDER + "orders-plan-pending", params, "orderId"):
            if (stop := parse.stop(row)) is not None:
                self._plans[stop.venue_id] = parse.text(row, "planType")
                found.append(stop)
        return found

    async def _settings(self, symbol: Symbol) -> Any:
        params = {"symbol": symbol, **self._product, **self._coin}
        return (await self._ask("GET", _ACCOUNT + "account", params)).data

    async def _set(self, endpoint: str, body: dict[str, Any]) -> None:
        try:
            await self._client.ask(Ask("POST", _ACCOUNT + endpoint, body))
        except errors.VenueRefused as error:
            if error.code not in CODES_UNCHANGED:
                raise

    async def _ask(self, method: str, path: str, params: dict[str, Any]) -> Any:
        return await self._client.ask(Ask(method, path, params))

    async def _order(self, endpoint: str, named: dict[str, str], order: str) -> VenueOrder | None:
        """The order of that clientOid in an answer; a venue that overlooks the filter finds none"""
        try:
            answer = await self._ask("GET", _ORDER + endpoint, named)
        except errors.Delisted:  # the lists still have it
            return None
        except errors.VenueRefused as error:
            if error.code in CODES_NO_ORDER:
                return None
            raise
        data = answer.data
        one = isinstance(data, dict) and not any(name in data for name in _LISTS)
        for row in [data] if one else rows(answer, *_LISTS):
            if parse.text(row, "clientOid") == order:
                return parse.order(row)
        return None

    async def _order_of_fills(self, symbol: Symbol, order: str) -> VenueOrder | None:
        """An order that only its fills still tell of: what was filled is all that is known."""
        try:
            params = {"symbol": symbol, **self._product}
            answer = await self._ask("GET", _ORDER + "fills", params)
        except errors.Delisted:
            return None
        page = [row for row in rows(answer, *_LISTS) if parse.text(row, "clientOid") == order]
        fills = [parse.fill(row, self._config.margin_coin) for row in page]
        if not fills:
            return None
        filled = sum((fill.size for fill in fills), Decimal(0))
        return VenueOrder(
            id=order,
            venue_id=fills[0].venue_id,
            symbol=symbol,
            state="filled",
            buys=fills[0].buys,
            reduce_only=False,
            size=filled,
            filled=filled,
            at=max(fill.at for fill in fills),
        )

    async def _pages(self, path: str, params: dict[str, str], key: str) -> list[dict[str, Any]]:
        """All rows, each id once, page by page back in time."""
        found: dict[str, dict[str, Any]] = {}
        cursor = ""
        for _ in range(PAGES_MAX):
            more = {"idLessThan": cursor} if cursor else {}
            answer = await self._ask("GET", path, {**params, "limit": str(PAGE), **more})
            page = rows(answer, *_LISTS)
            fresh = {parse.text(row, key, required=True): row for row in page}
            new = fresh.keys() - found.keys()
            found |= fresh
            after = parse.text(answer.data, "endId")
            if len(page) < PAGE or not new or not after or after == cursor:
                return list(found.values())
            cursor = after
        raise BrokerError(f"{path}: more than {PAGES_MAX * PAGE} rows: ask for a shorter time")

    async def _name_of(self, symbol: Symbol, venue_id: str) -> str:
        """The clientOid of an order that a fill names by the venue's id only."""
        if venue_id not in self._named:
            params = {"symbol": symbol, **self._product, "orderId": venue_id}
            try:
                data = (await self._ask("GET", _ORDER + "detail", params)).data
            except errors.VenueRefused as error:
                if error.code not in CODES_NO_ORDER:
                    raise
                data = None
            self._name(venue_id, parse.text(data, "clientOid"))
        return self._named[venue_id]

    def _name(self, venue_id: str, order: str) -> None:
        if len(self._named) >= NAMED_MAX:
            self._named.pop(next(iter(self._named)))
        self._named[venue_id] = order
