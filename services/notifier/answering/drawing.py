"""Draws what pictures show, small enough for a telephone and with words that can be read there.

One picture at a time: what matplotlib keeps of fonts is not made for several threads.
"""

import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from chandler.core.events import CandleSealed
from chandler.core.granularity import INTERVAL_MS
from chandler.core.notices.text import clean
from chandler.core.notices.words import moment, signed
from chandler.core.trading.money import ZERO, plus
from services.notifier.answering.asked import cut
from services.showing.drawing import ENTRY, STOP, candles, days, png, sheet
from services.showing.figures import price

if TYPE_CHECKING:
    from services.notifier.answering.pictures import Level
    from services.notifier.answering.statistics import Span

INCHES = (8.0, 5.0)  # 880 × 550 points
LINES_MAX = 6  # agents with a line of their own
POINTS_MAX = 1_000  # of one line
COLOURS = ("#1c6fbb", "#c76a00", "#2e9e6b", "#7b2d8b", "#d1495b", "#6b6b6b")
FONT_END = "\u0530"  # Latin, Greek and Cyrillic are before it
TOTAL, ZERO_LINE = "#1a1a1a", "#9a9a9a"
_ONE_AT_A_TIME = threading.Lock()


def equity(span: "Span", rows: Sequence[dict[str, Any]]) -> bytes:
    """PnL from the span's begin on: the sum, and each agent's where they are few."""
    with _ONE_AT_A_TIME:
        canvas, axes = sheet(INCHES)
        begin_ms = span.since_ms or rows[0]["at"]
        end_ms = max(span.now_ms, rows[-1]["at"])
        agents = sorted({row["agent"] for row in rows})
        if 1 < len(agents) <= LINES_MAX:
            for agent, colour in zip(agents, COLOURS, strict=False):
                own = [row for row in rows if row["agent"] == agent]
                _line(axes, own, begin_ms, end_ms, label=_named(agent), color=colour, linewidth=1.3)
        name = _named(agents[0]) if len(agents) == 1 else "all of these"
        _line(axes, rows, begin_ms, end_ms, label=name, color=TOTAL, linewidth=2.2)
        axes.axhline(0, color=ZERO_LINE, linewidth=0.9)
        axes.set_xlim(days(begin_ms), days(max(end_ms, begin_ms + 1)))
        total = plus(*(row["change"] for row in rows))
        axes.set_ylabel("PnL after fees, quote coin", fontsize=11)
        return _png(canvas, axes, f"{signed(total)}, {span}")


def chart(found: Sequence[CandleSealed], levels: "Sequence[Level]") -> bytes:
    """Candles, with the entries and stops of positions as lines."""
    with _ONE_AT_A_TIME:
        canvas, axes = sheet(INCHES)
        granularity, last = found[-1].granularity, found[-1]
        candles(axes, found, granularity)
        lowest = min(each.low for each in found)
        highest = max(each.high for each in found)
        room = (highest - lowest) or abs(highest) or 1.0
        for level in levels:
            who = f"{_named(level.agent)} {level.side}"
            _level(axes, level.entry, f"{who} from {price(level.entry)}", ENTRY, "-")
            if level.stop is not None:
                _level(axes, level.stop, f"{who}: stop {price(level.stop)}", STOP, "--")
        # A level far away would press the candles flat: then it stands in the words alone.
        near = [
            float(each)
            for level in levels
            for each in (level.entry, level.stop)
            if each is not None and lowest - room <= float(each) <= highest + room
        ]
        margin = 0.05 * room
        axes.set_ylim(min([lowest, *near]) - margin, max([highest, *near]) + margin)
        step = INTERVAL_MS[granularity]
        axes.set_xlim(days(found[0].open_ms - step), days(last.close_ms + step))
        axes.set_ylabel("price", fontsize=11)
        title = f"{_named(last.symbol)} {granularity}   {last.close:g}   {moment(last.close_ms)}"
        return _png(canvas, axes, title)


def _level(axes: Axes, at: Decimal, label: str, colour: str, style: str) -> None:
    axes.axhline(float(at), color=colour, linestyle=style, linewidth=1.4, label=label)


def _line(
    axes: Axes, rows: Sequence[dict[str, Any]], begin_ms: int, end_ms: int, **style: Any
) -> None:
    """Σ change as steps, from nothing at the begin to what it is at the end."""
    times, sums, total = [begin_ms], [0.0], ZERO
    for row in rows:
        total = plus(total, row["change"])
        times.append(row["at"])
        sums.append(float(total))
    every = -(-len(times) // POINTS_MAX)
    # The newest is kept, whatever is left out before it.
    kept = list(range(len(times) - 1, -1, -every))[::-1]
    x = [days(times[each]) for each in kept] + [days(end_ms)]
    y = [sums[each] for each in kept] + [sums[-1]]
    axes.step(x, y, where="post", **style)


def _named(name: str) -> str:
    """A name of somebody else's in letters that the font has, ? for others."""
    letters = "".join(each if each < FONT_END else "?" for each in clean(cut(name)))
    # Not first: matplotlib leaves out of its legend what begins with it.
    return f" {letters}" if letters.startswith("_") else letters


def _png(canvas: FigureCanvasAgg, axes: Axes, title: str) -> bytes:
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", parse_math=False)
    axes.tick_params(labelsize=11)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        legend = axes.legend(handles, labels, loc="best", fontsize=10, framealpha=0.85)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return png(canvas)
