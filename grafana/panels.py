"""The parts of a dashboard as Grafana's JSON: queries, panels, variables, annotations, layout."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": "prometheus"}
LEDGER: Json = {"type": "grafana-postgresql-datasource", "uid": "ledger"}
WIDTH = 24
RATE = "[$__rate_interval]"


class Query(NamedTuple):
    """A question to Prometheus or to the ledger."""

    source: Json
    fields: Json


class Panel(NamedTuple):
    """A panel without its place."""

    body: Json
    width: int
    height: int


def prom(expr: str, legend: str = "", form: str = "time_series") -> Query:
    """PromQL; the legend may name labels: {{service}}."""
    fields = {
        "expr": " ".join(expr.split()),
        "legendFormat": legend or "__auto",
        "format": form,
        "range": form != "table",
        "instant": form == "table",
        "editorMode": "code",
    }
    return Query(PROMETHEUS, fields)


def sql(text: str, form: str = "table") -> Query:
    """SQL in which three words are written out, and which may find nothing in an empty ledger.

    within(column): that time of the wall, Unix ms, is in the range that is looked at.
    slot(column): that time, cut down to the distance of two points.
    among(variable, column): the column is among the variable's values; without one: its namesake.
    """
    text = re.sub(r"\bwithin\(([\w.]+)\)", r"\1 BETWEEN $__from AND $__to", text)
    text = re.sub(
        r"\bslot\(([\w.]+)\)", r"to_timestamp(\1 / $__interval_ms * $__interval_ms / 1000.0)", text
    )
    text = re.sub(r"\bamong\((\w+)(?:, ([\w.]+))?\)", _among, text)
    fields = {
        "rawSql": " ".join(text.split()),
        "format": form,
        "rawQuery": True,
        "editorMode": "code",
    }
    return Query(LEDGER, fields)


def _among(found: re.Match[str]) -> str:
    variable, column = found[1], found[2] or found[1]
    return f"{column} = ANY(ARRAY[${{{variable}:sqlstring}}]::text[])"


def series(text: str) -> Query:
    """SQL whose columns are "time", metric and value."""
    return sql(text, "time_series")


def quantiles(metric: str, by: str = "") -> list[Query]:
    """p50, p90 and p99 of a histogram."""
    keys = f"{by}, le" if by else "le"
    return [
        prom(
            f"histogram_quantile({each}, sum by ({keys}) (rate({metric}_bucket{RATE})))",
            f"{{{{{by}}}}} p{round(each * 100)}" if by else f"p{round(each * 100)}",
        )
        for each in (0.5, 0.9, 0.99)
    ]


def _panel(
    kind: str,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    size: tuple[int, int],
    options: Json,
    custom: Json,
    steps: Sequence[tuple[float, str]] = (),
) -> Panel:
    colours: list[Json] = [{"value": None, "color": "green"}]
    colours += [{"value": value, "color": colour} for value, colour in steps]
    defaults: Json = {
        "unit": unit,
        "custom": custom,
        "thresholds": {"mode": "absolute", "steps": colours},
        "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
    }
    body: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": queries[0].source,
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": each.source, **each.fields}
            for at, each in enumerate(queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }
    return Panel(body, *size)


def stat(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 4,
    steps: Sequence[tuple[float, str]] = (),
) -> Panel:
    """The newest value; `steps` colour it from a value on."""
    options: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "auto",
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
    }
    return _panel(
        "stat",
        title,
        description,
        unit,
        queries,
        size=(width, 4),
        options=options,
        custom={},
        steps=steps,
    )


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 8,
    stacked: bool = False,
    points: bool = False,
) -> Panel:
    """Values over time."""
    options: Json = {
        "legend": {
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    custom: Json = {
        "drawStyle": "points" if points else "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 5,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    return _panel(
        "timeseries",
        title,
        description,
        unit,
        queries,
        size=(width, 8),
        options=options,
        custom=custom,
    )


def heat(title: str, description: str, metric: str, *, width: int = 12) -> Panel:
    """A histogram of seconds over time."""
    query = prom(f"sum by (le) (increase({metric}_bucket{RATE}))", "{{le}}", "heatmap")
    options: Json = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "fill": "dark-orange",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
        },
        "yAxis": {"unit": "s", "axisPlacement": "left"},
        "filterValues": {"le": 1e-9},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "legend": {"show": True},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "showValue": "never",
    }
    return _panel(
        "heatmap",
        title,
        description,
        "s",
        [query],
        size=(width, 8),
        options=options,
        custom={},
    )


def table(title: str, description: str, query: Query, *, width: int = 12) -> Panel:
    """Rows; a column says its unit itself."""
    options: Json = {"showHeader": True, "cellHeight": "sm"}
    custom: Json = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    return _panel(
        "table",
        title,
        description,
        "none",
        [query],
        size=(width, 8),
        options=options,
        custom=custom,
    )


def row(title: str) -> Panel:
    """A heading over the panels that follow."""
    return Panel({"type": "row", "title": title, "collapsed": False, "panels": []}, WIDTH, 1)


def placed(panels: Iterable[Panel]) -> list[Json]:
    """Left to right, then below the highest of the line."""
    made, x, y, height = [], 0, 0, 0
    for number, panel in zip(itertools.count(1), panels, strict=False):
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        made.append({"id": number, **panel.body, "gridPos": place})
        x, height = x + panel.width, max(height, panel.height)
    return made


def variable(name: str, source: Json, query: str) -> Json:
    """Several values may be chosen, or all."""
    asked: Any = {"query": query, "refId": name} if source is PROMETHEUS else query
    every: Json = {"allValue": ".*"} if source is PROMETHEUS else {}
    return {
        "type": "query",
        "name": name,
        "label": name,
        "datasource": source,
        "query": asked,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        **every,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }


def annotation(name: str, colour: str, text: str, *, shown: bool) -> Json:
    """Marks from the ledger; SQL gives "time", text and tags."""
    # What an annotation of Grafana's own would have stands beside the SQL, as Grafana writes it.
    own = {"limit": 100, "matchAny": False, "tags": [], "type": "dashboard"}
    target = {"refId": "Anno", **sql(text).fields, **own}
    return {
        "name": name,
        "datasource": LEDGER,
        "enable": shown,
        "hide": False,
        "iconColor": colour,
        "target": target,
    }
