"""Draws candles, and a trade among them, with matplotlib, without a display."""

import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from chandler.core.events import CandleSealed
from chandler.core.granularity import DAY_MS, INTERVAL_MS, Granularity
from services.showing.figures import lasting, money, price

INCHES, DPI = (12.0, 6.5), 110
RISE, FALL, STOP, TARGET, ENTRY, EXIT = (
    "#2e9e6b",
    "#d1495b",
    "#b3261e",
    "#1c6fbb",
    "#123c69",
    "#7b2d8b",
)


class Scene(NamedTuple):
    """A trade and what is drawn with it."""

    trade: dict[str, Any]
    fills: list[dict[str, Any]]
    granularity: Granularity
    candles: list[CandleSealed]


def draw(scene: Scene, path: Path) -> None:
    """Writes the PNG; the file is whole or not there."""
    canvas, axes = sheet(INCHES)
    candles(axes, scene.candles, scene.granularity)
    _levels(axes, scene)
    _fills(axes, scene)
    axes.set_title(_title(scene), loc="left", fontsize=11)
    axes.set_ylabel("price")
    axes.set_xlabel(f"UTC, candles of {scene.granularity}")
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(loc="best", fontsize=8, framealpha=0.85)
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_bytes(png(canvas))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def sheet(inches: tuple[float, float]) -> tuple[FigureCanvasAgg, Axes]:
    """An empty picture of that size, with a grid and times of UTC below."""
    figure = Figure(figsize=inches, dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return canvas, axes


def png(canvas: FigureCanvasAgg) -> bytes:
    """The picture as a file's bytes."""
    output = io.BytesIO()
    canvas.print_png(output)
    return output.getvalue()


def days(ms: int) -> float:
    """A time where the axis of times has it."""
    return ms / DAY_MS


def candles(axes: Axes, drawn: Sequence[CandleSealed], granularity: Granularity) -> None:
    """Draws candles, rising ones in green."""
    width = INTERVAL_MS[granularity] / DAY_MS
    for rising, colour in ((True, RISE), (False, FALL)):
        found = [each for each in drawn if (each.close >= each.open) == rising]
        middle = [days(each.open_ms) + width / 2 for each in found]
        lows = [each.low for each in found]
        axes.vlines(middle, lows, [each.high for each in found], color=colour, linewidth=0.8)
        bottoms = [min(each.open, each.close) for each in found]
        heights = [abs(each.close - each.open) for each in found]
        axes.bar(
            middle, heights, 0.7 * width, bottoms, color=colour, linewidth=0.4, edgecolor=colour
        )


def _levels(axes: Axes, scene: Scene) -> None:
    """Stop and targets over the trade's time."""
    trade = scene.trade
    begin = days(trade["opened_ms"])
    last = scene.candles[-1].close_ms
    end = days(trade["closed_ms"] or max(last, trade["changed_ms"]))
    if trade["stop"] is not None:
        axes.hlines(
            float(trade["stop"]), begin, end, color=STOP, linestyle="--", linewidth=1.1,
            label=f"stop {price(trade['stop'])}",
        )  # fmt: skip
    for number, target in enumerate(trade["targets"], 1):
        axes.hlines(
            float(target), begin, end, color=TARGET, linestyle=":", linewidth=1.1,
            label=f"target {number} {price(Decimal(target))}",
        )  # fmt: skip


def _fills(axes: Axes, scene: Scene) -> None:
    for action, colour, name in (
        ("open", ENTRY, "entry"),
        ("add", ENTRY, "add"),
        ("close", EXIT, "exit"),
    ):
        found = [each for each in scene.fills if each["action"] == action]
        if not found:
            continue
        buys = (scene.trade["side"] == "long") == (action != "close")
        axes.scatter(
            [days(each["at"]) for each in found],
            [float(each["price"]) for each in found],
            s=90, marker="^" if buys else "v", color=colour, edgecolors="white", linewidths=0.8,
            zorder=5, label=f"{name} {_average(found)}",
        )  # fmt: skip


def _average(fills: list[dict[str, Any]]) -> str:
    size: Decimal = sum((each["size"] for each in fills), Decimal(0))
    cost: Decimal = sum((each["size"] * each["price"] for each in fills), Decimal(0))
    return price(cost / size)


def _title(scene: Scene) -> str:
    trade = scene.trade
    pnl: Decimal = trade["pnl"]
    share = pnl / trade["entry_notional"] * 100 if trade["entry_notional"] else Decimal(0)
    end = trade["reason"] or "still open"
    return (
        f"{trade['symbol']} {trade['side']} {trade['leverage']}x   {trade['agent']} · "
        f"{trade['source']}   PnL {'+' if pnl > 0 else ''}{money(pnl)} ({share:+.2f} % of "
        f"{money(trade['entry_notional'])})   {end}, {lasting(trade['duration_ms'])}"
    )
