"""The endpoints of accounts, positions, bills and settings (bitget-api §4.6 to §4.8)."""

from decimal import Decimal
from typing import Any

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.money import ZERO, minus, places, plus, ratio, shown, times, total
from chandler.core.trading.paper.account import available, equity
from chandler.core.trading.position import Position, average, liquidation_price, margin, unrealised
from chandler.exchanges.simulator.private import checks
from chandler.exchanges.simulator.private.account import Account
from chandler.exchanges.simulator.private.checks import Call
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.orders import Endpoint, end_id, paged
from chandler.exchanges.simulator.private.records import Bill, Closed
from chandler.exchanges.simulator.rest import UNVERIFIED, VenueError

ACCOUNT, POSITION = "/api/v2/mix/account", "/api/v2/mix/position"
UNCHANGED, HAS_OPEN = "40814", "40920"
RIGHTS = ("coor", "coow", "cpor", "cpow", "stor")  # futures: read and write; spot: read
POSITION_SAME = (  # in the channel `positions` as in all-position
    "marginCoin",
    "marginSize",
    "marginMode",
    "holdSide",
    "posMode",
    "total",
    "available",
    "openPriceAvg",
    "achievedProfits",
    "unrealizedPL",
    "liquidationPrice",
    "keepMarginRate",
    "breakEvenPrice",
    "totalFee",
    "deductedFee",
    "markPrice",
    "assetMode",
    "cTime",
    "uTime",
)

replace = msgspec.structs.replace


