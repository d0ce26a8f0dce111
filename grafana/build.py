"""The dashboards as files: `python -m grafana.build` writes dashboards/*.json; they aren't edited.

A dashboard answers one question; what it shows is in the module of its name.
"""

import json
import sys
from pathlib import Path

from grafana import fast, healthy, kafka, sees, trades
from grafana.panels import LEDGER, PROMETHEUS, Json, Panel, annotation, placed, variable

FOLDER = Path(__file__).parent / "dashboards"
SCHEMA = 39  # of Grafana 11
TAG = "chandler"
VARIABLES = {
    "service": variable("service", PROMETHEUS, 'label_values(up{job="chandler"}, service)'),
    "agent": variable("agent", LEDGER, "SELECT agent FROM balances ORDER BY 1"),
    "engine": variable(
        "engine",
        LEDGER,
        "SELECT source FROM signals UNION SELECT source FROM trades ORDER BY 1",
    ),
    "symbol": variable(
        "symbol",
        LEDGER,
        "SELECT symbol FROM signals UNION SELECT symbol FROM trades ORDER BY 1",
    ),
}
MARKS = {
    "orders": (
        "blue",
        """SELECT to_timestamp(written_ms / 1000.0) AS "time",
        action || ' ' || side || ' ' || symbol || ' at ' || price AS text, agent AS tags FROM fills
        WHERE within(written_ms) AND among(agent) AND among(symbol)
        ORDER BY written_ms DESC LIMIT 200""",
    ),
    "pumps": (
        "purple",
        """SELECT to_timestamp(written_ms / 1000.0) AS "time",
        pump || ' ' || kind || ' ' || symbol AS text, symbol AS tags FROM pumps
        WHERE within(written_ms) AND among(symbol) ORDER BY written_ms DESC LIMIT 200""",
    ),
    "restarts": (
        "red",
        """SELECT to_timestamp(at / 1000.0) AS "time",
        service || ' ' || kind || ' ' || detail AS text, service AS tags FROM infra_events
        WHERE kind IN ('crashed', 'restarted', 'recovered') AND within(at)
        ORDER BY at DESC LIMIT 200""",
    ),
}
QUESTIONS: dict[str, tuple[str, str, tuple[str, ...], list[Panel]]] = {
    # file: title, what it answers, variables, panels
    "healthy": ("Is it healthy?", healthy.ANSWERS, ("service",), healthy.PANELS),
    "fast": ("How fast?", fast.ANSWERS, ("service", "agent"), fast.PANELS),
    "sees": ("What does it see?", sees.ANSWERS, ("engine", "symbol"), sees.PANELS),
    "trades": (
        "What does it trade?",
        trades.ANSWERS,
        ("agent", "engine", "symbol"),
        trades.PANELS,
    ),
    "kafka": ("Kafka", kafka.ANSWERS, ("service",), kafka.PANELS),
}


def rendered() -> dict[Path, str]:
    """Each file with its text."""
    return {
        FOLDER / f"{name}.json": json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"
        for name in QUESTIONS
    }


def dashboard(name: str) -> Json:
    """A dashboard as Grafana reads it."""
    title, answers, variables, panels = QUESTIONS[name]
    return {
        "uid": f"chandler-{name}",
        "title": title,
        "description": answers,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "weekStart": "",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "refresh": "10s",
        "templating": {"list": [VARIABLES[each] for each in variables]},
        "annotations": {"list": _annotations(variables, trading=name == "trades")},
        "links": [
            {
                "type": "dashboards",
                "title": "the other questions",
                "tags": [TAG],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "panels": placed(panels),
    }


def _annotations(variables: tuple[str, ...], *, trading: bool) -> list[Json]:
    """What happened, over every panel; narrowed by the variables that the dashboard has."""
    made = []
    for name, (colour, text) in MARKS.items():
        for each in {"agent", "symbol"} - set(variables):
            text = text.replace(f" AND among({each})", "")
        made.append(annotation(name, colour, text, shown=trading or name == "restarts"))
    return made


def main() -> int:
    """Writes every file; status 0."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in rendered().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
