"""What the executor's metrics say of unknown orders and of books that differ."""

import logging
from decimal import Decimal
from typing import Any

from chandler.core.desk.state import AgentState, Block, Intent
from chandler.core.events import Symbol
from chandler.core.stage import Output
from chandler.core.trading.events import OrderUnknown
from services.declaration import Metrics
from services.executor.figures import METRICS, Figures
from tests.services.ledgering import requested

UNKNOWN = OrderUnknown(
    id="a", account="one", agent="one", symbol=Symbol("AUSDT"), reason="no answer in 10 s", at=1
)


def state(**given: Any) -> dict[str, AgentState]:
    return {"one": AgentState(agent="one", account="one", start=Decimal(1_000), **given)}


def told(metrics: Metrics, name: str) -> float:
    lines = metrics.text().decode().splitlines()
    return float(next(line.split(" ")[-1] for line in lines if line.startswith(name)))


def test_an_order_is_unknown_until_its_end_is_known():
    metrics = Metrics("executor", METRICS)
    figures = Figures(0, metrics, logging.getLogger("executor"))
    intents = {
        "a": Intent(request=requested("a"), phase="unknown"),
        "b": Intent(request=requested("b"), phase="accepted"),
    }

    figures.committed(1, [Output("orders", "AUSDT", UNKNOWN)], state(intents=intents), 0.01)
    assert told(metrics, "chandler_executor_unknown_orders") == 1
    assert told(metrics, "chandler_executor_open_orders") == 2
    figures.committed(1, [Output("orders", "AUSDT", UNKNOWN)], state(), 0.01)

    assert told(metrics, "chandler_executor_unknown_orders") == 0
    assert told(metrics, 'chandler_executor_unknown_total{account="one"}') == 2


def test_an_account_s_unknown_orders_are_counted_from_nought_on():
    """increase() does not see a counter's first event where nothing was before."""
    metrics = Metrics("executor", METRICS)
    figures = Figures(0, metrics, logging.getLogger("executor"))

    figures.committed(1, [Output("orders", "AUSDT", requested("a"))], state(), 0.01)

    assert told(metrics, 'chandler_executor_unknown_total{account="one"}') == 0
    assert told(metrics, 'chandler_executor_intents_total{account="one"}') == 1


def test_books_that_differ_are_shown_though_nothing_is_published():
    metrics = Metrics("executor", METRICS)
    figures = Figures(0, metrics, logging.getLogger("executor"))

    figures.committed(1, [], state(blocked=Block(reason="AUSDT: 1 and 2", since_ms=1)), 0.01)
    assert told(metrics, "chandler_executor_books_differ") == 1
    figures.committed(1, [], state(), 0.01)

    assert told(metrics, "chandler_executor_books_differ") == 0
