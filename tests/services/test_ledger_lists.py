"""Lists of the ledger come page by page, the same on SQLite and on PostgreSQL."""

from typing import Any

import pytest
from sqlalchemy import URL

from chandler.core.events import Symbol
from services.ledger import lists
from services.ledger.lists import List, Wanted
from services.ledger.opening import snapshot
from services.ledger.writer import LedgerWriter
from tests.services.ledgering import (
    balance,
    both,
    filled,
    following,
    placed,
    requested,
    signalled,
)

COUNT = 13


@pytest.fixture
def ledger(database: URL) -> URL:
    """Orders and signals, several at each time; the last order is open."""
    events: list[Any] = []
    for number in range(COUNT):
        at = number // 4 * 1_000
        where: dict[str, Any] = {"position": f"p{number:02}", "symbol": Symbol(f"S{number}USDT")}
        opening = requested(f"o{number:02}", at, **where)
        closing = requested(f"x{number:02}", at, action="close", leg="stop", **where)
        events += [opening, filled(opening, "100", at), balance("1", at)]
        events += [closing, filled(closing, "101", at + 1)] if number else []
    writer = LedgerWriter(database, "cluster/")
    writer.places()
    for topic, of in (("orders", events), ("signals", [signalled(each) for each in range(COUNT)])):
        records = placed(topic, of)
        assert writer.take(records, following(records)).untold == []
    writer.close()
    return database


@both
@pytest.mark.parametrize(
    ("of", "count"),
    [
        (lists.ORDERS, 2 * COUNT - 1),
        (lists.FILLS, 2 * COUNT - 1),
        (lists.SIGNALS, COUNT),
        (lists.TRADES, COUNT - 1),
        (lists.OPEN_TRADES, 1),
    ],
    ids=["orders", "fills", "signals", "trades", "open trades"],
)
def test_pages_are_the_list_in_its_order(ledger: URL, of: List, count: int) -> None:
    with snapshot(ledger) as connection:
        whole = lists.page(connection, of, Wanted())
        for limit in (1, 3, count):
            found: lists.Rows = []
            after: lists.Place = ()
            while rows := lists.page(connection, of, Wanted(limit=limit, after=after)):
                found += rows
                after = of.place(rows[-1])

            assert found == whole

    assert len(whole) == count
    places = [of.place(row) for row in whole]
    assert len(set(places)) == count
    assert [place[0] for place in places] == sorted((each[0] for each in places), reverse=True)


@both
def test_columns_are_narrowed_and_an_empty_word_is_any(ledger: URL) -> None:
    with snapshot(ledger) as connection:
        closing = lists.page(connection, lists.ORDERS, Wanted(), action="close", state="")
        none = lists.page(connection, lists.ORDERS, Wanted(), action="'; --")

    assert {row["action"] for row in closing} == {"close"}
    assert len(closing) == COUNT - 1
    assert none == []
