"""The ledger of anything that may happen: it adds up; batches and interleaving do not matter."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chandler.core.events import Symbol
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    BalanceChanged,
    FundingPaid,
    Liquidated,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrderSent,
    OrderUnknown,
)
from services.ledger import tables
from services.ledger.digest import digests
from services.ledger.fold.fold import Fold
from services.ledger.opening import open_memory, open_writer
from tests.core.desk.scene import BTC, ETH, ready
from tests.services.ledgering import AAA, START_MS, D, filled, placed, requested, rows

BBB = Symbol("BBBUSDT")
MONEY = (OrderFilled, FundingPaid, Liquidated)
prices = st.decimals("0.01", "500", places=2)
sizes = st.decimals("0.001", "3", places=3)


@st.composite
def order_events(draw, symbol):
    """Any events of a few orders in any sequence: legal, repeated, absurd."""
    orders = [
        requested(
            f"{symbol}-{number}",
            number,
            action=draw(st.sampled_from(["open", "add", "close"])),
            side=draw(st.sampled_from(["long", "short"])),
            size=str(draw(sizes)),
            position=f"{symbol}-p{draw(st.integers(0, 2))}",
            agent=draw(st.sampled_from(["one", "two"])),
            symbol=symbol,
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    return [draw(event_of(order)) for order in draw(st.lists(st.sampled_from(orders), max_size=25))]


@st.composite
def event_of(draw, order: OrderRequested):
    at = draw(st.integers(0, 4)) * 40_000_000  # over the end of a day
    who: dict[str, Any] = {"account": order.account, "agent": order.agent, "symbol": order.symbol}
    mine = {"id": order.id, **who, "at": START_MS + at}
    kind = draw(st.integers(0, 11))
    if kind == 1:
        return OrderSent(**mine)
    if kind == 2:
        return OrderAccepted(**mine, venue_id=draw(st.sampled_from(["v1", "v2"])))
    if kind == 3:
        return OrderCancelled(**mine, filled=draw(sizes), reason="because")
    if kind == 4:
        return OrderRefused(**mine, code="1", reason="no")
    if kind == 5:
        return OrderUnknown(**mine, reason="?")
    if kind == 6:
        return OrderExpired(**mine)
    if kind == 7:
        return FundingPaid(
            **who, position=order.position, rate=D("0.0001"), mark=draw(prices), size=D(1),
            amount=draw(st.decimals("-1", "1", places=8)), settled_ms=START_MS, at=START_MS + at,
        )  # fmt: skip
    if kind == 8:
        return Liquidated(
            **who, position=order.position, side=order.side, price=draw(prices), size=draw(sizes),
            fee=D("0.1"), at=START_MS + at,
        )  # fmt: skip
    if kind > 8:
        trade = f"t{draw(st.integers(0, 3))}"
        return filled(
            order, str(draw(prices)), at, size=str(draw(sizes)), trade=trade,
            done=draw(st.booleans()),
        )  # fmt: skip
    return order


@pytest.fixture(scope="module")
def memory():
    engine = open_memory()
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def server(postgres):
    from sqlalchemy import make_url

    engine = open_writer(make_url(postgres.database()).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def folded(engine, batches, look):
    """What `look` sees of the ledger after these batches, of which then nothing stays."""
    with engine.connect() as connection:
        fold = Fold()
        for batch in batches:
            assert fold.take(connection, batch) == []
        found = look(connection)
        connection.rollback()
    return found


def consistent(connection):
    """What holds of every ledger; returns its digests."""
    fills = rows(connection, tables.fills)
    trips = rows(connection, tables.trades)
    paid = sum(each["amount"] for each in rows(connection, tables.funding))
    realised, fees = (sum(each[name] for each in fills) for name in ("realised", "fee"))
    untold = sum(
        each["amount"] for each in rows(connection, tables.funding) if each["trade_id"] is None
    )
    assert sum(each["pnl"] for each in trips) == realised - fees - paid + untold
    days = rows(connection, tables.daily_pnl)
    assert sum(each["pnl"] for each in days) == realised - fees - paid
    assert sum(each["fills"] for each in days) == len(fills)
    assert sum(each["trades"] for each in days) == sum(
        each["closed_ms"] is not None for each in trips
    )
    for trip in trips:
        mine = [each for each in fills if each["trade_id"] == trip["id"]]
        assert trip["entry_size"] - trip["exit_size"] == trip["size"] >= 0
        assert (trip["size"] == 0) == (trip["closed_ms"] is not None) == (trip["cost"] == 0)
        assert trip["fills"] - len(mine) in (0, 1)  # one that opens it by closing too much
        assert trip["size_max"] <= trip["entry_size"]
    is_open = [(each["agent"], each["symbol"]) for each in trips if each["closed_ms"] is None]
    assert len(is_open) == len(set(is_open))
    for order in rows(connection, tables.orders):
        mine = [each for each in fills if each["order_id"] == order["id"]]
        assert order["filled"] == sum(each["size"] for each in mine)
        assert order["notional"] == sum(each["size"] * each["price"] for each in mine)
        assert order["fees"] == sum(each["fee"] for each in mine)
        known = rows(connection, tables.order_events, order_id=order["id"])
        assert order["events"] == len(known)
        assert order["state"] == known[-1]["state"]
    return digests(connection)


def cut(records, size):
    return [records[start : start + size] for start in range(0, len(records), size)]


@settings(max_examples=60)
@given(order_events(AAA), order_events(BBB), st.integers(1, 9), st.randoms(use_true_random=False))
def test_any_events_give_a_ledger_that_adds_up_however_they_come(memory, one, two, size, chance):
    left, right = placed("orders", one, partition=0), placed("orders", two, partition=1)
    turns = [0] * len(left) + [1] * len(right)
    chance.shuffle(turns)
    streams = [iter(left), iter(right)]
    mixed = [next(streams[turn]) for turn in turns]

    first = folded(memory, [left, right], consistent)
    again = folded(memory, cut(mixed, size), digests)

    assert first == again


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(order_events(AAA), st.integers(1, 9))
def test_postgresql_holds_the_same_as_sqlite(memory, server, events, size):
    records = placed("orders", events)

    on_sqlite = folded(memory, cut(records, size), digests)
    on_postgresql = folded(server, cut(records, size), consistent)

    assert on_sqlite == on_postgresql


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.sampled_from([BTC, ETH]), st.decimals("60", "160", places=1)),
        st.tuples(
            st.just("signal"),
            st.sampled_from([BTC, ETH]),
            st.sampled_from(["long", "short", "flat"]),
        ),
        st.tuples(st.just("exit"), st.sampled_from([BTC, ETH]), st.sampled_from(["0.001", None])),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from(["close", "reverse"]))
def test_the_pnl_of_trades_is_the_change_of_balances(memory, steps, on_opposite):
    """The desk itself trades; the ledger comes to the same money from the fills alone."""
    agents = {
        name: AgentConfig(on_opposite=on_opposite, leverage=leverage, orders_per_symbol_day_max=99)
        for name, leverage in (("anna", 3), ("bert", 20))
    }
    scene = ready(agents=agents)
    for number, (what, symbol, value) in enumerate(steps):
        if what == "tick":
            scene.tick(value, symbol)
        elif what == "signal":
            scene.signal(value, symbol)
        elif symbol in scene.states["anna"].holdings:
            size = None if value is None else Decimal(value)
            scene.exit("anna", symbol, size=size, leg=f"leg-{number}")
    for symbol in (BTC, ETH):
        scene.signal("flat", symbol)
        scene.tick(100, symbol)
    said = [e for e in scene.said if type(e).__module__.endswith("trading.events")]
    of_orders = [e for e in said if type(e) in tables_of_orders()]

    def look(connection):
        consistent(connection)
        trips = rows(connection, tables.trades)
        return {
            name: (
                sum(each["pnl"] for each in trips if each["agent"] == name),
                rows(connection, tables.balances, agent=name)[0],
            )
            for name in agents
        }

    found = folded(memory, cut(placed("orders", of_orders), 7), look)

    for name, (pnl, held) in found.items():
        told = [e for e in of_orders if isinstance(e, BalanceChanged) and e.agent == name]
        assert pnl == held["earned"] == sum(e.change for e in told if e.kind != "start")
        assert held["balance"] == told[-1].balance == scene.states[name].balance


def tables_of_orders():
    from chandler.streams.catalogue import topic

    return topic("orders").events
