"""A dashboard as a picture: what its panels' queries answered, in the panels' places.

It is drawn here, not by Grafana; colours and ticks differ from what a browser shows.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import LinearLocator
from PIL import Image

from grafana.build import QUESTIONS, dashboard
from grafana.live.questions import STEP_S, Answer, Points, Question
from grafana.panels import WIDTH

INCHES_WIDE, INCHES_UNIT, DPI = 15.0, 0.29, 80
COLOURS_MAX = 64  # of the file: small
LEGEND_ROWS, MARK_INCHES = 3, 0.3  # lines of names, and the room for a line's mark
LABEL_MAX, COLUMN_MAX = 26, 28  # letters of a name in a legend, and in a table
ROW_INCHES, LETTER_INCHES = 0.155, 0.068  # of a table's text
NAME_INCHES = 0.052  # of a letter of a legend
DAY_S = 86_400.0
THOUSANDS = 1_000.0  # from here on without a fraction
UNITS = {"s": " s", "ms": " ms", "percentunit": " %", "currencyUSD": " $", "cps": "/s"}
UNITS |= {"reqps": "/s", "ops": "/s", "mps": "/s"}

Given = list[tuple[dict[str, Any], Answer]]  # a panel's targets and their answers


class Line(NamedTuple):
    """Points of one series, and its name."""

    name: str
    points: Points


def draw(answered: Sequence[tuple[Question, Answer]], folder: Path) -> None:
    """A sheet of each dashboard: FOLDER/NAME.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in QUESTIONS:
        given: dict[int, Given] = {}
        for question, answer in answered:
            if question.dashboard == name:
                given.setdefault(question.panel, []).append((question.target, answer))
        _sheet(dashboard(name), given, folder / f"{name}.png")


def _sheet(held: dict[str, Any], given: dict[int, Given], path: Path) -> None:
    places = [panel["gridPos"] for panel in held["panels"]]
    high = max(place["y"] + place["h"] for place in places) + 1
    figure = Figure(figsize=(INCHES_WIDE, high * INCHES_UNIT), dpi=DPI, facecolor="#f4f5f5")
    canvas = FigureCanvasAgg(figure)
    figure.text(0.008, 1 - 0.75 / high, held["title"], fontsize=13, weight="bold")
    for panel in held["panels"]:
        place = panel["gridPos"]
        top = 1 - (place["y"] + 1) / high
        box = (place["x"] / WIDTH, top - place["h"] / high, place["w"] / WIDTH, place["h"] / high)
        if panel["type"] == "row":
            figure.text(0.008, box[1] + 0.2 / high, panel["title"], fontsize=10, weight="bold")
        else:
            _panel(figure, panel, given.get(panel["id"], []), box)
    canvas.draw()
    size = canvas.get_width_height()
    picture = Image.frombuffer("RGBA", size, canvas.buffer_rgba()).convert("RGB")
    picture.quantize(COLOURS_MAX).save(path, optimize=True)


def _panel(
    figure: Figure, panel: dict[str, Any], given: Given, box: tuple[float, float, float, float]
) -> None:
    """One panel: its title, then the plot below it."""
    left, bottom, width, height = box
    wide, tall = figure.get_size_inches()
    edge_x, edge_y = 0.05 / wide, 0.05 / tall
    back = figure.add_axes(
        (left + edge_x, bottom + edge_y, width - 2 * edge_x, height - 2 * edge_y)
    )
    back.set_xticks([])
    back.set_yticks([])
    for spine in back.spines.values():
        spine.set_color("#d5d6d8")
    top = bottom + height
    figure.text(left + 3 * edge_x, top - 0.2 / tall, panel["title"], fontsize=8, weight="bold")
    inner = (width * wide - 0.2, height * tall - 0.35)  # inches
    kind, unit = panel["type"], panel["fieldConfig"]["defaults"]["unit"]
    if kind == "stat":
        _stat(back, given, unit)
    elif kind == "table":
        _table(back, given, inner)
    else:
        margin = (0.62, 0.62 if kind == "timeseries" else 0.28)  # inches: left, below
        axes = figure.add_axes((
            left + margin[0] / wide,
            bottom + margin[1] / tall,
            width - (margin[0] + 0.3) / wide,
            height - (margin[1] + 0.28) / tall,
        ))  # fmt: skip
        axes.tick_params(labelsize=6.5, length=2)
        if kind == "heatmap":
            _heat(axes, given)
        else:
            _lines(axes, panel, _series(given), unit)
            _legends(back, axes, inner[0])
        axes.xaxis.set_major_locator(LinearLocator(max(3, int(inner[0]))))
        axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))


def _series(given: Given) -> list[Line]:
    """Every series of a panel, the ledger's too, with its legend."""
    found = []
    for target, answer in given:
        found += [
            Line(_legend(target, labels), points) for labels, points in answer.series if points
        ]
        names = dict.fromkeys(row[1] for row in answer.rows) if len(answer.columns) == 3 else {}
        for name in names:
            points = [(row[0].timestamp(), float(row[2])) for row in answer.rows if row[1] == name]
            found.append(Line(str(name), points))
    return found


def _legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    form = target.get("legendFormat", "__auto")
    if form == "__auto":
        return ", ".join(value for name, value in labels.items() if name != "__name__")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form).strip()