class Settings:
    """Everything below /api/v2/mix/account and /position, and what clients look at beside it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[str, Endpoint]:
        """By path."""
        return {
            f"{ACCOUNT}/accounts": Endpoint("GET", 10, self._accounts),
            f"{ACCOUNT}/account": Endpoint("GET", 10, self._account),
            f"{ACCOUNT}/bill": Endpoint("GET", 10, self._bills),
            f"{ACCOUNT}/set-leverage": Endpoint("POST", 5, self._set_leverage),
            f"{ACCOUNT}/set-margin-mode": Endpoint("POST", 5, self._set_margin_mode),
            f"{ACCOUNT}/set-position-mode": Endpoint("POST", 5, self._set_position_mode),
            f"{POSITION}/all-position": Endpoint("GET", 5, self._positions),
            f"{POSITION}/single-position": Endpoint("GET", 10, self._position),
            f"{POSITION}/history-position": Endpoint("GET", 20, self._closed),
            "/api/v2/common/trade-rate": Endpoint("GET", 10, self._rate),
            "/api/v2/spot/account/info": Endpoint("GET", 1, self._info),
            "/api/v2/spot/account/assets": Endpoint("GET", 10, lambda call: []),
        }

    def account_row(self, account: Account, now: int) -> dict[str, Any]:
        """The money of an account at the marks."""
        exchange, paper = self._exchange, account.paper
        marks = {symbol: exchange.mark(symbol, now) for symbol in paper.positions}
        held = paper.positions.items()
        open_pnl = total(unrealised(each, marks[symbol]) for symbol, each in held)
        worth = equity(paper, marks)
        kept = total(
            times(marks[symbol], each.size, exchange.maintenance(symbol)) for symbol, each in held
        )
        free = available(paper)
        usable = shown(max(free, ZERO))
        locked = total(order.reserved for order in paper.orders.values())
        return {
            "marginCoin": "USDT",
            "locked": shown(locked),
            "available": shown(free),
            "crossedMaxAvailable": usable,
            "isolatedMaxAvailable": usable,
            "maxTransferOut": usable,
            "accountEquity": shown(worth),
            "usdtEquity": shown(worth),
            "btcEquity": "",
            "crossedRiskRate": shown(places(ratio(kept, worth))) if worth > 0 else "1",
            "unrealizedPL": shown(open_pnl),
            "coupon": "0",
            "crossedUnrealizedPL": shown(open_pnl),
            "isolatedUnrealizedPL": "0",
            "assetMode": "single",
        }

    def position_row(self, account: Account, position: Position, now: int) -> dict[str, Any]:
        """A position as all-position writes it."""
        symbol = str(position.symbol)
        exchange = self._exchange
        mark, terms, kept = exchange.mark(symbol, now), exchange.terms(symbol), self._kept(symbol)
        bound, profit = margin(position), unrealised(position, mark)
        liquidation = liquidation_price(
            position, maintenance=kept, taker_fee=terms.taker_fee, price_step=terms.price_step
        )
        need, have = times(mark, position.size, kept), plus(bound, profit)
        stops = {plan.type: plan for plan in account.live_plans(symbol)}
        profit_plan, loss_plan = stops.get("pos_profit"), stops.get("pos_loss")
        entry = shown(average(position))
        return {
            "marginCoin": "USDT",
            "symbol": symbol,
            "holdSide": position.side,
            "openDelegateSize": shown(self._opening(account, position)),
            "marginSize": shown(bound),
            "available": shown(position.size),
            "locked": "0",
            "total": shown(position.size),
            "leverage": str(position.leverage),
            "achievedProfits": shown(position.realised),
            "openPriceAvg": entry,
            "marginMode": account.margin_mode(symbol),
            "posMode": "one_way_mode",
            "unrealizedPL": shown(profit),
            "liquidationPrice": "0" if liquidation is None else shown(liquidation),
            "keepMarginRate": shown(kept),
            "markPrice": shown(mark),
            "marginRatio": shown(places(ratio(need, have))) if have > 0 else "1",
            "breakEvenPrice": entry,
            "totalFee": shown(minus(ZERO, position.funding)) if position.funded_ms else "",
            "deductedFee": shown(position.fees),
            "takeProfit": "" if profit_plan is None else shown(profit_plan.trigger),
            "stopLoss": "" if loss_plan is None else shown(loss_plan.trigger),
            "takeProfitId": "" if profit_plan is None else str(profit_plan.id),
            "stopLossId": "" if loss_plan is None else str(loss_plan.id),
            "assetMode": "single",
            "cTime": str(position.opened_ms),
            "uTime": str(position.changed_ms),
        }

    def _accounts(self, call: Call) -> list[dict[str, Any]]:
        checks.check_product(call)
        row = self.account_row(call.account, call.now)
        shares = {"unionTotalMargin": "0", "unionAvailable": "0", "unionMm": "0", "assetList": []}
        bound = total(margin(each) for each in call.account.paper.positions.values())
        return [row | shares | {"isolatedMargin": "0", "crossedMargin": shown(bound)}]

    def _account(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        symbol, account = checks.symbol_of(call, self._exchange.market.index), call.account
        leverage = str(account.leverage(symbol))
        return self.account_row(account, call.now) | {
            "crossedMarginLeverage": leverage,
            "isolatedLongLever": leverage,
            "isolatedShortLever": leverage,
            "marginMode": account.margin_mode(symbol),
            "posMode": account.settings.pos_mode,
        }

    def _bills(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        symbol, kind = call.text("symbol").upper(), call.text("businessType")
        found = [
            bill
            for bill in call.account.bills.values()
            if symbol in ("", bill.symbol) and kind in ("", bill.type)
        ]
        page = paged(call, found, lambda bill: bill.at)
        return {"bills": [bill_row(bill) for bill in page], "endId": end_id(page)}

    def _set_leverage(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        symbol, account = checks.symbol_of(call, self._exchange.market.index), call.account
        text = call.text("leverage") or call.text("longLeverage") or call.text("shortLeverage")
        leverage_max = self._exchange.terms(symbol).leverage_max
        if not text.isascii() or not text.isdigit() or len(text) > 4:
            raise checks.wrong("leverage")
        leverage = int(text)
        if not 1 <= leverage <= leverage_max:
            raise VenueError(checks.LEVERAGE, "Exceeded the maximum settable leverage")
        if leverage == account.settings.leverages.get(symbol):
            raise VenueError(UNCHANGED, "No change in leverage")
        position = account.position(symbol)
        if position is not None:
            moved = {Symbol(symbol): replace(position, leverage=leverage)}
            paper = replace(account.paper, positions=account.paper.positions | moved)
            if available(paper) < 0 and leverage < position.leverage:
                raise VenueError(checks.BALANCE, "The order amount exceeds the balance")
            account.keep_paper(paper)
        leverages = account.settings.leverages | {symbol: leverage}
        account.keep_settings(replace(account.settings, leverages=leverages))
        return {
            "symbol": symbol,
            "marginCoin": "USDT",
            "longLeverage": text,
            "shortLeverage": text,
            "crossMarginLeverage": text,
            "marginMode": account.margin_mode(symbol),
        }

    def _set_margin_mode(self, call: Call) -> dict[str, Any]:
        checks.check_product(call)
        symbol, account = checks.symbol_of(call, self._exchange.market.index), call.account
        call.needed("marginMode")
        checks.check_margin_mode(call, symbol)
        mode, leverage = call.text("marginMode").lower(), str(account.leverage(symbol))
        account.keep_margin_mode(symbol, mode)
        levers = {"longLeverage": leverage, "shortLeverage": leverage, "marginMode": mode}
        return {"symbol": symbol, "marginCoin": "USDT"} | levers

    def _set_position_mode(self, call: Call) -> dict[str, Any]:
        """One-way mode is the only one that is traded here."""
        checks.check_product(call)
        mode, account = call.word("posMode", "one_way_mode", "hedge_mode"), call.account
        if account.paper.positions or account.paper.orders:
            raise VenueError(HAS_OPEN, "The position mode can't be changed with open orders")
        if mode == "hedge_mode":
            raise VenueError(UNVERIFIED, "hedge_mode is not traded here: one_way_mode is")
        account.keep_settings(replace(account.settings, pos_mode="one_way_mode"))
        return {"posMode": mode}

    def _positions(self, call: Call) -> list[dict[str, Any]]:
        checks.check_product(call)
        held = call.account.paper.positions.values()
        return [self.position_row(call.account, each, call.now) for each in held]

    def _position(self, call: Call) -> list[dict[str, Any]]:
        checks.check_product(call)
        symbol = checks.symbol_of(call, self._exchange.market.index)
        position = call.account.position(symbol)
        return [] if position is None else [self.position_row(call.account, position, call.now)]

    def _closed(self, call: Call) -> dict[str, Any]:
        symbol = call.text("symbol").upper()
        found = [
            each
            for each in call.account.closed.values()
            if symbol in ("", str(each.position.symbol))
        ]
        page = paged(call, found, lambda each: each.at)
        return {"list": [closed_row(each) for each in page], "endId": end_id(page)}

    def _rate(self, call: Call) -> dict[str, str]:
        symbol = checks.symbol_of(call, self._exchange.market.index)
        terms = self._exchange.terms(symbol)
        return {"makerFeeRate": shown(terms.maker_fee), "takerFeeRate": shown(terms.taker_fee)}

    def _info(self, call: Call) -> dict[str, Any]:
        """What a key may do: trade, not withdraw."""
        return {
            "userId": call.account.settings.uid,
            "inviterId": "",
            "channelCode": "",
            "channel": "",
            "ips": "",
            "authorities": list(RIGHTS),
            "parentId": call.account.settings.uid,
            "traderType": "not_trader",
            "regisTime": "0",
        }

    def _kept(self, symbol: str) -> Decimal:
        return self._exchange.maintenance(symbol)

    @staticmethod
    def _opening(account: Account, position: Position) -> Decimal:
        """What waits to be added to the position."""
        side = "buy" if position.side == "long" else "sell"
        waiting = account.pending(str(position.symbol))
        return total(each.rest for each in waiting if each.side == side)


def bill_row(bill: Bill) -> dict[str, Any]:
    """As bill writes it."""
    return {
        "billId": str(bill.id),
        "symbol": bill.symbol,
        "amount": shown(bill.amount),
        "fee": shown(bill.fee),
        "feeByCoupon": "",
        "businessType": bill.type,
        "coin": "USDT",
        "balance": shown(bill.balance),
        "cTime": str(bill.at),
    }


def closed_row(closed: Closed) -> dict[str, Any]:
    """A round trip as history-position and the channel positions-history write it."""
    position = closed.position
    entered, exited = position.entered, position.exited
    size = closed.size
    fees = minus(ZERO, position.fees)
    return {
        "positionId": str(closed.id),
        "marginCoin": "USDT",
        "symbol": str(position.symbol),
        "holdSide": position.side,
        "posMode": "one_way_mode",
        "openAvgPrice": shown(places(ratio(entered, size))) if size else "",
        "closeAvgPrice": shown(places(ratio(exited, size))) if size else "",
        "marginMode": closed.margin_mode,
        "openTotalPos": shown(size),
        "closeTotalPos": shown(size),
        "pnl": shown(position.realised),
        "netProfit": shown(minus(position.realised, position.fees, position.funding)),
        "totalFunding": shown(minus(ZERO, position.funding)),
        "openFee": shown(fees),
        "closeFee": "0",
        "cTime": str(position.opened_ms),
        "uTime": str(closed.at),
    }


def closed_push(closed: Closed) -> dict[str, Any]:
    """As the channel `positions-history` writes it."""
    row = closed_row(closed)
    names = {
        "posId": "positionId",
        "instId": "symbol",
        "openPriceAvg": "openAvgPrice",
        "closePriceAvg": "closeAvgPrice",
        "openSize": "openTotalPos",
        "closeSize": "closeTotalPos",
        "achievedProfits": "pnl",
        "settleFee": "totalFunding",
    }
    kept = ("marginCoin", "marginMode", "holdSide", "posMode", "openFee", "closeFee")
    renamed = {new: row[old] for new, old in names.items()}
    return renamed | {name: row[name] for name in (*kept, "cTime", "uTime")}


def account_push(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `accounts` as the channel `account` writes it."""
    return {
        "marginCoin": "USDT",
        "frozen": row["locked"],
        "available": row["available"],
        "maxOpenPosAvailable": row["crossedMaxAvailable"],
        "maxTransferOut": row["maxTransferOut"],
        "equity": row["accountEquity"],
        "usdtEquity": row["usdtEquity"],
        "crossedRiskRate": row["crossedRiskRate"],
        "unrealizedPL": row["unrealizedPL"],
        "unionTotalMargin": "0",
        "unionAvailable": "0",
        "unionMm": "0",
        "assetsMode": "single",
    }


def position_push(row: dict[str, Any], position_id: int) -> dict[str, Any]:
    """A row of `all-position` as the channel `positions` writes it."""
    return {name: row[name] for name in POSITION_SAME} | {
        "posId": str(position_id),
        "instId": row["symbol"],
        "frozen": row["locked"],
        "leverage": int(row["leverage"]),  # a number on the wire
        "unrealizedPLR": "",
        "marginRate": row["marginRatio"],
        "autoMargin": "off",
    }
