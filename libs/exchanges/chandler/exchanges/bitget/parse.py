"""Turns the venue's public frames and rows into values. Knows nothing of sockets and time.

Frames are read leniently where the venue is loose (numbers or strings, codes of both kinds) and
strictly where money is at stake: a row that can't be true is set aside with its cause.
"""

from typing import Any, Final, NamedTuple

import msgspec
import orjson

from chandler.core.events import Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.exchanges.bitget.errors import MalformedFrame
from chandler.exchanges.bitget.symbols import GRANULARITY, TICKER

PRICE_MAX = 1e12  # quote coin; above it is absurd
VOLUME_MAX = 1e18  # base or quote coin
TIME_MAX_MS = 4_102_444_800_000  # 2100-01-01
RAW_SHOWN = 80  # characters of a bad message in an error


class CandleRow(NamedTuple):
    """One candle, forming or finished; floats are made from the venue's strings."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float  # base coin
    quote_volume: float  # quote coin


class Rejected(NamedTuple):
    """A row that can't be true."""

    raw: str
    cause: str  # short and stable, a metric's label


class CandlePush(msgspec.Struct, frozen=True):
    """Rows of one symbol and granularity, as the venue sent them, impossible ones set aside."""

    symbol: Symbol
    granularity: Granularity
    snapshot: bool  # the history that follows a subscription, not news
    rows: list[CandleRow]  # in the venue's order; the last one is usually still forming
    ts: int  # venue's time of the push, ms
    rejected: list[Rejected] = []


class TickerPush(msgspec.Struct, frozen=True):
    """Last prices of a symbol: the venue's own strings. An empty side of the book reads as last."""

    symbol: Symbol
    at: int  # venue's time, ms
    last: str
    bid: str
    ask: str
    mark: str
    rate: str  # funding rate, fraction; "0" where the venue states none
    next_funding_ms: int  # 0 where the venue states none (REST)
    quote_volume_24h: float  # quote coin


class Pong(msgspec.Struct, frozen=True):
    """The answer to our text ping."""


class Subscribed(msgspec.Struct, frozen=True):
    """The venue took one argument of a subscribe message."""

    symbol: Symbol
    channel: str


class Unsubscribed(msgspec.Struct, frozen=True):
    """The venue took one argument of an unsubscribe message."""

    symbol: Symbol
    channel: str


class Refused(msgspec.Struct, frozen=True):
    """The venue refused a request. Symbol and channel are empty where it names none."""

    symbol: Symbol
    channel: str
    code: int  # 0 where it isn't a number
    message: str


Frame = CandlePush | TickerPush | Pong | Subscribed | Unsubscribed | Refused

_PONG: Final = Pong()


# pong                                                                       (text, not JSON)
# {"event":"subscribe","arg":{"instType":"USDT-FUTURES","channel":"candle1m","instId":"BTCUSDT"}}
# {"action":"snapshot","arg":{"instType":"USDT-FUTURES","channel":"candle1m","instId":"BTCUSDT"},
#  "data":[["1695685500000","27000","27000.5","27000","27000.5","0.057","1539.0155","1539.0155"]],
#  "ts":1695715462250}                                     (official sample, 2023-09-26, bitget-api)
def parse_frame(raw: str | bytes) -> Frame:
    """The frame in `raw`; MalformedFrame for anything that is none."""
    if len(raw) == 4 and raw in ("pong", b"pong"):
        return _PONG
    try:
        frame = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedFrame(f"not JSON ({error}): {_shown(raw)}") from None
    if type(frame) is not dict:
        raise MalformedFrame(f"not an object: {_shown(raw)}")
    if "event" in frame:
        return _parse_event(frame, raw)
    arg, data = frame.get("arg"), frame.get("data")
    if type(arg) is not dict or type(data) is not list:
        raise MalformedFrame(f"neither event nor push: {_shown(raw)}")
    symbol, channel = arg.get("instId"), arg.get("channel")
    if type(symbol) is not str or type(channel) is not str or not symbol:
        raise MalformedFrame(f"a push without symbol or channel: {_shown(raw)}")
    ts = _time_ms(frame.get("ts"))
    granularity = GRANULARITY.get(channel)
    if granularity is not None:
        if ts is None:
            raise MalformedFrame(f"a push without time: {_shown(raw)}")
        rows, rejected = parse_rows(data, granularity)
        snapshot = frame.get("action") == "snapshot"
        return CandlePush(Symbol(symbol), granularity, snapshot, rows, ts, rejected)
    if channel == TICKER:
        if not data:
            raise MalformedFrame(f"a ticker push without data: {_shown(raw)}")
        return parse_ticker(data[-1], symbol, ts)
    raise MalformedFrame(f"unknown channel {channel[:RAW_SHOWN]!r}")


def parse_rows(data: list[Any], granularity: Granularity) -> tuple[list[CandleRow], list[Rejected]]:
    """The rows that can be true, in their order, and those that can't, with the cause."""
    interval = INTERVAL_MS[granularity]
    rows: list[CandleRow] = []
    rejected: list[Rejected] = []
    for raw in data:
        row = _row(raw, interval)
        if type(row) is CandleRow:
            rows.append(row)
        else:
            rejected.append(Rejected(_shown(_dumped(raw), 4 * RAW_SHOWN), str(row)))
    return rows, rejected


