"""What an alert of a charting service says, as JSON or text: pure.

TradingView fills its placeholders into whatever its user wrote, so names and words are taken as
people write them. The resulting position counts for more than the order that leads to it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from chandler.core.hashing import digest
from services.gateway.problems import Problem
from services.gateway.sending.signals import unknown_symbol

Side = Literal["long", "short", "flat"]

SIDES: dict[str, Side] = {
    "buy": "long",
    "long": "long",
    "sell": "short",
    "short": "short",
    "close": "flat",
    "exit": "flat",
    "flat": "flat",
}
POSITIONS = ("market_position",)
ACTIONS = ("action", "side", "order")
TICKERS = ("ticker", "symbol")
TIMES = ("bar_time", "time")
NAMES = ("alert", "strategy")
TEXT_MAX = 200
WORDS_MAX = 200
EXPECTED = "expected action (buy, sell, close) or market_position, and ticker"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?|[0-9]{10,13}")
_WORDS = re.compile(r"[^\s,;=\"'{}()]+")


class Alert(NamedTuple):
    """An alert, understood."""

    side: Side
    symbol: str  # as the venue writes it
    name: str  # of the alert or strategy; "": it has none
    time: str  # of the bar, as it was written; "": it doesn't say
    message: str

    def key(self, hook: str) -> str:
        """The idempotency key: one signal for a bar; "": without a time each is one of its own."""
        if not self.time:
            return ""
        return digest("alert", hook, self.name, self.symbol, self.side, self.time)


def alert_of(body: bytes, symbols: Collection[str]) -> Alert:
    """What a request's body says. Problem 400, 422."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise Problem(400, "unreadable", f"the alert is no UTF-8 text: {EXPECTED}") from None
    if not text.startswith(("{", "[", '"')):
        return _of_text(text, symbols)
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise Problem(400, "unreadable", f"the alert is no JSON: {EXPECTED}") from None
    if not isinstance(said, dict):
        raise Problem(422, "invalid", f"the alert is no JSON object: {EXPECTED}")
    return _of_json(said, symbols)


def _of_json(said: Mapping[str, Any], symbols: Collection[str]) -> Alert:
    fields = {str(name).casefold(): value for name, value in said.items()}
    side = _side(_first(fields, POSITIONS)) or _side(_first(fields, ACTIONS))
    if side is None:
        raise Problem(422, "unclear_side", EXPECTED)
    return Alert(
        side=side,
        symbol=symbol_of(_first(fields, TICKERS), symbols),
        name=_line(_first(fields, NAMES)),
        time=_line(_first(fields, TIMES)),
        message=_line(_first(fields, ("message",))),
    )


def _of_text(text: str, symbols: Collection[str]) -> Alert:
    """Words in any order: buy BITGET:BTCUSDT.P 2024-05-01T12:00:00Z"""
    words = _WORDS.findall(text)[:WORDS_MAX]
    side = next((SIDES[word.casefold()] for word in words if word.casefold() in SIDES), None)
    if side is None:
        raise Problem(422, "unclear_side", EXPECTED)
    known = [plain for word in words if (plain := _plain(word)) in symbols]
    if not known:
        raise Problem(422, "unknown_symbol", "the alert names no symbol that is followed here")
    time = next((word for word in words if _TIME.fullmatch(word)), "")
    return Alert(side=side, symbol=known[0], name="", time=time, message=_line(text))


def symbol_of(ticker: str, symbols: Collection[str]) -> str:
    """BITGET:BTCUSDT.P → BTCUSDT. Problem 422 where that isn't followed."""
    if not ticker:
        raise Problem(422, "unclear_symbol", EXPECTED)
    found = _plain(ticker)
    if found not in symbols:
        raise unknown_symbol(_line(ticker)[:40], symbols)
    return found


def _plain(ticker: str) -> str:
    """Without the exchange before it and the mark of a perpetual after it."""
    return ticker.rpartition(":")[2].upper().removesuffix(".P").removesuffix("PERP")


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these fields that says something."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value).strip()
    return ""


def _side(word: str) -> Side | None:
    return SIDES.get(word.casefold())


def _line(text: str) -> str:
    """One line of what can be shown."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:TEXT_MAX]
