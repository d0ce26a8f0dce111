"""The ledger's rows: what each event leaves in it, on SQLite and on PostgreSQL alike."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import URL, Engine

from chandler.core.events import InfraEvent, Signal, Symbol
from chandler.core.granularity import DAY_MS
from chandler.core.trading.events import (
    Answer,
    Command,
    ExitsOut,
    FundingPaid,
    Liquidated,
    NoticeAsked,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRefused,
    OrderSent,
    OrdersOut,
    OrderUnknown,
    PumpState,
    Refusal,
)
from services.ledger import tables
from services.ledger.opening import open_reader
from services.ledger.writer import LedgerWriter
from tests.services.ledgering import (
    AAA,
    START_MS,
    D,
    balance,
    both,
    closed,
    exit_requested,
    filled,
    following,
    opened,
    placed,
    requested,
    row,
    rows,
    signalled,
    updated,
)

pytestmark = both


class Ledger:
    """A ledger that takes events as they come in topics of one partition."""

    def __init__(self, url: URL) -> None:
        self.writer = LedgerWriter(url, "cluster/")
        self.places = self.writer.places()
        self.refused: list[str] = []
        self._reader: Engine | None = None
        self._url = url

    def take(self, topic, *events):
        records = placed(topic, events, self.places.get((topic, 0), 0))
        told: set[tuple[str, int, int]] = set()
        while (taken := self.writer.take(records, following(records), told)).untold:
            self.refused += [f"{each.cause}: {each.detail}" for each in taken.untold]
            told |= {(each.record.topic, 0, each.record.offset) for each in taken.untold}
        self.places |= following(records)

    @property
    def engine(self) -> Engine:
        self._reader = self._reader or open_reader(self._url)
        return self._reader

    def close(self):
        self.writer.close()
        if self._reader is not None:
            self._reader.dispose()


@pytest.fixture
def ledger(database):
    made = Ledger(database)
    yield made
    made.close()


def test_a_round_trip_is_a_trade_to_the_last_decimal(ledger):
    entry = requested("o1", size="0.3")
    exit_ = requested(
        "o2", 5_000, action="close", size="0.3", source="take_profit", leg="take_profit-1"
    )
    ledger.take(
        "orders",
        entry,
        filled(entry, "100.1", 1_000, fee="0.01801800"),
        exit_,
        filled(exit_, "110.7", 6_000, size="0.1", done=False, fee="0.00664200"),
        filled(exit_, "110.9", 7_000, size="0.2", trade="o2-2", fee="0.01330800"),
    )

    trade = row(ledger.engine, tables.trades)
    assert trade["realised"] == D("3.22")
    assert trade["fees"] == D("0.037968")
    assert trade["pnl"] == D("3.182032")
    assert trade["entry_notional"] == D("30.03")
    assert trade["exit_notional"] == D("33.25")
    assert trade["exit_price"] == D("110.833333333333")
    assert (trade["size"], trade["size_max"]) == (D(0), D("0.3"))
    assert (trade["source"], trade["cause"], trade["reason"]) == (
        "scalper",
        "signal-1",
        "take_profit",
    )
    assert trade["legs"] == ["entry", "take_profit-1"]
    assert (trade["entry_order"], trade["exit_order"], trade["fills"]) == ("o1", "o2", 3)
    assert trade["duration_ms"] == 6_000
    assert trade["targets"] == ["110", "120.25"]
    day = row(ledger.engine, tables.daily_pnl)
    assert (day["day"], day["pnl"], day["trades"], day["wins"]) == (
        "2024-01-01",
        D("3.182032"),
        1,
        1,
    )


def test_an_order_has_one_row_and_each_of_its_events_another(ledger):
    entry = requested("o1", size="2")
    who: dict[str, Any] = {"id": "o1", "account": "one", "agent": "one", "symbol": AAA}
    ledger.take(
        "orders",
        entry,
        OrderSent(**who, at=START_MS + 10),
        OrderUnknown(**who, reason="no answer in 10 s", at=START_MS + 20),
        OrderAccepted(**who, venue_id="v7", at=START_MS + 30),
        filled(entry, "100", 40, size="0.5", done=False),
        OrderCancelled(**who, filled=D("0.5"), reason="too far away", at=START_MS + 50),
    )

    order = row(ledger.engine, tables.orders)
    assert (order["state"], order["venue_id"], order["events"]) == ("cancelled", "v7", 6)
    assert (order["filled"], order["notional"], order["fees"]) == (D("0.5"), D(50), D("0.12"))
    assert (order["told"], order["cancelled_at"]) == ("too far away", D("0.5"))
    assert (order["requested_ms"], order["changed_ms"]) == (START_MS, START_MS + 50)
    assert order["kafka_offset"] == 0
    states = [each["state"] for each in rows(ledger.engine, tables.order_events)]
    assert states == ["requested", "sent", "unknown", "accepted", "accepted", "cancelled"]
    assert all(not each["fault"] for each in rows(ledger.engine, tables.order_events))


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (OrderRefused(id="o1", account="one", agent="one", symbol=AAA, code="40762",
                      reason="balance", at=START_MS + 9), "refused"),
        (OrderExpired(id="o1", account="one", agent="one", symbol=AAA, at=START_MS + 9), "expired"),
    ],
    ids=["refused", "expired"],
)  # fmt: skip
def test_an_order_that_the_venue_never_took_leaves_no_trade(ledger, end, state):
    ledger.take("orders", requested("o1"), end)

    assert row(ledger.engine, tables.orders)["state"] == state
    assert rows(ledger.engine, tables.trades) == []


def test_what_must_not_happen_to_an_order_is_named_and_its_money_counts(ledger):
    entry = requested("o1", size="1")
    stranger = requested("o9", position="p9")
    ledger.take(
        "orders",
        entry,
        filled(entry, "100", 10),
        filled(entry, "101", 20, trade="o1-2"),  # more than was ordered
        filled(entry, "101", 30, trade="o1-2"),  # the same again
        filled(stranger, "50", 40, size="1"),
    )

    events = rows(ledger.engine, tables.order_events)
    assert [each["fault"] for each in events] == [
        "",
        "",
        "overfilled",
        "overfilled",
        "not_requested",
    ]
    assert row(ledger.engine, tables.orders, id="o1")["filled"] == D(2)
    own = row(ledger.engine, tables.orders, id="o9")  # as of a stop that the venue held
    assert (own["state"], own["requested_ms"], own["leg"]) == ("filled", None, "entry")
    assert len(rows(ledger.engine, tables.fills)) == 3
    # An agent is long, short or flat in a symbol: what is open there takes them all.
    assert row(ledger.engine, tables.trades)["entry_notional"] == D(251)


def test_more_closed_than_open_is_a_round_trip_of_its_own(ledger):
    entry, exit_ = requested("o1", size="1"), requested("o2", action="close", size="3")
    again = requested("o3", action="close", side="short", size="2")
    ledger.take(
        "orders",
        entry,
        filled(entry, "100", 10, fee="0"),
        exit_,
        filled(exit_, "110", 20, fee="0.3"),
        again,
        filled(again, "120", 30, fee="0"),
    )

    first, second = rows(ledger.engine, tables.trades)
    assert (first["id"], first["pnl"]) == ("p1", D("9.9"))
    assert (second["id"], second["side"], second["position"]) == ("p1~2", "short", "p1")
    assert second["pnl"] == D("-20.2")


def test_funding_and_a_liquidation_are_of_the_round_trip(ledger):
    entry = requested("o1", size="2")
    who: dict[str, Any] = {"account": "one", "agent": "one", "symbol": AAA, "position": "p1"}
    paid = FundingPaid(
        **who, rate=D("0.0001"), mark=D(100), size=D(2), amount=D("0.02"),
        settled_ms=START_MS + DAY_MS, at=START_MS + DAY_MS,
    )  # fmt: skip
    end = Liquidated(
        **who, side="long", price=D(68), size=D(2), fee=D("0.0816"), at=START_MS + DAY_MS + 5
    )
    ledger.take("orders", entry, filled(entry, "100", 10, fee="0.12"), paid, end)

    trade = row(ledger.engine, tables.trades)
    assert (trade["realised"], trade["fees"], trade["funding"]) == (D(-64), D("0.2016"), D("0.02"))
    assert (trade["pnl"], trade["reason"]) == (D("-64.2216"), "liquidated")
    assert [each["pnl"] for each in rows(ledger.engine, tables.daily_pnl)] == [
        D("-0.12"),
        D("-64.1016"),
    ]
    assert row(ledger.engine, tables.funding)["trade_id"] == "p1"
    assert rows(ledger.engine, tables.fills)[1]["order_id"] is None


def test_balances_are_the_sums_of_their_changes_in_any_order(ledger):
    ledger.take("orders", balance("-0.12", DAY_MS), balance("1000", kind="start"))
    ledger.take("orders", balance("5.5", 20), balance("-100", 30, kind="transfer"))

    found = row(ledger.engine, tables.balances)
    assert (found["start"], found["transfers"], found["earned"]) == (D(1000), D(-100), D("5.38"))
    assert (found["balance"], found["changes"]) == (D("905.38"), 4)
    assert [each["balance_change"] for each in rows(ledger.engine, tables.daily_pnl)] == [
        D("5.5"),
        D("-0.12"),
    ]


def test_heartbeats_move_places_and_leave_nothing(ledger):
    calm = PumpState(symbol=AAA, at=START_MS, kind="heartbeat", pump="none")
    ledger.take("orders", OrdersOut(shard=0, shards=1, at=START_MS))
    ledger.take("exits", ExitsOut(partition=0, at=START_MS))
    ledger.take("pumps", calm, calm)

    assert ledger.writer.places() == {("orders", 0): 1, ("exits", 0): 1, ("pumps", 0): 2}
    for table in tables.DERIVED:
        assert rows(ledger.engine, table) == []


def test_a_positions_mere_marks_are_written_once_a_minute(ledger):
    minute = 60_000
    ledger.take("positions", opened(), updated(minute - 1, "101"))
    first = row(ledger.engine, tables.positions)
    ledger.take("positions", updated(minute, "102"), updated(minute + 5, "103"))
    second = row(ledger.engine, tables.positions)
    ledger.take("positions", updated(minute + 6, "104", why="stop"))
    third = row(ledger.engine, tables.positions)
    ledger.take("positions", closed(minute + 7), updated(minute + 8, "1"))
    fourth = row(ledger.engine, tables.positions)

    assert [each["mark"] for each in (first, second, third, fourth)] == [100, 102, 104, 105]
    assert (second["changed_ms"], second["marked_ms"]) == (START_MS, START_MS + minute)
    assert (fourth["state"], fourth["reason"]) == ("closed", "take_profit")


def test_a_command_and_its_answer_are_one_row_whichever_comes_first(ledger):
    asked = Command(id="c1", who="cli", what="selling", on=False, agent="one", at=START_MS)
    answer = Answer(
        command="c1", outcome="done", detail="selling is off", by="executor", at=START_MS + 1
    )
    ledger.take("answers", answer)
    ledger.take("commands", asked, msgspec.structs.replace(asked, id="c2"))
    ledger.take("answers", msgspec.structs.replace(answer, command="c2", outcome="refused"))

    one, two = rows(ledger.engine, tables.commands)
    assert (one["what"], one["switch"], one["outcome"], one["answers"]) == (
        "selling",
        False,
        "done",
        1,
    )
    assert (two["who"], two["outcome"], two["detail"]) == ("cli", "refused", "selling is off")


def test_everything_else_has_its_row(ledger):
    started = PumpState(
        symbol=AAA, at=START_MS, kind="started", pump="up", since_ms=START_MS, change=0.031,
        volume_ratio=4.5,
    )  # fmt: skip
    refusal = Refusal(
        agent="one", account="one", symbol=AAA, side="short", cause="s1", source="scalper",
        reason="pump", detail="AAAUSDT is pumped since 00:00", seq=7, at=START_MS,
    )  # fmt: skip
    ledger.take("pumps", started)
    ledger.take("orders", refusal)
    ledger.take("exits", exit_requested())
    ledger.take(
        "notices", NoticeAsked(id="n1", level="alarm", agent="one", text="∑ ≠", at=START_MS)
    )
    ledger.take(
        "infra", InfraEvent(service="ingest", instance="h:1:0", kind="crashed", at=START_MS)
    )

    assert row(ledger.engine, tables.pumps)["volume_ratio"] == 4.5
    assert row(ledger.engine, tables.refusals)["reason"] == "pump"
    assert row(ledger.engine, tables.exits)["size"] is None
    assert row(ledger.engine, tables.notices)["text"] == "∑ ≠"
    assert row(ledger.engine, tables.infra_events)["kind"] == "crashed"


def test_a_signal_is_there_once_and_another_under_its_id_is_refused(ledger):
    ledger.take("signals", signalled(1), signalled(2), signalled(1))
    ledger.take("signals", signalled(1, strength=0.9))
    ledger.take("signals.external", signalled(1, strength=0.7))

    kept = [(each["topic"], each["strength"]) for each in rows(ledger.engine, tables.signals)]
    assert kept == [("signals", 0.5), ("signals", 0.5), ("signals.external", 0.7)]
    assert len(ledger.refused) == 1
    assert "came again with other content" in ledger.refused[0]


def test_what_no_database_can_hold_is_refused_alone(ledger):
    whole: Signal = signalled(1)
    entry = requested("o1")
    ledger.take("signals", msgspec.structs.replace(whole, reason="a\x00b"), signalled(2))
    ledger.take(
        "orders",
        msgspec.structs.replace(entry, id="bad", size=D("NaN")),
        msgspec.structs.replace(entry, id="big", price=D("1E+5000")),
        msgspec.structs.replace(entry, id="far", at=2**62),
        msgspec.structs.replace(entry, id="wide", leverage=2**40),
        entry,
        msgspec.structs.replace(filled(entry, "100"), fee=D("Infinity")),
        filled(entry, "100", 10),
    )

    assert [each["id"] for each in rows(ledger.engine, tables.signals)] == ["signal-2"]
    assert [each["id"] for each in rows(ledger.engine, tables.orders)] == ["o1"]
    assert len(ledger.refused) == 6
    assert all(line.startswith("impossible for the ledger: ") for line in ledger.refused)
    assert row(ledger.engine, tables.orders)["state"] == "filled"


def test_money_keeps_every_digit(ledger):
    digits = "123456789012345678.000000000000000001"
    ledger.take("orders", balance(digits), balance("1", agent="two", kind="start"))

    kept = row(ledger.engine, tables.balances, agent="one")["balance"]
    assert str(kept) == digits


def test_symbols_in_many_partitions_fill_the_same_tables(ledger):
    two = Symbol("BBBUSDT")
    one, other = requested("o1"), requested("o2", symbol=two, position="p2")
    mixed = [
        *placed("orders", [one, filled(one, "100", 5)], partition=0),
        *placed("orders", [other, filled(other, "7", 5)], partition=3),
    ]
    ledger.writer.take(mixed, following(mixed))

    assert [each["symbol"] for each in rows(ledger.engine, tables.trades)] == [AAA, two]
    assert row(ledger.engine, tables.daily_pnl)["fills"] == 2
