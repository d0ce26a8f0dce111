"""What dashboards ask, filled in and asked as Grafana would, of Prometheus and of the ledger."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import URL, create_engine

from grafana.build import QUESTIONS, VARIABLES, dashboard

TIMEOUT_S = 20.0
RATE_INTERVAL = "20s"  # of Grafana: four of the data source's timeInterval
STEP_S = 5  # between two points of a graph
SQL_VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")

Points = list[tuple[float, float]]  # Unix s, value; finite ones only


class Question(NamedTuple):
    """One query of a panel, an annotation or a variable."""

    dashboard: str  # "" of a variable
    place: str  # the panel's title, the mark or the variable
    kind: str  # the panel's type, "mark" or "variable"
    target: dict[str, Any]
    panel: int = 0  # its id in the dashboard; two may have one title

    @property
    def where(self) -> str:
        letter = self.target.get("refId", "")
        return f"{self.dashboard}: {self.place}" + (f" ({letter})" if letter > "A" else "")

    @property
    def is_panel(self) -> bool:
        return self.panel > 0


class Answer(NamedTuple):
    """What came: series of Prometheus, or rows of the ledger."""

    series: list[tuple[dict[str, str], Points]]
    columns: list[str]
    rows: list[tuple[Any, ...]]

    def __bool__(self) -> bool:
        return any(points for _, points in self.series) or bool(self.rows)


class AskingError(Exception):
    """A query that can't be asked: the message is one line."""


def questions() -> Iterator[Question]:
    """All of them: panels, marks, variables."""
    for name in QUESTIONS:
        held = dashboard(name)
        for panel in held["panels"]:
            for target in panel.get("targets", ()):
                yield Question(name, panel["title"], panel["type"], target, panel["id"])
        for mark in held["annotations"]["list"]:
            yield Question(name, f"mark {mark['name']}", "mark", {**mark["target"], "refId": "A"})
    for name, each in VARIABLES.items():
        asked = each["query"]
        field = {"rawSql": asked} if isinstance(asked, str) else {"expr": asked["query"]}
        yield Question("variable", name, "variable", field)


class Range(NamedTuple):
    """The time that is looked at, Unix seconds."""

    start: float
    end: float


class Asker:
    """Asks both sources; `variables` are then what Grafana offers, all of them chosen."""

    def __init__(self, prometheus: str, ledger: URL) -> None:
        self._prometheus = prometheus
        self._engine = create_engine(ledger)
        self.variables: dict[str, list[str]] = {name: [] for name in VARIABLES}

    def close(self) -> None:
        """Ends the connections."""
        self._engine.dispose()

    def fill(self, span: Range) -> None:
        """Asks for the variables' values."""
        for question in questions():
            if question.kind == "variable":
                rows = self.ask(question, span).rows
                self.variables[question.place] = [str(row[0]) for row in rows]

    def ask(self, question: Question, span: Range) -> Answer:
        """The answer; AskingError says why there can be none."""
        if "rawSql" in question.target:
            return self._sql(question.target["rawSql"], span)
        if found := LABEL_VALUES.fullmatch(question.target["expr"]):
            path = f"label/{found[2]}/values"
            values = self.get(path, {"match[]": found[1], "start": span.start, "end": span.end})
            return Answer([], [found[2]], [(value,) for value in values])
        expr = self._promql(question.target["expr"])
        if question.target.get("instant"):
            result = self.get("query", {"query": expr, "time": span.end})["result"]
            return Answer([(each["metric"], _finite([each["value"]])) for each in result], [], [])
        asked = {"query": expr, "start": span.start, "end": span.end, "step": STEP_S}
        result = self.get("query_range", asked)["result"]
        return Answer([(each["metric"], _finite(each["values"])) for each in result], [], [])

    def get(self, path: str, asked: dict[str, Any]) -> Any:
        """What Prometheus' interface answers; AskingError with its reason where it refuses."""
        url = f"{self._prometheus}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AskingError(f"Prometheus refuses: {error.read().decode()[:300]}") from None

    def _promql(self, text: str) -> str:
        text = text.replace("$__rate_interval", RATE_INTERVAL)
        for name, values in self.variables.items():
            every = VARIABLES[name].get("allValue")
            chosen = every or "(" + "|".join(map(re.escape, values)) + ")"
            text = text.replace(f"${name}", chosen)
        return _filled(text)

    def _sql(self, text: str, span: Range) -> Answer:
        def quoted(found: re.Match[str]) -> str:
            values = (value.replace("'", "''") for value in self.variables[found[1]])
            return ",".join(f"'{value}'" for value in values)

        text = SQL_VARIABLE.sub(quoted, text)
        text = text.replace("$__interval_ms", str(STEP_S * 1_000))
        text = text.replace("$__from", str(int(span.start * 1_000)))
        text = _filled(text.replace("$__to", str(int(span.end * 1_000))))
        with self._engine.connect() as connection:
            result = connection.exec_driver_sql(text.replace("%", "%%"))
            columns = list(result.keys())
            return Answer([], columns, [tuple(row) for row in result.fetchall()])


def _filled(text: str) -> str:
    if "$" in text:
        raise AskingError(f"nobody fills in: {text}")
    return text


def _finite(values: list[tuple[float, str]]) -> Points:
    points = [(float(at), float(value)) for at, value in values]
    return [(at, value) for at, value in points if math.isfinite(value)]
