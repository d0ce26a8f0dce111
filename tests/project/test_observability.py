"""Dashboards, rules and alerts against what the services export: each message says the cure."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chandler.core.granularity import INTERVAL_MS
from chandler.streams.settings import PORT_ALERTS, PORT_BASE_DEFAULT, PORT_METRICS
from chandler.streams.telemetry.metrics import Metrics, standard
from grafana.build import rendered
from grafana.selectors import meant, selectors, unshown
from services.loading import load_service
from services.topology import INSTANCE_STRIDE, ORDER, exists
from tests.project.tree import ROOT, shown

RULES = ROOT / "prometheus" / "rules"
RUNBOOKS = ROOT / "docs" / "runbooks"
DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
OF_PROMETHEUS = {  # what Prometheus makes itself: its labels
    "up": {"job", "service", "instance"},
    "ALERTS": {"alertname", "alertstate", "severity"},
}
OF_TARGETS = {"job", "service", "instance"}  # prometheus.yml gives them to every series
QUESTIONS = {"healthy", "fast", "sees", "trades", "kafka"}
SQL_VARIABLES = re.compile(r"\$\{(\w+):sqlstring\}")


@cache
def exported() -> dict[str, set[str]]:
    """Every series that /metrics of a service may hold, with its own labels."""
    found: dict[str, set[str]] = {}
    for service in (load_service(name) for name in ORDER if exists(name)):
        declared = (*standard(service.name), *service.metrics)
        labels = {metric.name: set(metric.labels) for metric in declared}
        text = Metrics(service.name, declared).text().decode()
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M):
            if name.endswith("_created"):
                continue  # when a counter began, which rate() finds out by itself
            own = labels.get(name, set())
            ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for end in ends:
                found[name + end] = own | ({"le"} if end == "_bucket" else set())
    return found


@cache
def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def rules(name: str) -> list[dict[str, Any]]:
    groups = loaded(RULES / name)["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def recorded() -> dict[str, str]:
    """What recording rules add, with their expressions."""
    return {rule["record"]: rule["expr"] for rule in rules("recording.yml")}


def panels() -> list[tuple[str, dict[str, Any]]]:
    """(dashboard / title, panel) of every panel that is no heading."""
    return [
        (f"{path.stem}: {panel['title']}", panel)
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        if panel["type"] != "row"
    ]


def queries() -> list[tuple[str, str]]:
    """(where, PromQL) of every panel, variable, recording rule and alert."""
    asked = [
        (where, target["expr"])
        for where, panel in panels()
        for target in panel["targets"]
        if "expr" in target
    ]
    asked += [(f"recording.yml: {name}", expr) for name, expr in recorded().items()]
    asked += [(f"alerts.yml: {rule['alert']}", rule["expr"]) for rule in rules("alerts.yml")]
    return asked


@pytest.mark.parametrize(("where", "expr"), queries(), ids=lambda value: str(value)[:60])
def test_a_query_asks_for_nothing_that_nobody_exports(where, expr):
    asked = list(selectors(expr))

    assert asked or "vector(" in expr, f"{where} asks for nothing: {expr}"
    for name, matchers in asked:
        if name in recorded():
            continue
        known = OF_PROMETHEUS.get(name)
        found = {name} if known else meant(name, matchers, exported()) & set(exported())
        assert found, f"{where}: no service exports {name or matchers}, see docs/topology.md"
        for label, _, _ in matchers:
            labels = [known or exported()[each] | OF_TARGETS | {"__name__"} for each in found]
            assert all(label in each for each in labels), f"{where}: {name} has no label {label}"


def test_the_reader_of_queries_sees_what_they_ask_for():
    """Else the test above could not fail."""
    expr = (
        'sum by (le) (rate(a_bucket{x="{}", y!~"b|c"}[5m])) / (on_time > bool 3) '
        'and on (d) (e:f:g == 1) unless label_replace(vector(1), "h", "i", "", "") offset 5m '
        'or {__name__=~"j.+"} unless {__name__="k", l="m"}'
    )

    assert list(selectors(expr)) == [
        ("a_bucket", [("x", "=", "{}"), ("y", "!~", "b|c")]),
        ("on_time", []),
        ("e:f:g", []),
        ("", [("__name__", "=~", "j.+")]),
        ("", [("__name__", "=", "k"), ("l", "=", "m")]),
    ]


def test_every_exported_metric_is_shown_or_has_a_reason_not_to_be():
    shown_ones = [expr for where, expr in queries() if not where.startswith(("rec", "alerts"))]
    missing, left_over = unshown(shown_ones, recorded(), exported())

    assert not missing, (
        f"{missing}: show them in a dashboard of grafana/, or say why not in UNSHOWN"
    )
    assert not left_over, f"UNSHOWN names {left_over}, which are shown, or which nobody exports"


def test_every_recording_rule_is_used():
    """By a dashboard, an alert or another rule."""
    used = {name for _, expr in queries() for name, _ in selectors(expr)}

    assert not set(recorded()) - used, f"nobody asks for {sorted(set(recorded()) - used)}"


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in rules("alerts.yml")}))
def test_an_alert_has_words_a_page_and_a_test_that_it_fires_and_that_it_does_not(alert):
    found = [rule for rule in rules("alerts.yml") if rule["alert"] == alert]
    cases = [
        case
        for path in (RULES / "tests").glob("*.yml")
        for test in loaded(path)["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    page = RUNBOOKS / f"{alert}.md"

    for rule in found:
        assert rule["labels"]["severity"] in ("critical", "warning"), "the notifier knows these"
        assert rule["annotations"]["summary"], "people read it in the notice"
        assert rule["annotations"]["runbook"] == shown(page)
    assert page.exists(), f"write {shown(page)}: what it means, how to look, what to do"
    text = page.read_text()
    assert text.startswith(f"# {alert}\n")
    for heading in ("What it means", "How to look", "What to do"):
        assert f"\n## {heading}\n" in text, f"{shown(page)} lacks {heading!r}"
    assert f"({alert}.md)" in (RUNBOOKS / "README.md").read_text(), "the list of pages lacks it"
    for severity in {rule["labels"]["severity"] for rule in found}:
        fired = [each for case in cases for each in case["exp_alerts"]]
        assert any(each["exp_labels"]["severity"] == severity for each in fired), (
            f"no test in {shown(RULES / 'tests')} lets the {severity} {alert} fire"
        )
    assert any(not case["exp_alerts"] for case in cases), f"no test keeps {alert} silent"


def test_every_page_is_of_an_alert():
    alerts = {rule["alert"] for rule in rules("alerts.yml")} | {"README"}

    assert {path.stem for path in RUNBOOKS.glob("*.md")} == alerts


def test_the_dashboards_are_as_their_modules_say():
    texts = rendered()

    assert set(texts) == set(DASHBOARDS), (
        "run python -m grafana.build, and remove what is left over"
    )
    for path, text in texts.items():
        assert path.read_text() == text, f"{shown(path)} differs: run python -m grafana.build"


def test_there_is_a_dashboard_for_each_question_and_a_way_to_the_others():
    assert {path.stem for path in DASHBOARDS} == QUESTIONS
    for path in DASHBOARDS:
        held = json.loads(path.read_text())
        link = held["links"][0]
        assert held["uid"] == f"chandler-{path.stem}"
        assert held["schemaVersion"] == 39
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(held["tags"])
        assert link["keepTime"]
        assert link["includeVars"]
        marks = [each["name"] for each in held["annotations"]["list"]]
        assert marks == ["orders", "pumps", "restarts"]
    trading = json.loads((ROOT / "grafana/dashboards/trades.json").read_text())
    names = {each["name"] for each in trading["templating"]["list"]}
    assert names == {"agent", "engine", "symbol"}


@pytest.mark.parametrize(("where", "panel"), panels(), ids=lambda value: str(value)[:40])
def test_a_panel_says_what_it_shows_in_which_unit(where, panel):
    assert panel["title"].strip()
    assert panel["description"].endswith("."), f"{where}: describe it in a sentence"
    assert panel["fieldConfig"]["defaults"]["unit"], f"{where}: give it a unit"
    assert panel["targets"], f"{where} asks nothing"


@pytest.mark.parametrize("path", DASHBOARDS, ids=shown)
def test_panels_of_a_dashboard_have_their_own_place_title_and_variables(path):
    held = json.loads(path.read_text())
    placed = [each["gridPos"] for each in held["panels"]]
    cells = [
        (x, y)
        for place in placed
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    given = {each["name"] for each in held["templating"]["list"]}
    asked = set(SQL_VARIABLES.findall(path.read_text()))
    asked |= set(re.findall(r'\\"\$(\w+)\\"', path.read_text()))

    assert len(cells) == len(set(cells)), "two panels lie on each other"
    assert max(x for x, _ in cells) < 24
    assert len({each["id"] for each in held["panels"]}) == len(held["panels"])
    assert asked == given, "a variable that is asked for is offered, and the other way round"


def test_prometheus_knows_every_service_and_its_port():
    beside = loaded(ROOT / "prometheus/prometheus.yml")
    local = loaded(ROOT / "prometheus/local/prometheus.yml")
    ports = {
        name: PORT_BASE_DEFAULT + PORT_METRICS + at for at, name in enumerate(ORDER) if exists(name)
    }
    jobs = [
        next(each for each in one["scrape_configs"] if each["job_name"] == "chandler")
        for one in (beside, local)
    ]
    found = {each["names"][0].replace("-", "_"): each["port"] for each in jobs[0]["dns_sd_configs"]}
    here = {each["labels"]["service"]: each["targets"] for each in jobs[1]["static_configs"]}

    assert found == ports
    assert here == {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    assert (
        str(ports["indicators"] + INSTANCE_STRIDE)
        in (ROOT / "prometheus/local/prometheus.yml").read_text()
    ), "its comment names the port of a second worker"
    for name in ports:
        assert _relabelled(name.replace("_", "-"), jobs[0]["relabel_configs"]) == name


def _relabelled(host: str, configs: list[dict[str, Any]]) -> str:
    label = ""
    for config in configs:
        if match := re.fullmatch(config["regex"], host):
            label = match.expand(re.sub(r"\$\{?(\d)\}?", r"\\\1", config["replacement"]))
    return label


def test_alertmanager_reaches_the_notifier():
    for name, host in (("alertmanager.yml", "notifier"), ("local/alertmanager.yml", "127.0.0.1")):
        held = loaded(ROOT / "prometheus" / name)
        hook = held["receivers"][0]["webhook_configs"][0]
        assert hook["url"] == f"http://{host}:{PORT_BASE_DEFAULT + PORT_ALERTS}/alertmanager"
        assert hook["send_resolved"]
        assert held["route"]["receiver"] == held["receivers"][0]["name"]


def test_the_rules_know_how_long_every_granularity_is():
    expr = recorded()["granularity:chandler_interval_seconds"]
    found = re.findall(r'vector\((\d+)\), "granularity", "(\w+)"', expr)

    assert {name: int(seconds) * 1_000 for seconds, name in found} == INTERVAL_MS


def test_datasources_are_those_that_the_dashboards_ask():
    held = loaded(ROOT / "grafana/provisioning/datasources/chandler.yml")
    given = {(each["uid"], each["type"]) for each in held["datasources"]}
    asked = {
        (target["datasource"]["uid"], target["datasource"]["type"])
        for _, panel in panels()
        for target in panel["targets"]
    }

    assert asked == given
