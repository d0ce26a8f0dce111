"""Pages that stand alone: one HTML file with its style, its script and its data in it.

Nothing is fetched: the page's own policy forbids it. What comes from profiles and plug-ins stands
in a JSON block in which no `<` is written, and the script puts it on the page as text only.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chandler.replay.metrics import Metrics
from chandler.replay.report.comparison import Comparison
from chandler.replay.report.payload import curve, payload, thinned_rows
from chandler.replay.report.run import Run
from chandler.replay.result import Result

ASSETS = Path(__file__).parent / "assets"
SHARED = ("format.js", "elements.js", "lines.js")
REPORT = (*SHARED, "candles.js", "report.js")
COMPARISON = (*SHARED, "comparison.js")


def page(result: Result, metrics: Metrics) -> str:
    """The report of a result as HTML; below some 10 MB whatever the result holds."""
    return _page("Backtest", REPORT, payload(result, metrics))


def comparison_page(comparison: Comparison, first: Run, second: Run) -> str:
    """Two runs beside each other as HTML."""
    curves = [
        curve(name, "run", run.at_ms, run.equity, run.start, run.from_ms)
        for name, run in ((comparison.first, first), (comparison.second, second))
    ]
    data = {
        "curves": curves,
        "comparison": msgspec.to_builtins(thinned_rows(comparison)),
        "counts": {
            "only_first": len(comparison.only_first),
            "only_second": len(comparison.only_second),
            "differing": len(comparison.differing),
            "equal": comparison.equal,
        },
        "runs": [
            {
                "name": name,
                "origin": msgspec.to_builtins(run.origin),
                "from_ms": run.from_ms,
                "to_ms": run.to_ms,
            }
            for name, run in ((comparison.first, first), (comparison.second, second))
        ],
    }
    return _page("Comparison of two backtests", COMPARISON, data)


def _page(title: str, scripts: tuple[str, ...], data: dict[str, Any]) -> str:
    """Fills the frame; in one pass, so that a marker within the data stays what it is."""
    parts = {
        "title": title,
        "style": _asset("style.css"),
        "script": "\n".join(_asset(name) for name in scripts),
        "data": _embedded(data),
    }
    pieces = []
    for piece in _asset("page.html").split("{{"):
        name, closing, rest = piece.partition("}}")
        pieces.append(parts[name] + rest if closing else piece)
    return "".join(pieces)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _embedded(data: dict[str, Any]) -> str:
    """JSON that ends no script element and opens no comment, whatever its strings hold."""
    text = msgspec.json.encode(data, enc_hook=_plain).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} in the page's data")
