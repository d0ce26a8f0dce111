"""What the dashboards ask the ledger, asked of a PostgreSQL as Grafana would ask it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import create_engine, make_url

from chandler.core.events import Event
from grafana.build import QUESTIONS, VARIABLES, dashboard
from services.ledger.writer import LedgerWriter
from tests.services.ledgering import (
    balance,
    closed,
    filled,
    following,
    opened,
    placed,
    requested,
    signalled,
)

COLUMNS = {"time_series": ["time", "metric", "value"], "annotation": ["time", "text", "tags"]}
VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
CHOSEN = {"agent": "'one'", "engine": "'scalper','trend'", "symbol": "'AAAUSDT'"}
ANSWERED_MIN = 15  # queries that find some of the story's rows


def queries() -> Iterator[tuple[str, str, str]]:
    """(where, form, SQL) of every panel, annotation and variable."""
    for name in QUESTIONS:
        held = dashboard(name)
        for panel in held["panels"]:
            for target in panel.get("targets", ()):
                if "rawSql" in target:
                    yield f"{name}: {panel['title']}", target["format"], target["rawSql"]
        for mark in held["annotations"]["list"]:
            yield f"{name}: mark {mark['name']}", "annotation", mark["target"]["rawSql"]
    for name, each in VARIABLES.items():
        if isinstance(each["query"], str):
            yield f"variable {name}", "variable", each["query"]


def interpolated(text: str, chosen: dict[str, str]) -> str:
    """The SQL as Grafana sends it: the variables' values as quoted words, the range in ms."""
    text = VARIABLE.sub(lambda found: chosen.get(found[1], ""), text)
    for name, value in {"from": "0", "to": str(2**52), "interval_ms": "15000"}.items():
        text = text.replace(f"$__{name}", value)
    assert "$" not in text, f"nobody fills in: {text}"
    return text


def asked(url: Any, chosen: dict[str, str]) -> int:
    """How many of the queries find rows; each has the columns of its form."""
    answered = 0
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            for where, form, text in queries():
                result = connection.exec_driver_sql(interpolated(text, chosen).replace("%", "%%"))
                names = list(result.keys())
                assert names == COLUMNS.get(form, names), where
                answered += bool(result.fetchall())
    finally:
        engine.dispose()
    return answered


def story() -> dict[str, list[Event]]:
    """A signal, its order, its round trip, and one that was never closed."""
    entry, leave = requested("a"), requested("b", action="close", leg="stop")
    return {
        "signals": [signalled(1)],
        "orders": [
            entry,
            filled(entry, "100"),
            balance("-0.12", after="999.88"),
            leave,
            filled(leave, "105", at=1_000),
            balance("9.88", after="1009.76"),
        ],
        "positions": [opened(), closed(1_000)],
    }


def test_every_query_of_the_dashboards_can_be_asked_of_an_empty_ledger_and_of_a_full_one(postgres):
    url = make_url(postgres.database()).set(drivername="postgresql+psycopg")
    writer = LedgerWriter(url, "a cluster/")
    try:
        asked(url, {})
        for topic, events in story().items():
            records = placed(topic, events)
            assert not writer.take(records, following(records)).untold
        answered = asked(url, CHOSEN)
    finally:
        writer.close()

    assert answered >= ANSWERED_MIN, f"only {answered} of {len(list(queries()))} found rows"


def test_no_dashboard_asks_the_ledger_without_bounds():
    """A ledger keeps years: a panel asks for a range of time, a state, or a few rows."""
    for where, form, text in queries():
        if form != "variable":
            bounded = "$__from" in text or "LIMIT" in text or "= 'open'" in text
            assert bounded or "FROM balances" in text, f"{where}: within(column) is missing"


def test_a_dashboard_is_json_that_is_the_same_each_time():
    for name in QUESTIONS:
        assert json.loads(json.dumps(dashboard(name))) == dashboard(name)
