"""Rows of the classic API and its private socket, made into the port's values.

Numbers are Decimal from the venue's own strings; a row that can't be read is a MalformedFrame.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    VenueFill,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueStop,
)
from chandler.exchanges.bitget.errors import MalformedFrame

State = Literal["open", "filled", "cancelled"]
STATES: dict[str, State] = {
    "init": "open",
    "new": "open",
    "live": "open",
    "partially_filled": "open",
    "partial_fill": "open",
    "filled": "filled",
    "full_fill": "filled",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}
STOP_PLANS = ("pos_loss", "loss_plan")


# REST, live (bitget-api §8.5), cut: {"symbol":"BLURUSDT","size":"40","orderId":"11903846…",
#  "clientOid":"11903846…","baseVolume":"0","fee":"0","price":"0.15","priceAvg":"",
#  "status":"live","side":"buy","tradeSide":"buy_single","posMode":"one_way_mode",
#  "reduceOnly":"NO","cTime":"1719535736339","uTime":"1719535736393"}; detail says "state".
# Socket, live 2025-03 (§2.2), cut: {"accBaseVolume":"0.2","baseVolume":"0.2","instId":"LTCUSDT",
#  "clientOid":"12869…","orderId":"12869…","side":"buy","size":"0.2","status":"filled",
#  "reduceOnly":"no","tradeId":"12869…","uTime":"1742560144693"}
def order(row: dict[str, Any]) -> VenueOrder:
    """An order of REST or of the socket's `orders` channel."""
    said = text(row, "status", "state", "orderStatus").lower()
    state = STATES.get(said)
    if state is None:
        raise MalformedFrame(f"order {text(row, 'orderId')} has status {said!r}")
    return VenueOrder(
        id=text(row, "clientOid"),
        venue_id=text(row, "orderId"),
        symbol=symbol(row),
        state=state,
        buys=_buys(row),
        reduce_only=text(row, "reduceOnly").lower() == "yes",
        size=decimal(row, "size", "qty"),
        filled=decimal(row, "accBaseVolume", "cumExecQty", "baseVolume", default=Decimal(0)),
        at=time_ms(row, "uTime", "updatedTime", "cTime", "createdTime"),
    )


# Socket, live 2024-04 (bitget-api §8.8), cut: {"orderId":"11691…","tradeId":"11691…",
#  "symbol":"LTCUSDT","side":"buy","price":"80.87","baseVolume":"0.1","profit":"0",
#  "feeDetail":[{"feeCoin":"USDT","deduction":"no","totalDeductionFee":"0",
#  "totalFee":"-0.0048522"}],"cTime":"1714471276596","uTime":"1714471276596"}
def fill(row: dict[str, Any], coin: str, order: str = "") -> VenueFill:
    """A fill of REST, which may not name the clientOid (`order`), or of the `fill` channel.

    A fee in another coin than the margin's does not touch this balance and counts as 0.
    """
    details = row.get("feeDetail")
    parts = details if isinstance(details, list) else []
    paid = [part for part in parts if text(part, "feeCoin").upper() in ("", coin)]
    fee = sum((decimal(part, "totalFee", "fee") for part in paid), Decimal(0))
    return VenueFill(
        id=text(row, "clientOid") or order,
        venue_id=text(row, "orderId"),
        trade=text(row, "tradeId", "execId", required=True),
        symbol=symbol(row),
        buys=_buys(row),
        price=decimal(row, "price", "execPrice"),
        size=decimal(row, "baseVolume", "execQty"),
        fee=-fee,
        at=time_ms(row, "cTime", "createdTime", "uTime", "updatedTime"),
    )


# Field list of bitget-api §4.6; a flat position has no row.
def position(row: dict[str, Any]) -> VenuePosition | None:
    """An open position of `all-position`; None if nothing of it is open."""
    size = decimal(row, "total")
    if not size:
        return None
    side = text(row, "holdSide").lower()
    if side not in ("long", "short"):
        raise MalformedFrame(f"{symbol(row)}: holdSide is {side!r}")
    liquidation = decimal(row, "liquidationPrice", default=Decimal(0))
    return VenuePosition(
        symbol=symbol(row),
        side="long" if side == "long" else "short",
        size=size,
        entry=decimal(row, "openPriceAvg"),
        mark=decimal(row, "markPrice", default=Decimal(0)),
        unrealised=decimal(row, "unrealizedPL", default=Decimal(0)),
        liquidation=liquidation if liquidation > 0 else None,
        leverage=int(decimal(row, "leverage")),
    )


# {"billId":"1","symbol":"BTCUSDT","amount":"-0.004992","fee":"0",
#  "businessType":"contract_settle_fee","coin":"USDT","cTime":"1695715200654"}   (official sample)
def funding(row: dict[str, Any]) -> VenueFunding:
    """A bill of type contract_settle_fee: what we paid is negative there."""
    return VenueFunding(
        bill=text(row, "billId", required=True),
        symbol=symbol(row),
        amount=-decimal(row, "amount"),
        at=time_ms(row, "cTime"),
    )


# Field list of bitget-api §4.5 and §8.6: {"planType":"pos_loss","symbol":"BTCUSDT","size":"0",
#  "orderId":"…","clientOid":"…","triggerPrice":"…","planStatus":"live",…}
def stop(row: dict[str, Any]) -> VenueStop | None:
    """A live stop of `orders-plan-pending`; None for a plan order of another kind."""
    if text(row, "planType") not in STOP_PLANS:
        return None
    return VenueStop(
        id=text(row, "clientOid"),
        venue_id=text(row, "orderId", required=True),
        symbol=symbol(row),
        trigger=decimal(row, "triggerPrice", "stopLossTriggerPrice"),
    )


def text(row: Any, *names: str, required: bool = False) -> str:
    """The first of `names` that says something, else empty."""
    for name in names:
        value = row.get(name) if isinstance(row, dict) else None
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    if required:
        raise MalformedFrame(f"a row without {names[0]}: {str(row)[:80]}")
    return ""


def symbol(row: dict[str, Any]) -> Symbol:
    """Some answers echo it in lower case (bitget-api §6.8)."""
    return Symbol(text(row, "symbol", "instId", required=True).upper())


def decimal(row: Any, *names: str, default: Decimal | None = None) -> Decimal:
    """The first of `names` that holds a number; empty and null read as absent."""
    for name in names:
        value = row.get(name) if isinstance(row, dict) else None
        if value is None or value == "" or isinstance(value, bool):
            continue
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number.adjusted()) > 30:
            raise MalformedFrame(f"{name} is {str(value)[:40]!r}, expected a number")
        return number
    if default is None:
        raise MalformedFrame(f"a row without {names[0]}: {str(row)[:80]}")
    return default


def time_ms(row: Any, *names: str) -> int:
    """The first of `names` that holds a time, ms."""
    for name in names:
        found = text(row, name)
        if found.isascii() and found.isdigit() and len(found) <= 16 and int(found):
            return int(found)
    raise MalformedFrame(f"a row without {names[0]}: {str(row)[:80]}")


def _buys(row: dict[str, Any]) -> bool:
    side = text(row, "side").lower()
    if side not in ("buy", "sell"):
        raise MalformedFrame(f"{symbol(row)}: side is {side!r}")
    return side == "buy"
