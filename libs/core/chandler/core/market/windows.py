"""Views of the whole market by window: movers, volume leaders, breadth, volatility ranks.

Each symbol's sealed 5m candles become rows with running totals, so that any window is the
difference of two rows. Windows are event time: the venue's clock may run a thousand times ours.
Disposable: nothing that decides reads it. Knows nothing of faust.
"""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from chandler.core.events import Candle, CandleSealed, MarketView, Symbol
from chandler.core.granularity import MINUTE_MS, Granularity

BASE = Granularity("5m")
STEP_MS = 5 * MINUTE_MS
WINDOWS: dict[str, int] = {"5m": 1, "1h": 12, "24h": 288}  # window → how many 5m candles
SLOTS = max(WINDOWS.values()) + 1  # rows kept for each symbol: a window needs both its ends
RANKED = 10  # symbols in each list
EMA_PERIOD = 50
LIVING_STEPS = 12  # a symbol that is silent for longer is not waited for, and begins anew


class Row(NamedTuple):
    """A symbol at one 5m close."""

    close_ms: int
    close: float
    quote_volume_total: float  # quote coin, since `since_ms`
    return_square_total: float  # squared 5m returns, since `since_ms`
    ema: float  # EMA(50) of closes, seeded with the first close
    since_ms: int  # close of the first row: rows with the same one belong together


def slot(close_ms: int) -> int:
    """Where the row of `close_ms` is kept: rows of the same slot are SLOTS candles apart."""
    return close_ms // STEP_MS % SLOTS


def next_row(before: Row | None, candle: Candle) -> Row | None:
    """The row after `candle`; None if there is nothing new in it.

    A missing slot repeats the last close. A short hole (a row that was lost in a crash) is bridged,
    after a long one the row starts anew.
    """
    if before is not None and candle.close_ms <= before.close_ms:
        return None
    joins = before is not None and candle.close_ms <= before.close_ms + LIVING_STEPS * STEP_MS
    if not isinstance(candle, CandleSealed):
        return before._replace(close_ms=candle.close_ms) if before is not None and joins else None
    if before is None or not joins:
        return Row(
            candle.close_ms, candle.close, candle.quote_volume, 0.0, candle.close, candle.close_ms
        )
    change = candle.close / before.close - 1.0 if before.close > 0.0 else 0.0
    return Row(
        close_ms=candle.close_ms,
        close=candle.close,
        quote_volume_total=before.quote_volume_total + candle.quote_volume,
        return_square_total=before.return_square_total + change * change,
        ema=before.ema + (candle.close - before.ema) * 2.0 / (EMA_PERIOD + 1),
        since_ms=before.since_ms,
    )


class Market:
    """The last rows of every symbol, and which close was shown last."""

    def __init__(self) -> None:
        self._rows: dict[Symbol, dict[int, Row]] = {}
        self._newest: dict[Symbol, Row] = {}
        self._shown_ms = 0
        self._shown_symbols = 0  # that had this close

    def newest(self, symbol: Symbol) -> Row | None:
        """The symbol's newest row."""
        return self._newest.get(symbol)

    def put(self, symbol: Symbol, row: Row) -> None:
        """Takes in a row; an older one than the newest only fills its slot."""
        self._rows.setdefault(symbol, {})[slot(row.close_ms)] = row
        held = self._newest.get(symbol)
        if held is None or row.close_ms > held.close_ms:
            self._newest[symbol] = row

    def row(self, symbol: Symbol, close_ms: int) -> Row | None:
        """The symbol's row at exactly `close_ms`."""
        row = self._rows.get(symbol, {}).get(slot(close_ms))
        return row if row is not None and row.close_ms == close_ms else None

    def due(self) -> int | None:
        """The close to show now, ms: all living symbols have it, or half are past it.

        A symbol lives that is not far behind the newest of all: those that are no longer ingested
        hold nothing up, however many they are. A close that was shown without stragglers is due
        again with each that catches up.
        """
        if not self._newest:
            return None
        newest = max(row.close_ms for row in self._newest.values())
        closes = sorted(
            (
                row.close_ms
                for row in self._newest.values()
                if row.close_ms > newest - LIVING_STEPS * STEP_MS
            ),
            reverse=True,
        )
        most = closes[(len(closes) - 1) // 2]  # at least half have got this far
        slowest = min(close for close in closes if close > most - LIVING_STEPS * STEP_MS)
        front = max(slowest, most - STEP_MS)
        have = sum(close >= front for close in closes)
        return front if (front, have) > (self._shown_ms, self._shown_symbols) else None

    def show(self, close_ms: int) -> list[MarketView]:
        """The views at a close, one for each window that at least one symbol fills."""
        self._shown_ms = close_ms
        self._shown_symbols = sum(row.close_ms >= close_ms for row in self._newest.values())
        views = []
        for window, steps in WINDOWS.items():
            spans = self._spans(close_ms, steps)
            if spans:
                views.append(view(window, close_ms, steps, spans))
        return views

    def _spans(self, close_ms: int, steps: int) -> dict[Symbol, tuple[Row, Row]]:
        spans = {}
        for symbol in self._rows:
            last = self.row(symbol, close_ms)
            first = self.row(symbol, close_ms - steps * STEP_MS)
            if last is not None and first is not None and last.since_ms == first.since_ms:
                spans[symbol] = (first, last)
        return spans


def view(
    window: str, close_ms: int, steps: int, spans: Mapping[Symbol, tuple[Row, Row]]
) -> MarketView:
    """The market between the two rows of each symbol, `steps` 5m candles apart.

    Volatility is the root of the mean squared 5m return: a standard deviation about zero.
    """
    changes = {
        symbol: last.close / first.close - 1.0
        for symbol, (first, last) in spans.items()
        if first.close > 0.0
    }
    rising = [symbol for symbol, change in changes.items() if change > 0.0]
    falling = [symbol for symbol, change in changes.items() if change < 0.0]
    above = [symbol for symbol, (_, last) in spans.items() if last.close > last.ema]
    volumes = {
        symbol: last.quote_volume_total - first.quote_volume_total
        for symbol, (first, last) in spans.items()
    }
    volatility = {
        symbol: sqrt(max(last.return_square_total - first.return_square_total, 0.0) / steps)
        for symbol, (first, last) in spans.items()
    }
    return MarketView(
        window=window,
        at=close_ms,
        symbols=len(spans),
        movers_up=_ranked({symbol: changes[symbol] for symbol in rising}),
        movers_down=_ranked({symbol: changes[symbol] for symbol in falling}, lowest=True),
        leaders=_ranked(volumes),
        volatility=_ranked(volatility),
        up=len(rising) / len(spans),
        down=len(falling) / len(spans),
        above_ema=len(above) / len(spans),
    )


def _ranked(values: Mapping[Symbol, float], *, lowest: bool = False) -> list[tuple[Symbol, float]]:
    sign = 1.0 if lowest else -1.0
    return sorted(values.items(), key=lambda item: (sign * item[1], item[0]))[:RANKED]
