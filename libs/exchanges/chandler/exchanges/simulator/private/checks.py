"""Reads what a client sent and says no with the venue's codes (bitget-api §4.9)."""

import re
from decimal import Decimal
from typing import Any, Literal, NamedTuple, cast

from chandler.core.trading.money import AmountError, amount, is_multiple, shown, times
from chandler.core.trading.paper.account import Refused
from chandler.core.trading.position import Position
from chandler.core.trading.terms import CLOSING, OPENING, Terms
from chandler.exchanges.simulator.private.account import Account
from chandler.exchanges.simulator.private.records import Draft, Side
from chandler.exchanges.simulator.rest import NO_SYMBOL, REMOVED, UNVERIFIED, VenueError
from chandler.exchanges.simulator.sockets import INST_TYPE

CLIENT_OID = re.compile(r"[0-9A-Za-z_:#\-+.]{1,50}")
FORCES = ("gtc", "ioc", "fok", "post_only")
ONE = Decimal(1)
DUPLICATE, NO_POSITION, BALANCE, ONE_WAY = "40786", "22002", "40762", "40774"
MARGIN_MODE = "45117"
EMPTY, MAINTENANCE, CLOSE_ONLY = "40019", "41114", "40844"
SIZE_SCALE, PRICE_SCALE, SIZE_MIN, NOTIONAL_MIN = "40808", "41103", "45111", "45110"
BAND_ABOVE, BAND_BELOW, LEVERAGE, NO_ORDER = "40815", "40816", "40797", "40109"
LONG_PROFIT, LONG_LOSS, SHORT_PROFIT, SHORT_LOSS = "40915", "40917", "40830", "45122"


class Call(NamedTuple):
    """A request whose sender is known."""

    account: Account
    args: dict[str, Any]  # of the query, or the body
    now: int  # venue's time

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text; what is null or absent is the default."""
        value = self.args.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool | dict | list):
            raise wrong(name)
        return str(value)

    def needed(self, name: str) -> str:
        """A parameter that has to be there."""
        text = self.text(name)
        if not text:
            raise VenueError(EMPTY, f"Parameter {name} cannot be empty")
        return text

    def number(self, name: str) -> Decimal | None:
        """A price or size above 0; None where it is absent or 0."""
        text = self.text(name)
        try:
            value = amount(text, name) if text else None
        except AmountError:
            raise wrong(name) from None
        if value is not None and value < 0:
            raise wrong(name)
        return value or None

    def whole(self, name: str, default: int) -> int:
        """A whole number, as of times, ids and limits."""
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 20:
            raise wrong(name)
        return int(text)

    def word(self, name: str, *words: str, default: str = "") -> str:
        """One of some words, whatever the case."""
        text = self.text(name, default).lower()
        if text not in words:
            raise wrong(name) if text else VenueError(EMPTY, f"Parameter {name} cannot be empty")
        return text


def wrong(name: str) -> VenueError:
    """A parameter that makes no sense."""
    return VenueError(UNVERIFIED, f"Parameter verification failed {name}")


def check_product(call: Call) -> None:
    """Only USDT-M perpetuals are traded."""
    if call.needed("productType").upper() != INST_TYPE:
        raise wrong("productType")
    if call.text("marginCoin", "USDT").upper() != "USDT":
        raise wrong("marginCoin")


def symbol_of(call: Call, known: dict[str, int]) -> str:
    """The symbol that the request names."""
    symbol = call.needed("symbol").upper()
    if symbol not in known:
        raise VenueError(NO_SYMBOL, f"Parameter {symbol} does not exist")
    return symbol


def check_status(status: str, *, reduces: bool) -> None:
    """Whether orders are taken in a contract of this symbolStatus."""
    if status in OPENING or (reduces and status in CLOSING):
        return
    if status == "off":
        raise VenueError(REMOVED, "The symbol has been removed")
    if status == "limit_open":
        raise VenueError(CLOSE_ONLY, "The contract under this trading pair can only be closed")
    raise VenueError(MAINTENANCE, "The current trading pair is under maintenance")


def client_oid(call: Call) -> str:
    """The client's own id; not one of an order that is pending. Empty: there is none."""
    text = call.text("clientOid")
    if text and not CLIENT_OID.fullmatch(text):
        raise wrong("clientOid")
    if text and call.account.is_pending(text):
        raise VenueError(DUPLICATE, "Duplicate clientOid")
    return text


def check_mode(call: Call) -> None:
    """Orders are those of one-way mode; hedge mode is told apart and refused."""
    trade_side = call.text("tradeSide").lower()
    if call.account.settings.pos_mode == "hedge_mode":
        if trade_side:
            raise VenueError(UNVERIFIED, "hedge mode is not traded here: set one_way_mode")
        raise VenueError(ONE_WAY, "The order type must be that of the position mode")
    if trade_side in ("open", "close"):
        raise VenueError(
            ONE_WAY,
            "The order type for unilateral position must also be the unilateral position type.",
        )


