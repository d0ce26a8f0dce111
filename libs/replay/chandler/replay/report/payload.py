"""What the report's page is given: the result's figures and curves, thinned to a bounded size."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from chandler.core.events import Symbol
from chandler.replay.metrics import Metrics
from chandler.replay.metrics.measure import STILL_OPEN, portfolio
from chandler.replay.report.comparison import Comparison
from chandler.replay.result import Floats, Ints, Result, Trade
from chandler.replay.thinning import merged, thinned

POINTS_MAX = 2_000  # of a curve
CURVES_MAX = 24  # agents and benchmarks that are drawn
CANDLES_MAX = 190_000  # of all symbols together: 4 MB
CANDLES_A_SYMBOL_MAX = 20_000
CANDLES_A_SYMBOL_MIN = 300
TRADES_MAX = 20_000  # in the list
BINS_MAX = 48
ROWS_MAX = 5_000  # of each list of a comparison
TAIL = 0.005  # of the trades on each side that the outer bins gather


def payload(result: Result, metrics: Metrics) -> dict[str, Any]:
    """Everything that the page shows, as what JSON can say; money of trades is rounded."""
    thinnings: list[str] = []
    trades = _chosen(result.trades, thinnings)
    words = _Words()
    return {
        "origin": msgspec.to_builtins(result.origin),
        "from_ms": result.from_ms,
        "to_ms": result.to_ms,
        "unit": _unit(result.trades),
        "metrics": msgspec.to_builtins(metrics),
        "curves": curves(result, thinnings),
        "bins": _bins([float(each.pnl) for each in result.trades if each.closed_ms]),
        "trades": _rows(trades, result, words),
        "bars": _bars(result, trades, thinnings),
        "words": words.known,
        "refusals": result.refusals,
        "signals": result.signals,
        "notes": result.notes,
        "timings": result.timings,
        "thinned": thinnings,
    }


class _Words:
    """Names that stand many times, once; a row holds their places."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self._place: dict[str, int] = {}

    def place(self, word: str) -> int:
        if word not in self._place:
            self._place[word] = len(self.known)
            self.known.append(word)
        return self._place[word]


def _unit(trades: Sequence[Trade]) -> str:
    """USDT where all are quoted in it."""
    for coin in ("USDT", "USDC"):
        if trades and all(each.symbol.endswith(coin) for each in trades):
            return coin
    return "quote coin"


def curve(name: str, kind: str, at_ms: Ints, values: Floats, start: float, from_ms: int) -> Any:
    """One curve from its start on, as times and values of at most POINTS_MAX points."""
    times = np.concatenate(([from_ms], at_ms))
    whole = np.concatenate(([start], values))
    kept = thinned(whole, POINTS_MAX)
    return {
        "name": name,
        "kind": kind,
        "start": start,
        "t": times[kept].tolist(),
        "v": [float(f"{value:.7g}") for value in whole[kept]],
    }


def curves(result: Result, thinnings: list[str]) -> list[Any]:
    equity, _, start = portfolio(result)
    drawn = [("portfolio", "portfolio", equity, start)] if result.curves else []
    if len(result.curves) > 1:
        drawn += [
            (name, "agent", each.equity, float(each.start)) for name, each in result.curves.items()
        ]
    drawn += [(name, "benchmark", values, 1.0) for name, values in result.benchmarks.items()]
    if len(drawn) > CURVES_MAX:
        thinnings.append(f"{CURVES_MAX} of {len(drawn)} equity curves are drawn.")
        benchmarks = drawn[-len(result.benchmarks) :] if result.benchmarks else []
        drawn = [*drawn[: CURVES_MAX - len(benchmarks)], *benchmarks][:CURVES_MAX]
    if len(result.at_ms) >= POINTS_MAX and drawn:
        thinnings.append(
            f"Of {len(result.at_ms):,} points of each equity curve at most {POINTS_MAX:,} are "
            "drawn; every peak and trough is among them."
        )
    return [
        curve(name, kind, result.at_ms, values, begun, result.from_ms)
        for name, kind, values, begun in drawn
    ]


def _chosen(trades: Sequence[Trade], thinnings: list[str]) -> list[Trade]:
    """All, or those that won and lost the most; figures are of all in any case."""
    if len(trades) <= TRADES_MAX:
        return list(trades)
    thinnings.append(
        f"The list and the candles show the {TRADES_MAX:,} of {len(trades):,} trades that won or "
        "lost the most; all figures are of all trades, and trades.parquet has every one."
    )
    order = sorted(range(len(trades)), key=lambda at: (-abs(trades[at].pnl), at))[:TRADES_MAX]
    return [trades[at] for at in sorted(order)]


