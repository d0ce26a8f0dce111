"""Records' values as columns, thousands at once, by the rules of the codec.

A value that isn't an event becomes a row of the group UNDECODABLE. Knows nothing of Kafka.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from chandler.core.events import CandleMissing, CandleSealed, Event, Ticker
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.trading.events import TickersOut
from chandler.streams.codec import TIME_MAX_MS, UndecodableError, decode
from chandler.streams.columns.decimals import split
from chandler.streams.columns.shapes import PRICES

UNDECODABLE = "@undecodable"  # no symbol begins so
OUT = "@out"  # TickersOut

Columns = dict[str, NDArray[Any]]
Value = bytes | None

CANDLE_FLOATS = ("open", "high", "low", "close", "volume", "quote_volume")
TICKER_INTS = ("at", "minute_open_ms", "shard", "shards")
_INT_MAX = 2**63 - 1


class Rows(NamedTuple):
    """Decoded records, in their order."""

    groups: list[str]  # the symbol of each row, UNDECODABLE or OUT
    columns: Columns
    texts: list[str]  # strings that are no numbers; a code n in a column is texts[n - 1]


class Decoding(NamedTuple):
    """How the values of one topic become columns of fixed names and types."""

    topic: str  # catalogue name
    types: dict[str, type[np.generic]]  # of each column
    rows: Callable[[Sequence[Value]], Rows]


class _Values:
    """The events of a topic's values; what the codec would refuse is None.

    Many at once are told from JSON as one list, which is right if each is found to be what the
    codec accepts; otherwise, one by one, the codec decides.
    """

    def __init__(self, topic: str, types: Any, sound: Callable[[list[Any]], bool]) -> None:
        self._topic = topic
        self._decode = msgspec.json.Decoder(list[types]).decode
        self._sound = sound
        self._known: set[str | None] = {None}  # symbols that it has accepted; TickersOut has none

    def events(self, values: Sequence[Value]) -> list[Event | None]:
        """One for each value. NewerSchemaError."""
        try:
            found = self._decode(b"[" + b",".join(values) + b"]")  # type: ignore[arg-type]
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            return [self._one(value) for value in values]
        plain = len(found) == len(values) and {each.v for each in found} <= {1}
        if not plain or not self._sound(found) or not self._symbols(found, values):
            return [self._one(value) for value in values]
        return list(found)

    def _symbols(self, found: list[Any], values: Sequence[Value]) -> bool:
        """Whether the codec accepts each symbol: it is asked once for each."""
        symbols = [getattr(each, "symbol", None) for each in found]
        for symbol in set(symbols) - self._known:
            if self._one(values[symbols.index(symbol)]) is None:
                return False
            self._known.add(symbol)
        return True

    def _one(self, value: Value) -> Event | None:
        try:
            event = decode(self._topic, value)
        except UndecodableError:
            return None
        return event if self._sound([event]) else None


def candle_decoding(granularity: Granularity) -> Decoding:
    """How `candles.<granularity>` becomes columns: open_ms, CANDLE_FLOATS and missing."""
    topic, interval = f"candles.{granularity}", interval_ms(granularity)

    def sound(events: list[Any]) -> bool:
        opens = _ints(events, "open_ms")
        if opens is None or {each.granularity for each in events} != {granularity}:
            return False
        return bool(np.all((opens >= 0) & (opens <= TIME_MAX_MS) & (opens % interval == 0)))

    values = _Values(topic, CandleSealed | CandleMissing, sound)

    def rows(given: Sequence[Value]) -> Rows:
        events = values.events(given)
        whole = set(map(type, events)) == {CandleSealed}
        columns: Columns = {"open_ms": np.array(_column(events, "open_ms", 0, whole), np.int64)}
        for name in CANDLE_FLOATS:
            columns[name] = np.array(_column(events, name, 0.0, whole), np.float64)
        columns["missing"] = np.array([type(each) is CandleMissing for each in events], np.bool_)
        return Rows(_column(events, "symbol", UNDECODABLE, whole), columns, [])

    types: dict[str, type[np.generic]] = {"open_ms": np.int64}
    types |= dict.fromkeys(CANDLE_FLOATS, np.float64) | {"missing": np.bool_}
    return Decoding(topic, types, rows)


def ticker_decoding() -> Decoding:
    """How `tickers` becomes columns.

    at, minute_open_ms, shard, shards, minute_volume, and of each price P in PRICES: P (mantissa),
    P_decimals and P_text (a code of Rows.texts, 0 where the mantissa says it).
    """

    def sound(events: list[Any]) -> bool:
        return all(_ints(events, name) is not None for name in TICKER_INTS)

    values = _Values("tickers", Ticker | TickersOut, sound)

    def rows(given: Sequence[Value]) -> Rows:
        events = values.events(given)
        whole = set(map(type, events)) == {Ticker}
        groups = _column(events, "symbol", UNDECODABLE, whole)
        if not whole:
            groups = [
                OUT if type(event) is TickersOut else group
                for event, group in zip(events, groups, strict=True)
            ]
        columns: Columns = {
            name: np.array(_column(events, name, 0, False), np.int64) for name in TICKER_INTS
        }
        volumes = _column(events, "minute_volume", 0.0, whole)
        columns["minute_volume"] = np.array(volumes, np.float64)
        texts: list[str] = []
        for name in PRICES:
            columns |= _price(name, _column(events, name, "0", whole), texts)
        return Rows(groups, columns, texts)

    types: dict[str, type[np.generic]] = dict.fromkeys(TICKER_INTS, np.int64)
    types |= {"minute_volume": np.float64}
    for name in PRICES:
        types |= {name: np.int64, f"{name}_decimals": np.uint8, f"{name}_text": np.int32}
    return Decoding("tickers", types, rows)


def _price(name: str, strings: Sequence[str], texts: list[str]) -> Columns:
    """A price's three columns; strings that aren't numbers go to the end of `texts`."""
    found = split(strings)
    codes = np.zeros(len(strings), np.int32)
    for row in map(int, np.flatnonzero(~found.regular)):
        texts.append(strings[row])
        codes[row] = len(texts)
    return {name: found.mantissa, f"{name}_decimals": found.decimals, f"{name}_text": codes}


def _column(events: Sequence[Any], name: str, default: Any, whole: bool) -> list[Any]:
    """The field of each event; `whole`: all of them have it."""
    if whole:
        return list(map(attrgetter(name), events))
    return [getattr(each, name, default) for each in events]


def _ints(events: Sequence[Any], name: str) -> NDArray[np.int64] | None:
    """The field of each event, 0 where it has none; None if one is too large to be kept."""
    found = [getattr(each, name, 0) for each in events]
    if found and not -_INT_MAX <= min(found) <= max(found) <= _INT_MAX:
        return None
    return np.array(found, np.int64)