# A row is 8 strings over the socket, 7 over REST: open time, open, high, low, close, base volume,
# quote volume (, quote volume again). There is no flag for "closed" (bitget-api §1.4).
def _row(raw: Any, interval: int) -> CandleRow | str:
    """The row, or the cause why it can't be true."""
    if type(raw) is not list or not 7 <= len(raw) <= 8:
        return "wrong number of fields"
    try:
        text = "".join(raw)
    except TypeError:
        if not all(type(field) in (str, int, float) for field in raw):
            return "not a number"
        raw = [str(field) for field in raw]
        text = "".join(raw)
    if "_" in text or not text.isascii():  # Python would read 1_000 and other scripts' digits
        return "not a number"
    try:
        open_ms = int(raw[0])
        opened, high, low, close = float(raw[1]), float(raw[2]), float(raw[3]), float(raw[4])
        volume, quote_volume = float(raw[5]), float(raw[6])
    except ValueError:
        return "not a number"
    if not 0 < open_ms <= TIME_MAX_MS or open_ms % interval:
        return "open time off the grid"
    if not (0.0 < low <= opened <= high <= PRICE_MAX and low <= close <= high):
        return _price_fault(opened, high, low, close)
    if not (0.0 <= volume <= VOLUME_MAX and 0.0 <= quote_volume <= VOLUME_MAX):
        return "impossible volume"
    # + 0.0: a negative zero would be another candle by its hash
    return CandleRow(open_ms, opened, high, low, close, volume + 0.0, quote_volume + 0.0)


def _price_fault(opened: float, high: float, low: float, close: float) -> str:
    prices = (opened, high, low, close)
    if not all(-float("inf") < price < float("inf") for price in prices):
        return "price not finite"
    if min(prices) <= 0.0:
        return "price not positive"
    if max(prices) > PRICE_MAX:
        return "absurd price"
    if high < low:
        return "high < low"
    return "open or close outside [low, high]"


# Official sample, 2023-09-26; the envelope is that of the candles:
# {"action":"snapshot","arg":{"instType":"USDT-FUTURES","channel":"ticker","instId":"BTCUSDT"},
#  "data":[{"instId":"BTCUSDT","lastPr":"27000.5","bidPr":"27000","askPr":"27000.5",…,
#  "fundingRate":"0.000010","nextFundingTime":"1695722400000","markPrice":"27000.0",…,
#  "quoteVolume":"10152429.961","symbolType":1,"ts":"1695715383021"}],"ts":1695715383039}
def parse_ticker(row: Any, symbol: str, ts: int | None) -> TickerPush:
    """A ticker of the socket or of REST; MalformedFrame if a price can't be true."""
    if type(row) is not dict:
        raise MalformedFrame(f"{symbol}: a ticker that is no object: {_shown(_dumped(row))}")
    at = _time_ms(row.get("ts")) or ts
    if at is None:
        raise MalformedFrame(f"{symbol}: a ticker without time")
    last = _price(row, "lastPr", symbol)
    if not last:
        raise MalformedFrame(f"{symbol}: a ticker without a last price")
    volume = row.get("quoteVolume") or row.get("usdtVolume") or 0
    return TickerPush(
        Symbol(symbol),
        at,
        last,
        _price(row, "bidPr", symbol) or last,
        _price(row, "askPr", symbol) or last,
        _price(row, "markPrice", symbol) or last,
        _number(row.get("fundingRate") or 0, "fundingRate", symbol, -1.0, 1.0),
        _time_ms(row.get("nextFundingTime")) or 0,
        float(_number(volume, "quoteVolume", symbol, 0.0, VOLUME_MAX)),
    )


def _price(row: dict[str, Any], field: str, symbol: str) -> str:
    """The venue's own string; empty where it states nothing or zero."""
    value = row.get(field)
    if value is None or value == "":
        return ""
    text = _number(value, field, symbol, 0.0, PRICE_MAX)
    return text if float(text) else ""


def _number(value: Any, field: str, symbol: str, least: float, most: float) -> str:
    if type(value) in (str, int, float):
        text = str(value)
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if least <= number <= most and "_" not in text and text.isascii():
            return text.strip()
    raise MalformedFrame(f"{symbol}: {field} is {_shown(_dumped(value))}")


def _time_ms(value: Any) -> int | None:
    """Unix ms, written as a number or as a string; None if it is none."""
    if type(value) is str and len(value) <= 16 and value.isascii() and value.isdigit():
        value = int(value)
    return value if type(value) is int and 0 < value <= TIME_MAX_MS else None


# Shape of bitget-api §1.2, the names filled in; undated:
# {"event":"error","arg":{"instType":"USDT-FUTURES","channel":"candle1m","instId":"NOPE"},
#  "code":30001,"msg":"instType:USDT-FUTURES,channel:candle1m,instId:NOPE doesn't exist",
#  "op":"subscribe"}
def _parse_event(frame: dict[str, Any], raw: str | bytes) -> Frame:
    arg = frame.get("arg")
    arg = arg if type(arg) is dict else {}
    symbol, channel = Symbol(_text(arg.get("instId"))), _text(arg.get("channel"))
    match frame["event"]:
        case "subscribe" if symbol and channel:
            return Subscribed(symbol, channel)
        case "unsubscribe" if symbol and channel:
            return Unsubscribed(symbol, channel)
        case "error":
            code = str(frame.get("code"))
            number = int(code) if code.isascii() and code.isdigit() and len(code) <= 9 else 0
            return Refused(symbol, channel, number, _text(frame.get("msg"))[: 4 * RAW_SHOWN])
    raise MalformedFrame(f"unknown event: {_shown(raw)}")


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # reads deeper nesting than it writes
        return b"(deeply nested)"


def _shown(raw: str | bytes, most: int = RAW_SHOWN) -> str:
    """The beginning of a message, on one line and in ASCII."""
    text = raw[:most]
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return text.encode("ascii", "backslashreplace").decode().replace("\n", " ")