def _rows(trades: Sequence[Trade], result: Result, words: _Words) -> list[list[Any]]:
    """symbol, agent, side, engine, reason as places in words; times, prices, size, PnL, …"""
    stops: dict[str, float] = {}
    for fill in result.fills:
        if fill.stop is not None:
            stops.setdefault(fill.position, float(fill.stop))
    return [
        [
            words.place(each.symbol),
            words.place(each.agent),
            words.place(each.side),
            words.place(each.source),
            words.place(each.reason or STILL_OPEN),
            each.opened_ms,
            each.closed_ms,
            _price(each.entered, each.size),
            _price(each.exited, each.size) if each.closed_ms else None,
            float(each.size),
            round(float(each.pnl), 4),
            round(float(each.fees), 4),
            round(float(each.funding), 4),
            each.leverage,
            each.adds,
            stops.get(each.id),
        ]
        for each in trades
    ]


def _price(notional: Any, size: Any) -> float | None:
    return float(f"{float(notional) / float(size):.8g}") if size else None


def _bars(result: Result, trades: Sequence[Trade], thinnings: list[str]) -> dict[str, Any]:
    """Candles of symbols that were traded: the most traded ones first, while there is room."""
    counts: dict[Symbol, int] = {}
    for each in trades:
        if each.symbol in result.bars:
            counts[each.symbol] = counts.get(each.symbol, 0) + 1
    chosen = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    fitting = CANDLES_MAX // CANDLES_A_SYMBOL_MIN
    if len(chosen) > fitting:
        thinnings.append(f"Candles are of the {fitting} most traded of {len(chosen)} symbols.")
        chosen = chosen[:fitting]
    room = min(CANDLES_A_SYMBOL_MAX, CANDLES_MAX // max(1, len(chosen)))
    found: dict[str, Any] = {}
    shortened = 0
    for symbol in sorted(chosen):
        bars, length_ms = merged(result.bars[symbol], room)
        shortened += len(bars["open_ms"]) < len(result.bars[symbol]["open_ms"])
        found[symbol] = _packed(bars, length_ms)
    if shortened:
        thinnings.append(
            f"Candles of {shortened} symbols are longer than those that were traded on: at most "
            f"{room:,} a symbol are drawn."
        )
    return found


def _packed(bars: dict[str, Any], length_ms: int) -> dict[str, Any]:
    """Slots since the first as int32 and prices as float32, base64 of little-endian bytes."""
    open_ms = bars["open_ms"]
    first = int(open_ms[0]) if len(open_ms) else 0
    slots = (open_ms - first) // max(length_ms, 1)
    even = bool(np.array_equal(slots, np.arange(len(slots))))
    prices = np.column_stack([bars[name] for name in ("open", "high", "low", "close")])
    return {
        "first": first,
        "step": length_ms,
        "count": len(open_ms),
        "slots": "" if even else base64.b64encode(slots.astype("<i4").tobytes()).decode(),
        "prices": base64.b64encode(prices.astype("<f4").tobytes()).decode(),
    }


def _bins(results: Sequence[float]) -> list[list[float]]:
    """[from, to, how many] of each: equally wide, with an edge at 0; the outer ones hold the tails.

    The width is Freedman and Diaconis' (twice the quartiles' distance by the cube root of n),
    rounded to 1, 2 or 5 of a power of ten.
    """
    if not results:
        return []
    values = np.array(results)
    low, high = (float(each) for each in np.quantile(values, [TAIL, 1.0 - TAIL]))
    quarter, three = (float(each) for each in np.quantile(values, [0.25, 0.75]))
    span = max(high - low, abs(high), abs(low)) or 1.0
    width = _round(max(2.0 * (three - quarter) / np.cbrt(len(values)), span / BINS_MAX))
    begin, end = np.floor(min(low, 0.0) / width), np.ceil(max(high, 0.0) / width)
    end = max(end, begin + 1)
    edges = np.arange(begin, end + 1) * width
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return [[float(edges[at]), float(edges[at + 1]), int(count)] for at, count in enumerate(counts)]


def thinned_rows(comparison: Comparison) -> Comparison:
    """The comparison with at most ROWS_MAX trades in each of its lists."""
    return msgspec.structs.replace(
        comparison,
        only_first=comparison.only_first[:ROWS_MAX],
        only_second=comparison.only_second[:ROWS_MAX],
        differing=comparison.differing[:ROWS_MAX],
    )


def _round(width: float) -> float:
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= width))