def _lines(axes: Axes, panel: dict[str, Any], found: list[Line], unit: str) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    scale = 100.0 if unit == "percentunit" else 1.0
    style = "none" if custom["drawStyle"] == "points" else "-"
    axes.set_prop_cycle(color=[colormaps["tab20"](at) for at in range(20)])
    for line in found:
        broken = _broken(line.points)
        single = len(line.points) == 1 or style == "none"
        axes.plot(
            [at / DAY_S for at, _ in broken],
            [value * scale for _, value in broken],
            linestyle=style, linewidth=1.0, marker="o" if single else "", markersize=2,
            label=line.name[:LABEL_MAX],
        )  # fmt: skip
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.5)
    axes.yaxis.set_major_formatter(lambda value, _: shown(value / scale, unit))


def _legends(below: Axes, axes: Axes, wide: float) -> None:
    """The names of the lines, as many as there is room for, at the foot of the panel."""
    handles, names = axes.get_legend_handles_labels()
    longest = max(map(len, names), default=0)
    columns = max(1, int(wide / (MARK_INCHES + NAME_INCHES * longest)))
    most = columns * LEGEND_ROWS
    if len(names) > most:
        handles, names = handles[:most], [*names[: most - 1], f"and {len(names) - most + 1} more"]
    if any(names):
        below.legend(
            handles, names, loc="lower left", ncols=columns, frameon=False, fontsize=6,
            handlelength=1.0, columnspacing=1.0, labelspacing=0.2,
        )  # fmt: skip


def _broken(points: Points) -> Points:
    """The same with a hole where a point is missing."""
    made: Points = []
    for at, value in points:
        if made and at - made[-1][0] > 12 * STEP_S:
            made.append((at, math.nan))
        made.append((at, value))
    return made


def _heat(axes: Axes, given: Given) -> None:
    """Observations in each bucket, by time."""
    by_le: dict[float, dict[float, float]] = {}
    for _, answer in given:
        for labels, points in answer.series:
            by_le[float(labels["le"])] = dict(points)
    edges = sorted(by_le)
    times = sorted({at for points in by_le.values() for at in points})
    if not times:
        return
    cells = []
    for at, edge in enumerate(edges):
        below = by_le[edges[at - 1]] if at else {}
        cells.append([max(0.0, by_le[edge].get(t, 0) - below.get(t, 0)) or math.nan for t in times])
    bounds = [*times, times[-1] + STEP_S]
    most = max((cell for row in cells for cell in row if not math.isnan(cell)), default=1.0)
    axes.pcolormesh(
        [at / DAY_S for at in bounds], range(len(edges) + 1), cells, cmap="Oranges",
        norm=LogNorm(0.1, max(most, 1.0)),
    )  # fmt: skip
    axes.set_yticks([at + 1 for at in range(len(edges))][1::2])
    axes.set_yticklabels(["∞" if math.isinf(edge) else f"{edge:g} s" for edge in edges][1::2])


def _stat(axes: Axes, given: Given, unit: str) -> None:
    """The newest value, over its course."""
    for _, answer in given:
        for row in answer.rows:
            axes.text(0.5, 0.42, shown(float(row[0]), unit), **_BIG)
        for _, points in answer.series:
            value = points[-1][1] if points else math.nan
            axes.text(0.5, 0.42, shown(value, unit), **_BIG)
            inset = axes.inset_axes((0.0, 0.0, 1.0, 0.3))
            inset.axis("off")
            inset.fill_between([at for at, _ in points], [v for _, v in points], alpha=0.25)
            inset.set_ylim(bottom=min(0.0, *(v for _, v in points)) if points else 0.0)


_BIG: dict[str, Any] = {
    "fontsize": 15, "ha": "center", "va": "center", "color": "#2e7d46",
}  # fmt: skip


def _table(axes: Axes, given: Given, inches: tuple[float, float]) -> None:
    """The first rows that fit, each column as wide as it has to be."""
    answer = given[0][1]
    most = int(inches[1] / ROW_INCHES) - 1
    rows = [tuple(map(_cell, row)) for row in answer.rows[:most]]
    columns = list(zip(answer.columns, *rows, strict=True))
    widths = [min(COLUMN_MAX, max(map(len, column))) for column in columns]
    widths[-1] = max(map(len, columns[-1]))
    letters = int(inches[0] / LETTER_INCHES)
    for at, row in enumerate([tuple(answer.columns), *rows]):
        text = "  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=True))
        axes.text(
            0.1 / (inches[0] + 0.2), 1 - (0.36 + at * ROW_INCHES) / (inches[1] + 0.35),
            text[:letters], fontsize=6.5, family="monospace", va="center",
            weight="bold" if at == 0 else "normal",
        )  # fmt: skip


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.strftime("%H:%M:%S")
        case float() | Decimal():
            return f"{value:.6g}"
    return str(value).replace("$", r"\$")


def shown(value: float, unit: str) -> str:
    """A value with its unit, short."""
    if unit == "bytes":
        return f"{value / 1024**2:.0f} MiB"
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1_000).strftime("%Y-%m-%d %H:%M")
    if unit == "percentunit":
        value *= 100
    figures = f"{value:,.0f}" if abs(value) >= THOUSANDS else f"{value:.4g}"
    return figures + UNITS.get(unit, "")
