"""The endpoints of plans: triggers, stops, take profits, trailing ones (bitget-api §4.5)."""

from decimal import Decimal
from typing import Any, Literal, cast

import msgspec

from chandler.core.trading.money import ZERO, shown
from chandler.exchanges.simulator.private import checks
from chandler.exchanges.simulator.private.checks import Call
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.orders import PREFIX, Endpoint, end_id, order_row, paged
from chandler.exchanges.simulator.private.records import Plan, PlanType, Side
from chandler.exchanges.simulator.rest import VenueError

TRIGGERS = ("normal_plan", "track_plan")
STOPS = ("profit_plan", "loss_plan", "moving_plan", "pos_profit", "pos_loss")
GROUPS = {"profit_loss": STOPS} | {name: (name,) for name in (*TRIGGERS, *STOPS)}
NO_PLAN = "43025"
SHORT = {  # the words of the channel orders-algo
    "normal_plan": "pl",
    "track_plan": "track",
    "profit_plan": "tp",
    "loss_plan": "sl",
    "moving_plan": "mtpsl",
    "pos_profit": "ptp",
    "pos_loss": "psl",
}
CALLBACK_MAX = 10  # percent

replace = msgspec.structs.replace


class Plans:
    """Everything below /api/v2/mix/order that waits for a price."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[str, Endpoint]:
        """By path."""
        return {
            f"{PREFIX}/place-plan-order": Endpoint("POST", 10, self._place, True),
            f"{PREFIX}/place-tpsl-order": Endpoint("POST", 10, self._place_stop, True),
            f"{PREFIX}/place-pos-tpsl": Endpoint("POST", 10, self._place_both, True),
            f"{PREFIX}/modify-tpsl-order": Endpoint("POST", 10, self._modify_stop, True),
            f"{PREFIX}/cancel-plan-order": Endpoint("POST", 10, self._cancel, True),
            f"{PREFIX}/orders-plan-pending": Endpoint("GET", 10, self._pending),
            f"{PREFIX}/orders-plan-history": Endpoint("GET", 10, self._history),
            f"{PREFIX}/plan-sub-order": Endpoint("GET", 10, self._sub_orders),
        }

    def _place(self, call: Call) -> dict[str, str]:
        """A trigger that opens or reduces, or a trailing one."""
        checks.check_product(call)
        checks.check_mode(call)
        symbol = checks.symbol_of(call, self._exchange.market.index)
        reduce_only = call.word("reduceOnly", "yes", "no", default="NO") == "yes"
        checks.check_status(self._exchange.status(symbol), reduces=reduce_only)
        checks.check_margin_mode(call, symbol)
        kind = cast("PlanType", call.word("planType", *TRIGGERS, default="normal_plan"))
        size = call.number("size")
        if size is None:
            raise VenueError(checks.EMPTY, "Parameter size cannot be empty")
        checks.check_size(size, self._exchange.terms(symbol))
        callback = self._callback(call, "callbackRatio") if kind == "track_plan" else ZERO
        side = cast("Side", call.word("side", "buy", "sell"))
        limit = call.word("orderType", "market", "limit") == "limit"
        price = (call.number("price") or call.number("executePrice")) if limit else None
        checks.check_price(price, self._exchange.terms(symbol))
        if limit and price is None:
            raise VenueError("43011", "The parameter does not meet the specification executePrice")
        trigger = self._trigger(call, "triggerPrice", symbol)
        mark = self._exchange.mark(symbol, call.now)
        return self._keep(
            call,
            symbol,
            kind,
            side,
            size,
            trigger,
            rising=trigger > mark,
            execute_price=price,
            reduce_only=reduce_only,
            callback=callback,
            take_profit=call.number("stopSurplusTriggerPrice"),
            stop_loss=call.number("stopLossTriggerPrice"),
        )

    def _place_stop(self, call: Call) -> dict[str, str]:
        """A stop or take profit of an open position."""
        checks.check_product(call)
        symbol = checks.symbol_of(call, self._exchange.market.index)
        kind = cast("PlanType", call.word("planType", *STOPS))
        return self._stop(call, symbol, kind, "triggerPrice", call.number("executePrice"))

    def _place_both(self, call: Call) -> list[dict[str, str]]:
        """Both at once; a size makes them partial."""
        checks.check_product(call)
        symbol = checks.symbol_of(call, self._exchange.market.index)
        partial = call.number("size") is not None
        legs: tuple[tuple[str, PlanType, PlanType], ...] = (
            ("stopSurplus", "pos_profit", "profit_plan"),
            ("stopLoss", "pos_loss", "loss_plan"),
        )
        made = []
        for leg, whole, part in legs:
            if call.text(f"{leg}TriggerPrice"):
                execute = call.number(f"{leg}ExecutePrice")
                renamed = call.args | {
                    "clientOid": call.text(f"{leg}ClientOid"),
                    "triggerType": call.text(f"{leg}TriggerType"),
                }
                one = call._replace(args=renamed)
                kind = part if partial else whole
                made.append(self._stop(one, symbol, kind, f"{leg}TriggerPrice", execute))
        if not made:
            raise VenueError(checks.EMPTY, "Parameter stopLossTriggerPrice cannot be empty")
        return made

    def _stop(
        self, call: Call, symbol: str, kind: PlanType, name: str, execute: Decimal | None
    ) -> dict[str, str]:
        position = checks.stop_position(call, symbol)
        checks.check_status(self._exchange.status(symbol), reduces=True)
        trigger, terms = self._trigger(call, name, symbol), self._exchange.terms(symbol)
        checks.check_price(execute, terms)
        long, profit = position.side == "long", kind in ("profit_plan", "pos_profit")
        mark = self._exchange.mark(symbol, call.now)
        if kind == "moving_plan":
            callback = self._callback(call, "rangeRate")
            rising = trigger > mark
        else:
            callback, rising = ZERO, long == profit
            take, stop = (trigger, None) if profit else (None, trigger)
            checks.check_stops(take, stop, mark, long=long)
        size = ZERO
        if kind not in ("pos_profit", "pos_loss"):
            size = call.number("size") or ZERO
            if not size:
                raise VenueError(checks.EMPTY, "Parameter size cannot be empty")
            checks.check_size(size, terms)
        return self._keep(
            call,
            symbol,
            kind,
            "sell" if long else "buy",
            size,
            trigger,
            rising=rising,
            execute_price=execute,
            reduce_only=True,
            callback=callback,
        )

    def _keep(
        self,
        call: Call,
        symbol: str,
        kind: PlanType,
        side: Side,
        size: Decimal,
        trigger: Decimal,
        **rest: Any,
    ) -> dict[str, str]:
        words = ("mark_price", "fill_price")
        watched = call.word("triggerType", *words, default="mark_price")
        order_id = self._exchange.next_id()
        plan = Plan(
            id=order_id,
            client_oid=checks.client_oid(call) or str(self._exchange.next_id()),
            symbol=symbol,
            type=kind,
            side=side,
            size=size,
            trigger=trigger,
            trigger_type=cast('Literal["mark_price", "fill_price"]', watched),
            margin_mode=call.account.margin_mode(symbol),
            created=call.now,
            updated=call.now,
            **rest,
        )
        call.account.keep_stop(plan)
        return {"orderId": str(plan.id), "clientOid": plan.client_oid}

    def _modify_stop(self, call: Call) -> dict[str, str]:
        """Another trigger, or another size."""
        checks.check_product(call)
        plan = self._found(call)
        trigger = self._trigger(call, "triggerPrice", plan.symbol)
        position = call.account.position(plan.symbol)
        if plan.type != "moving_plan" and position is not None:
            profit = plan.type in ("profit_plan", "pos_profit")
            take, stop = (trigger, None) if profit else (None, trigger)
            mark = self._exchange.mark(plan.symbol, call.now)
            checks.check_stops(take, stop, mark, long=position.side == "long")
        size = call.number("size")
        changed = {"size": size} if size is not None and plan.size else {}
        moved = replace(plan, trigger=trigger, updated=call.now, **changed)
        call.account.keep_plan(moved)
        return {"orderId": str(plan.id), "clientOid": plan.client_oid}

    def _cancel(self, call: Call) -> dict[str, Any]:
        """planType is normal_plan where it is absent: then no stop is cancelled, and no error."""
        checks.check_product(call)
        kinds = GROUPS[call.word("planType", *GROUPS, default="normal_plan")]
        symbol, items = call.text("symbol").upper(), call.args.get("orderIdList") or []
        if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
            raise checks.wrong("orderIdList")
        done = []
        wanted = {(str(i.get("orderId") or ""), str(i.get("clientOid") or "")) for i in items}
        for plan in call.account.live_plans(symbol):
            named = any(
                str(plan.id) == order_id or (not order_id and plan.client_oid == name)
                for order_id, name in wanted
            )
            if plan.type in kinds and (named or not items):
                call.account.cancel_plan(plan, call.now)
                done.append({"orderId": str(plan.id), "clientOid": plan.client_oid})
        return {"successList": done, "failureList": []}

    def _pending(self, call: Call) -> dict[str, Any]:
        return self._listed(call, call.account.live_plans())

    def _history(self, call: Call) -> dict[str, Any]:
        plans = [each for each in call.account.plans.values() if each.status != "live"]
        if call.text("planStatus"):
            plans = [each for each in plans if each.status == call.text("planStatus")]
        return self._listed(call, plans)

    def _listed(self, call: Call, plans: list[Plan]) -> dict[str, Any]:
        checks.check_product(call)
        kinds = GROUPS[call.word("planType", *GROUPS)]
        found = [
            plan
            for plan in plans
            if plan.type in kinds
            and call.text("symbol").upper() in ("", plan.symbol)
            and call.whole("orderId", 0) in (0, plan.id)
            and call.text("clientOid") in ("", plan.client_oid)
        ]
        page = paged(call, found, lambda plan: plan.created)
        return {"entrustedList": [plan_row(plan) for plan in page], "endId": end_id(page)}

    def _sub_orders(self, call: Call) -> list[dict[str, Any]]:
        plan = call.account.plans.get(call.whole("planOrderId", 0))
        order = call.account.order(plan.executed) if plan is not None and plan.executed else None
        return [] if order is None else [order_row(order, "status")]

    def _found(self, call: Call) -> Plan:
        order_id, name = call.whole("orderId", 0), call.text("clientOid")
        for plan in call.account.live_plans():
            if plan.id == order_id or (not order_id and name and plan.client_oid == name):
                return plan
        raise VenueError(NO_PLAN, "Plan order does not exist")

    def _trigger(self, call: Call, name: str, symbol: str) -> Decimal:
        trigger = call.number(name)
        if trigger is None:
            raise VenueError(checks.EMPTY, f"Parameter {name} cannot be empty")
        checks.check_price(trigger, self._exchange.terms(symbol))
        return trigger

    @staticmethod
    def _callback(call: Call, name: str) -> Decimal:
        callback = call.number(name)
        if callback is None or callback > CALLBACK_MAX:
            raise checks.wrong(name)
        return callback


def plan_row(plan: Plan) -> dict[str, Any]:
    """As orders-plan-pending and -history write it."""
    profit = plan.type in ("profit_plan", "pos_profit")
    loss = plan.type in ("loss_plan", "pos_loss")
    trigger, execute = shown(plan.trigger), "0"
    if plan.execute_price is not None:
        execute = shown(plan.execute_price)
    take = "" if plan.take_profit is None else shown(plan.take_profit)
    stop = "" if plan.stop_loss is None else shown(plan.stop_loss)
    return {
        "planType": plan.type,
        "symbol": plan.symbol,
        "size": shown(plan.size),
        "orderId": str(plan.id),
        "executeOrderId": str(plan.executed) if plan.executed else "",
        "clientOid": plan.client_oid,
        "planStatus": plan.status,
        "price": execute,
        "executePrice": execute,
        "callbackRatio": shown(plan.callback) if plan.callback else "",
        "triggerPrice": trigger,
        "triggerType": plan.trigger_type,
        "side": plan.side,
        "posSide": "net",
        "marginCoin": "USDT",
        "marginMode": plan.margin_mode,
        "enterPointSource": "api",
        "tradeSide": f"{plan.side}_single",
        "posMode": "one_way_mode",
        "reduceOnly": "YES" if plan.reduce_only else "NO",
        "orderType": "market" if plan.execute_price is None else "limit",
        "stopSurplusTriggerPrice": trigger if profit else take,
        "stopSurplusExecutePrice": execute if profit else "",
        "stopSurplusTriggerType": plan.trigger_type if profit else "",
        "stopLossTriggerPrice": trigger if loss else stop,
        "stopLossExecutePrice": execute if loss else "",
        "stopLossTriggerType": plan.trigger_type if loss else "",
        "cTime": str(plan.created),
        "uTime": str(plan.updated),
    }


def plan_push(plan: Plan) -> dict[str, Any]:
    """As the channel `orders-algo` writes it."""
    return plan_row(plan) | {
        "instId": plan.symbol,
        "planType": SHORT[plan.type],
        "status": plan.status,
        "actualSize": shown(plan.size),
    }
