"""The parts of `make observe-check` that need nothing to run: filling in, counting, drawing."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import make_url

from grafana import build
from grafana.live import pictures
from grafana.live.__main__ import verdict
from grafana.live.questions import Answer, Asker, AskingError, Question, Range, questions
from grafana.panels import heat, lines, placed, prom, row, series, sql, stat, table
from tests.project.tree import ROOT

KILOBYTES_MAX = 300
SPAN = Range(1_700_000_000.0, 1_700_000_060.0)
POINTS = [(SPAN.start + 5 * at, float(at)) for at in range(12)]


class Answering(Asker):
    """Keeps what it is asked, and answers with `result`."""

    def __init__(self, result: list[dict[str, Any]]) -> None:
        super().__init__("http://nowhere", make_url("sqlite://"))
        self.result = result
        self.asked: list[dict[str, Any]] = []

    def get(self, path: str, asked: dict[str, Any]) -> Any:
        self.asked.append({"path": path, **asked})
        return {"result": self.result}


def question(expr: str, **fields: Any) -> Question:
    return Question("healthy", "a panel", "timeseries", {"expr": expr, **fields}, 1)


def test_every_target_mark_and_variable_is_a_question():
    found = list(questions())
    targets = [
        target
        for name in build.QUESTIONS
        for panel in build.dashboard(name)["panels"]
        for target in panel.get("targets", ())
    ]

    assert sum(each.is_panel for each in found) == len(targets)
    assert sum(each.kind == "mark" for each in found) == len(build.QUESTIONS) * len(build.MARKS)
    assert sum(each.kind == "variable" for each in found) == len(build.VARIABLES)


def test_a_query_is_filled_in_with_all_that_may_be_chosen():
    asker = Answering([])
    asker.variables.update(agent=["one", "t.wo"], service=["ingest"])

    asker.ask(question('rate(a{service=~"$service", agent=~"$agent"}[$__rate_interval])'), SPAN)

    assert asker.asked[0]["query"] == r'rate(a{service=~".*", agent=~"(one|t\.wo)"}[20s])'
    assert (asker.asked[0]["path"], asker.asked[0]["start"]) == ("query_range", SPAN.start)


def test_a_variable_that_nobody_fills_in_is_told():
    with pytest.raises(AskingError, match="nobody fills in"):
        Answering([]).ask(question("a[$__nobody]"), SPAN)


@pytest.mark.parametrize(
    ("values", "has_data"), [([], False), (["NaN", "+Inf"], False), (["NaN", "0"], True)]
)
def test_series_without_a_number_are_no_data(values: list[str], has_data: bool):
    """A quantile of nothing is NaN: Grafana draws no line."""
    result = [{"metric": {}, "values": [[SPAN.start, value] for value in values]}]

    assert bool(Answering(result).ask(question("a"), SPAN)) == has_data


def test_one_query_without_data_fails_the_check_and_is_named():
    full, empty = Answer([({}, POINTS)], [], []), Answer([({}, [])], [], [])
    first, second = question("a", refId="A"), question("b", refId="B")

    lines, status = verdict([(first, full), (second, empty)], [], [])

    assert status == 1
    assert lines[0] == "no data: healthy: a panel (B)"
    assert lines[1].startswith("panels=1 empty=1 unknown_metrics=0 queries=2")
    assert verdict([(first, full)], [], [])[1] == 0
    assert verdict([(first, full)], [], ["no series: rule: a{}"])[1] == 1
    assert verdict([], [], [])[1] == 1


def test_a_page_shows_a_picture_of_every_dashboard_and_none_is_large():
    page = (ROOT / "docs/dashboards.md").read_text()
    for name in build.QUESTIONS:
        path = ROOT / f"docs/pictures/{name}.png"
        assert f"(pictures/{name}.png)" in page
        assert path.stat().st_size < KILOBYTES_MAX * 1_024, f"{path.name} is large: fewer colours"


def test_every_kind_of_panel_is_drawn(tmp_path, monkeypatch):
    moment = datetime.fromtimestamp(SPAN.start, UTC)
    drawn = [
        (row("Heading"), Answer([], [], [])),
        (stat("Number", "A.", "s", prom("a")), Answer([({}, POINTS)], [], [])),
        (stat("Sum", "A.", "currencyUSD", sql("SELECT 1")), Answer([], ["pnl"], [(1.5,)])),
        (lines("Lines", "A.", "s", prom("a", "{{x}}")), Answer([({"x": "one"}, POINTS)], [], [])),
        (lines("Rows", "A.", "s", series("A")), Answer([], ["time", "m", "v"], [(moment, "a", 1)])),
        (heat("Heat", "A.", "a"), Answer([({"le": "+Inf"}, POINTS)], [], [])),
        (table("Table", "A.", sql("SELECT 1")), Answer([], ["a", "b"], [(moment, None)] * 40)),
        (lines("Nothing", "A.", "s", prom("a")), Answer([], [], [])),
    ]  # fmt: skip
    held: dict[str, Any] = {"title": "Question", "panels": placed(panel for panel, _ in drawn)}
    monkeypatch.setattr(pictures, "QUESTIONS", {"one": ()})
    monkeypatch.setattr(pictures, "dashboard", lambda name: held)

    pictures.draw(
        [
            (
                Question("one", panel["title"], panel["type"], panel["targets"][0], panel["id"]),
                answer,
            )
            for panel, (_, answer) in zip(held["panels"], drawn, strict=True)
            if panel["type"] != "row"
        ],
        tmp_path,
    )

    with Image.open(tmp_path / "one.png") as made:
        assert made.width == math.floor(pictures.INCHES_WIDE * pictures.DPI)
        assert sum(count > 0 for count in made.convert("L").histogram()) > 5
