"""States of which only the newest counts: prices, forming candles, notes, marks.

Each knows what changed since it was last asked, and all of it. What nobody wants isn't encoded.
"""

from collections.abc import Iterable
from typing import Any

from chandler.core.events import CandleSealed, MatrixRow, Ticker
from chandler.core.granularity import INTERVAL_MS, Granularity
from services.gateway.streaming.telling.said import candle_members, encode

SYMBOLS_MAX = 5_000  # of which something is kept

Price = tuple[str, str, int]  # last, mark, venue's time


class Prices:
    """The newest of each symbol."""

    def __init__(self) -> None:
        self.known: dict[str, Price] = {}
        self.changed: set[str] = set()

    def take(self, ticker: Ticker) -> bool:
        """Whether it is news."""
        symbol = ticker.symbol
        known = self.known.get(symbol)
        if known is None and len(self.known) >= SYMBOLS_MAX:
            return False
        if known is not None and ticker.at < known[2]:
            return False
        self.known[symbol] = (ticker.last, ticker.mark, ticker.at)
        self.changed.add(symbol)
        return True

    def members(self, symbols: frozenset[str], *, whole: bool = False) -> bytes:
        """Of these symbols, () for all, what changed or all; b"": nothing."""
        chosen = _chosen(self.known if whole else self.changed, symbols)
        prices = {symbol: self.known[symbol] for symbol in chosen}
        if not prices and not whole:
            return b""
        return _members(whole=whole, prices=prices)


class Notes:
    """The newest row of each symbol and base granularity."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, tuple[int, bytes]]] = {}
        self.changed: set[str] = set()

    def take(self, row: MatrixRow) -> None:
        if row.symbol not in self._rows and len(self._rows) >= SYMBOLS_MAX:
            return
        rows = self._rows.setdefault(row.symbol, {})
        close_ms, _ = rows.get(row.granularity, (0, b""))
        if row.close_ms >= close_ms:
            rows[row.granularity] = (row.close_ms, _row(row))
            self.changed.add(row.symbol)

    def members(self, symbols: frozenset[str], *, whole: bool = False) -> bytes:
        """As of prices."""
        chosen = _chosen(self._rows if whole else self.changed, symbols)
        rows = [raw for symbol in chosen for _, raw in self._rows[symbol].values()]
        if not rows and not whole:
            return b""
        return b'%b,"rows":[%b]' % (_members(whole=whole), b",".join(rows))


class Forming:
    """Candles that are not over, from tickers.

    One that was met on its way is not whole: what it was before is not known here.
    """

    def __init__(self, granularities: Iterable[Granularity]) -> None:
        self._steps = {each: INTERVAL_MS[each] for each in granularities}
        self._bars: dict[str, dict[Granularity, list[Any]]] = {}

    def take(self, ticker: Ticker) -> None:
        bars = self._bars.get(ticker.symbol)
        if bars is None:
            if len(self._bars) >= SYMBOLS_MAX:
                return
            bars = self._bars[ticker.symbol] = {}
        try:
            price = float(ticker.last)
        except ValueError:
            return
        if not 0 < price < float("inf"):
            return
        for granularity, step in self._steps.items():
            open_ms = ticker.at - ticker.at % step
            bar = bars.get(granularity)
            if bar is None or bar[0] < open_ms:
                whole = bar is not None and bar[0] == open_ms - step
                bars[granularity] = [open_ms, price, price, price, price, whole]
            elif bar[0] == open_ms:
                bar[2] = max(bar[2], price)
                bar[3] = min(bar[3], price)
                bar[4] = price

    def sealed(self, candle: CandleSealed) -> None:
        """It is over: what formed is forgotten, the next one is whole from its first ticker."""
        bars = self._bars.get(candle.symbol)
        bar = bars.get(candle.granularity) if bars is not None else None
        if bar is not None and bar[0] == candle.open_ms:
            bar[1:] = [candle.open, candle.high, candle.low, candle.close, True]

    def members(self, symbol: str, granularity: Granularity) -> bytes:
        """b"": none is known."""
        bar = self._bars.get(symbol, {}).get(granularity)
        if bar is None:
            return b""
        *figures, whole = bar
        shown = (figures[0], figures[1], figures[2], figures[3], figures[4])
        return candle_members(symbol, granularity, shown, sealed=False, volume=None, whole=whole)


def _row(row: MatrixRow) -> bytes:
    return encode(
        {
            "symbol": row.symbol,
            "granularity": row.granularity,
            "close_ms": row.close_ms,
            "notes": row.notes,
            "absent": row.absent,
            "verdicts": row.verdicts,
        }
    )


def _chosen(known: Iterable[str], symbols: frozenset[str]) -> list[str]:
    return sorted(each for each in known if each in symbols) if symbols else sorted(known)


def _members(**members: Any) -> bytes:
    return encode(members)[1:-1]