def draft_of(call: Call, symbol: str, status: str) -> Draft:
    """The order that place-order describes; its size and money are checked by core."""
    check_mode(call)
    kind = call.word("orderType", "market", "limit")
    reduce_only = call.word("reduceOnly", "yes", "no", default="NO") == "yes"
    check_status(status, reduces=reduce_only)
    size, price = call.number("size"), call.number("price")
    if size is None:
        raise VenueError(EMPTY, "Parameter size cannot be empty")
    if kind == "limit" and price is None:
        raise VenueError(EMPTY, "Parameter price cannot be empty")
    check_margin_mode(call, symbol)
    force = call.word("force", *FORCES, default="gtc") if kind == "limit" else "ioc"
    side = cast("Side", call.word("side", "buy", "sell"))
    position = call.account.position(symbol)
    if reduce_only and (position is None or (position.side == "long") == (side == "buy")):
        raise VenueError(NO_POSITION, "No position to close")
    return Draft(
        symbol=symbol,
        side=side,
        size=size,
        price=price if kind == "limit" else None,
        force=cast('Literal["gtc", "ioc", "fok", "post_only"]', force),
        reduce_only=reduce_only,
        client_oid=client_oid(call),
        take_profit=call.number("presetStopSurplusPrice"),
        stop_loss=call.number("presetStopLossPrice"),
    )


def check_margin_mode(call: Call, symbol: str) -> None:
    """An order's marginMode is the symbol's, or becomes it where nothing is open yet."""
    account = call.account
    mode = account.margin_mode(symbol)
    given = call.word("marginMode", "crossed", "isolated", default=mode)
    if given != mode and (account.position(symbol) or account.pending(symbol)):
        raise VenueError(MARGIN_MODE, "The margin mode can't be changed with positions or orders")


def check_band(draft: Draft, mark: Decimal, contract: dict[str, Any]) -> None:
    """A limit price must not be far on the wrong side of the mark price."""
    if draft.price is None:
        return
    above = times(mark, ONE + amount(contract["buyLimitPriceRatio"]))
    below = times(mark, ONE - amount(contract["sellLimitPriceRatio"]))
    if draft.side == "buy" and draft.price > above:
        raise VenueError(BAND_ABOVE, f"The price cannot be higher than {shown(above)}")
    if draft.side == "sell" and draft.price < below:
        raise VenueError(BAND_BELOW, f"The price cannot be lower than {shown(below)}")


def check_stops(
    take_profit: Decimal | None, stop_loss: Decimal | None, mark: Decimal, *, long: bool
) -> None:
    """A take profit lies beyond the mark price, a stop before it."""
    if take_profit is not None and (take_profit <= mark if long else take_profit >= mark):
        code = LONG_PROFIT if long else SHORT_PROFIT
        side, where = ("long", "higher") if long else ("short", "lower")
        raise VenueError(code, f"The take profit of a {side} must be {where} than the mark price")
    if stop_loss is not None and (stop_loss >= mark if long else stop_loss <= mark):
        code = LONG_LOSS if long else SHORT_LOSS
        side, where = ("long", "lower") if long else ("short", "higher")
        raise VenueError(code, f"The stop loss of a {side} must be {where} than the mark price")


def check_price(price: Decimal | None, terms: Terms) -> None:
    """On the venue's grid."""
    if price is not None and not is_multiple(price, terms.price_step):
        raise VenueError(PRICE_SCALE, "param price scale error error")


def check_size(size: Decimal, terms: Terms) -> None:
    """On the venue's grid."""
    if not is_multiple(size, terms.size_step):
        raise VenueError(SIZE_SCALE, _scale(size, terms))


def stop_position(call: Call, symbol: str) -> Position:
    """The position that a stop is for. VenueError if there is none, or it is the other way."""
    position = call.account.position(symbol)
    if position is None:
        raise VenueError(NO_POSITION, "No position to close")
    held = call.word("holdSide", "long", "short", "buy", "sell", default=position.side)
    if {"buy": "long", "sell": "short"}.get(held, held) != position.side:
        raise VenueError(NO_POSITION, "No position to close")
    return position


def refusal(refused: Refused, terms: Terms, size: Decimal, status: str) -> VenueError:
    """Core's no in the venue's words."""
    match refused.code:
        case "suspended":
            try:
                check_status(status, reduces=True)
            except VenueError as error:
                return error
            return VenueError(CLOSE_ONLY, "The contract under this trading pair can only be closed")
        case "size_step":
            return VenueError(SIZE_SCALE, _scale(size, terms))
        case "notional_min":
            least = shown(terms.notional_min)
            return VenueError(NOTIONAL_MIN, f"less than the minimum amount {least} USDT")
        case "size_min":
            least = shown(terms.size_min)
            return VenueError(SIZE_MIN, f"less than the minimum order quantity {least}")
        case "duplicate" | "leverage" | "price_step" | "no_price" | "no_position" | "margin":
            code, text = {
                "duplicate": (DUPLICATE, "Duplicate clientOid"),
                "leverage": (LEVERAGE, "Exceeded the maximum settable leverage"),
                "price_step": (PRICE_SCALE, "param price scale error error"),
                "no_price": (MAINTENANCE, "The current trading pair has no price"),
                "no_position": (NO_POSITION, "No position to close"),
                "margin": (BALANCE, "The order amount exceeds the balance"),
            }[refused.code]
            return VenueError(code, text)


def _scale(size: Decimal, terms: Terms) -> str:
    exponent = terms.size_step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return (
        f"Parameter verification exception size checkBDScale error value={shown(size)} "
        f"checkScale={max(-exponent, 0)}"
    )
