"""The endpoints of orders and fills, and how both are written down (bitget-api §4.2 to §4.4)."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from chandler.core.trading.money import ZERO, minus, places, plus, ratio, shown, times
from chandler.exchanges.simulator.private import checks
from chandler.exchanges.simulator.private.checks import Call
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.records import Bill, Closed, Draft, Fill, Order, Plan
from chandler.exchanges.simulator.rest import UNVERIFIED, VenueError

BATCH_MAX = 50
PAGE_MAX = 100
PREFIX = "/api/v2/mix/order"

R = TypeVar("R", Order, Fill, Bill, Plan, Closed)


class Endpoint(NamedTuple):
    """How a path is answered."""

    method: str
    per_second: int  # requests of one account
    answer: Callable[[Call], Any]
    trades: bool = False  # the faults of requests to trade apply


class Orders:
    """Everything below /api/v2/mix/order that is no plan."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[str, Endpoint]:
        """By path."""
        return {
            f"{PREFIX}/place-order": Endpoint("POST", 10, self.place, True),
            f"{PREFIX}/batch-place-order": Endpoint("POST", 5, self._place_many, True),
            f"{PREFIX}/modify-order": Endpoint("POST", 10, self._modify, True),
            f"{PREFIX}/cancel-order": Endpoint("POST", 10, self._cancel, True),
            f"{PREFIX}/batch-cancel-orders": Endpoint("POST", 10, self._cancel_many, True),
            f"{PREFIX}/cancel-all-orders": Endpoint("POST", 10, self._cancel_all, True),
            f"{PREFIX}/close-positions": Endpoint("POST", 1, self._close, True),
            f"{PREFIX}/detail": Endpoint("GET", 10, self._detail),
            f"{PREFIX}/orders-pending": Endpoint("GET", 10, self._pending),
            f"{PREFIX}/orders-history": Endpoint("GET", 10, self._history),
            f"{PREFIX}/fills": Endpoint("GET", 10, self._fills),
            f"{PREFIX}/fill-history": Endpoint("GET", 10, self._fills),
        }

    def check(self, call: Call) -> Draft:
        """The order of a place-order request; VenueError if it can't be one."""
        checks.check_product(call)
        exchange = self._exchange
        symbol = checks.symbol_of(call, exchange.market.index)
        draft = checks.draft_of(call, symbol, exchange.status(symbol))
        terms, mark = exchange.terms(symbol), exchange.mark(symbol, call.now)
        for price in (draft.price, draft.take_profit, draft.stop_loss):
            checks.check_price(price, terms)
        checks.check_size(draft.size, terms)
        contract = exchange.quotes.contract(exchange.market.index[symbol])
        checks.check_band(draft, mark, contract)
        if not draft.reduce_only:
            expected = draft.price or mark
            long = draft.side == "buy"
            checks.check_stops(draft.take_profit, draft.stop_loss, expected, long=long)
        return draft

    def place(self, call: Call) -> dict[str, Any]:
        """Takes an order; the answer means received, not filled."""
        draft = self.check(call)
        displaced = self._make_room(call, draft)
        mode = call.text("marginMode").lower()
        if mode and mode != call.account.margin_mode(draft.symbol):
            call.account.keep_margin_mode(draft.symbol, mode)
        ticker = self._exchange.ticker(draft.symbol, call.now)
        order = self._exchange.place(call.account, draft, ticker)
        self._exchange.counts["orders"] += 1
        return {"clientOid": order.client_oid, "orderId": None if displaced else str(order.id)}

    def _make_room(self, call: Call, draft: Draft) -> bool:
        """Cancels older reduce-only orders that together would be more than the position."""
        position = call.account.position(draft.symbol)
        if not draft.reduce_only or draft.price is None or position is None:
            return False
        older = [each for each in call.account.pending(draft.symbol) if each.reduce_only]
        over = minus(plus(draft.size, *(each.rest for each in older)), position.size)
        displaced = False
        for order in older:
            if over <= 0:
                break
            call.account.cancel(order, "reduce_only", call.now)
            over, displaced = minus(over, order.rest), True
        return displaced

    def _place_many(self, call: Call) -> dict[str, Any]:
        items = call.args.get("orderList")
        if not isinstance(items, list) or not 0 < len(items) <= BATCH_MAX:
            raise checks.wrong("orderList")
        shared = {name: value for name, value in call.args.items() if name != "orderList"}
        return _each(items, lambda item: self.place(call._replace(args=shared | item)))

    def _modify(self, call: Call) -> dict[str, Any]:
        """Cancels the order and places another one with what is new."""
        old = self._found(call)
        name = call.needed("newClientOid")
        if not old.open:
            raise VenueError("22001", "No order to cancel")
        if name == old.client_oid or call.account.is_pending(name):
            raise VenueError(checks.DUPLICATE, "Duplicate clientOid")
        size, price = call.number("newSize"), call.number("newPrice")
        if (size is None) != (price is None) or old.price is None:
            raise checks.wrong("newSize")
        call.account.cancel(old, "normal_cancel", call.now)
        wanted = {
            "symbol": old.symbol,
            "productType": call.text("productType"),
            "orderType": "limit",
            "side": old.side,
            "force": old.force,
            "size": shown(size or old.rest),
            "price": shown(price or old.price),
            "reduceOnly": "YES" if old.reduce_only else "NO",
            "clientOid": name,
            "presetStopSurplusPrice": call.text("newPresetStopSurplusPrice"),
            "presetStopLossPrice": call.text("newPresetStopLossPrice"),
        }
        return self.place(call._replace(args=wanted))

    def _cancel(self, call: Call) -> dict[str, Any]:
        order = self._found(call)
        if not order.open:
            raise VenueError("22001", "No order to cancel")
        call.account.cancel(order, "normal_cancel", call.now)
        return {"orderId": str(order.id), "clientOid": order.client_oid}

    def _cancel_many(self, call: Call) -> dict[str, Any]:
        items = call.args.get("orderIdList")
        if not items:
            return self._cancel_all(call)
        if not isinstance(items, list) or len(items) > BATCH_MAX:
            raise checks.wrong("orderIdList")
        shared = {name: value for name, value in call.args.items() if name != "orderIdList"}
        return _each(items, lambda item: self._cancel(call._replace(args=shared | item)))

    def _cancel_all(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        named = call.text("symbol")
        symbol = checks.symbol_of(call, self._exchange.market.index) if named else ""
        done = [
            call.account.cancel(order, "normal_cancel", call.now)
            for order in call.account.pending(symbol)
        ]
        if not done:
            raise VenueError("22001", "No order to cancel")
        return {
            "successList": [{"orderId": str(o.id), "clientOid": o.client_oid} for o in done],
            "failureList": [],
        }

    def _close(self, call: Call) -> dict[str, Any]:
        """Closes a position, or all, at market."""
        checks.check_product(call)
        symbols = [str(symbol) for symbol in call.account.paper.positions]
        if call.text("symbol"):
            symbol = checks.symbol_of(call, self._exchange.market.index)
            symbols = [each for each in symbols if each == symbol]
        if not symbols:
            raise VenueError(checks.NO_POSITION, "No position to close")

        def close(item: dict[str, Any]) -> dict[str, Any]:
            position = call.account.position(item["symbol"])
            assert position is not None
            item["side"] = "sell" if position.side == "long" else "buy"
            item["size"] = shown(position.size)
            fixed = {"productType": call.args["productType"], "orderType": "market"}
            done = self.place(call._replace(args=fixed | item | {"reduceOnly": "YES"}))
            return done | {"symbol": item["symbol"]}

        return _each([{"symbol": symbol} for symbol in symbols], close)

    def _found(self, call: Call) -> Order:
        checks.check_product(call)
        symbol = checks.symbol_of(call, self._exchange.market.index)
        order_id, name = call.whole("orderId", 0), call.text("clientOid")
        if not order_id and not name:
            raise VenueError(checks.EMPTY, "Parameter orderId cannot be empty")
        order = call.account.order(order_id, name)
        if order is None or order.symbol != symbol:
            raise VenueError(
                checks.NO_ORDER,
                "The data of the order cannot be found, please confirm the order number",
            )
        return order

    def _detail(self, call: Call) -> dict[str, Any]:
        return order_row(self._found(call), "state")

    def _pending(self, call: Call) -> dict[str, Any]:
        found = [each for each in call.account.pending() if _is_asked(call, each)]
        if call.text("status"):
            found = [each for each in found if each.status == call.text("status")]
        return _listed(call, found)

    def _history(self, call: Call) -> dict[str, Any]:
        every = call.account.orders.values()
        return _listed(call, [each for each in every if not each.open and _is_asked(call, each)])

    def _fills(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        order_id, symbol = call.whole("orderId", 0), call.text("symbol").upper()
        found = [
            fill
            for fill in call.account.fills.values()
            if order_id in (0, fill.order) and symbol in ("", fill.symbol)
        ]
        page = paged(call, found, lambda fill: fill.at)
        return {"fillList": [fill_row(fill) for fill in page], "endId": end_id(page)}


def _is_asked(call: Call, order: Order) -> bool:
    return (
        call.text("symbol").upper() in ("", order.symbol)
        and call.whole("orderId", 0) in (0, order.id)
        and call.text("clientOid") in ("", order.client_oid)
    )


def _listed(call: Call, orders: list[Order]) -> dict[str, Any]:
    checks.check_product(call)
    page = paged(call, orders, lambda order: order.created)
    rows = [order_row(order, "status") for order in page]
    return {"entrustedList": rows or None, "endId": end_id(page)}


def paged(call: Call, records: Iterable[R], at: Callable[[R], int]) -> list[R]:
    """The newest first: what startTime, endTime, idLessThan and limit leave of the records."""
    start, end = call.whole("startTime", 0), call.whole("endTime", 2**62)
    before = call.whole("idLessThan", 2**62)
    limit = call.whole("limit", call.whole("pageSize", PAGE_MAX))
    if not 1 <= limit <= PAGE_MAX:
        raise VenueError(UNVERIFIED, f"limit must be between 1 and {PAGE_MAX}")
    found = [each for each in records if start <= at(each) <= end and each.id < before]
    return sorted(found, key=lambda each: -each.id)[:limit]


def end_id(page: list[R]) -> str | None:
    """The cursor of the page after."""
    return str(page[-1].id) if page else None


def _each(
    items: list[Any], do: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Each item by itself; what fails says why beside the others."""
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for item in items:
        try:
            if not isinstance(item, dict):
                raise VenueError(UNVERIFIED, "Parameter verification failed")
            done.append(do(item))
        except VenueError as error:
            failed.append(
                {
                    "orderId": "",
                    "clientOid": item.get("clientOid", "") if isinstance(item, dict) else "",
                    "errorMsg": error.message,
                    "errorCode": error.code,
                }
            )
    return {"successList": done, "failureList": failed}


def average(quote: Decimal, filled: Decimal) -> str:
    """The average price for display; empty where nothing was filled."""
    return shown(places(ratio(quote, filled))) if filled else ""


def order_row(order: Order, status_key: str) -> dict[str, Any]:
    """As detail (`state`) and the lists (`status`) write it."""
    return {
        "symbol": order.symbol,
        "size": shown(order.size),
        "orderId": str(order.id),
        "clientOid": order.client_oid,
        "baseVolume": shown(order.filled),
        "fee": shown(minus(ZERO, order.fee)),
        "price": "" if order.price is None else shown(order.price),
        "priceAvg": average(order.quote, order.filled),
        status_key: order.status,
        "side": order.side,
        "force": order.force or "gtc",
        "totalProfits": shown(order.profit),
        "posSide": "net",
        "marginCoin": "USDT",
        "quoteVolume": shown(order.quote),
        "leverage": str(order.leverage),
        "marginMode": order.margin_mode,
        "enterPointSource": order.point,
        "tradeSide": order.trade_side,
        "posMode": "one_way_mode",
        "orderType": order.kind,
        "orderSource": order.source,
        "cancelReason": order.cancel_reason,
        "presetStopSurplusPrice": "" if order.take_profit is None else shown(order.take_profit),
        "presetStopSurplusType": "" if order.take_profit is None else "fill_price",
        "presetStopSurplusExecutePrice": "",
        "presetStopLossPrice": "" if order.stop_loss is None else shown(order.stop_loss),
        "presetStopLossType": "" if order.stop_loss is None else "fill_price",
        "presetStopLossExecutePrice": "",
        "reduceOnly": "YES" if order.reduce_only else "NO",
        "cTime": str(order.created),
        "uTime": str(order.updated),
    }


def fill_row(fill: Fill) -> dict[str, Any]:
    """As fills and fill-history write it."""
    return {
        "tradeId": str(fill.id),
        "symbol": fill.symbol,
        "orderId": str(fill.order),
        "price": shown(fill.price),
        "baseVolume": shown(fill.size),
        "feeDetail": [
            {
                "deduction": "no",
                "feeCoin": "USDT",
                "totalDeductionFee": "0",
                "totalFee": shown(minus(ZERO, fill.fee)),
            }
        ],
        "side": fill.side,
        "quoteVolume": shown(times(fill.price, fill.size)),
        "profit": shown(fill.profit),
        "enterPointSource": "api",
        "tradeSide": fill.trade_side,
        "posMode": "one_way_mode",
        "tradeScope": "maker" if fill.maker else "taker",
        "cTime": str(fill.at),
    }


def fill_push(fill: Fill) -> dict[str, Any]:
    """As the channel `fill` writes it."""
    detail = {"feeCoin": "USDT", "deduction": "no", "totalDeductionFee": "0"}
    return {
        "orderId": str(fill.order),
        "clientOid": fill.client_oid,
        "tradeId": str(fill.id),
        "symbol": fill.symbol,
        "orderType": fill.kind,
        "side": fill.side,
        "price": shown(fill.price),
        "baseVolume": shown(fill.size),
        "quoteVolume": shown(times(fill.price, fill.size)),
        "profit": shown(fill.profit),
        "tradeSide": fill.trade_side,
        "posMode": "one_way_mode",
        "tradeScope": "maker" if fill.maker else "taker",
        "feeDetail": [detail | {"totalFee": shown(minus(ZERO, fill.fee))}],
        "cTime": str(fill.at),
        "uTime": str(fill.at),
    }
