"""Which orders a text may name: those of some agents, where only these may be named."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from services.ledger.opening import snapshot
from services.ledger.writer import LedgerWriter
from services.showing.places import LedgerPlaces
from tests.services.ledgering import filled, following, placed, requested


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Orders of two agents whose ids, trades and positions begin alike."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    made = [
        requested(f"order-{agent}", agent=agent, position=f"position-{agent}", cause=f"c-{agent}")
        for agent in ("anna", "bert")
    ]
    events = [event for each in made for event in (each, filled(each, "100"))]
    writer = LedgerWriter(make_url(url), "cluster/")
    writer.places()
    records = placed("orders", events)
    assert writer.take(records, following(records)).untold == []
    writer.close()
    return url


@pytest.mark.parametrize(
    "text", ["order", "order-bert", "order-bert-1", "position", "position-bert"]
)
def test_an_order_of_another_agent_is_never_named(ledger: str, text: str) -> None:
    with snapshot(make_url(ledger)) as connection:
        everyones = LedgerPlaces(connection).named(text)
        annas = LedgerPlaces(connection, ["anna"]).named(text)

    assert "order-bert" in everyones
    assert annas == [each for each in everyones if each == "order-anna"]
