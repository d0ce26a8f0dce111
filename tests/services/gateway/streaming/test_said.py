"""What a record says to clients, and whom."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chandler.core.events import Event, InfraEvent, MatrixRow, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.notices.routing import User
from chandler.core.trading import events as tr
from services.gateway.caller import Caller
from services.gateway.streaming.asked import TOPICS, Wants
from services.gateway.streaming.telling.listening import View
from services.gateway.streaming.telling.said import Commands, Said, message, said
from tests.services.gateway.streaming.listening import T0, USERS, opened, record, sent

BTC = Symbol("BTCUSDT")


def view(name: str, agent: str = "") -> View:
    return View(Caller(name, USERS[name]), agent, Wants(TOPICS))


def told(event: Event, topic: str = "orders", commands: Commands | None = None) -> Said:
    found = said(record(event, topic), commands or Commands())
    assert found is not None
    return found


def body(found: Said) -> dict[str, Any]:
    raw = message(found.type, 7, T0, found.rest, "orders:0:1")
    whole: dict[str, Any] = msgspec.json.decode(raw)
    return whole


def signal(*agents: str) -> Signal:
    return Signal(
        id="s1",
        symbol=BTC,
        side="long",
        strength=0.5,
        source="trend",
        granularity=Granularity("5m"),
        close_ms=T0,
        expires_ms=T0,
        reason="<script>",
        agents=list(agents),
        inputs=[],
        config="",
        code="",
    )


def test_an_order_is_told_with_its_event_its_number_and_its_place():
    found = body(told(sent(number=4)))

    assert found["type"] == "order_update"
    assert found["event"] == "sent"
    assert found["order"]["id"] == "o4"
    assert (found["seq"], found["at_ms"], found["place"]) == (7, T0, "orders:0:1")


def test_a_position_has_its_entry_and_what_came_of_it_in_plain_digits():
    position = body(told(opened(), "positions"))["position"]

    assert position["entry"] == "100"
    assert position["pnl"] == "1.5"
    assert position["funding"] == "0"


def test_a_position_that_has_ended_has_no_entry():
    event = opened()
    marked = msgspec.structs.replace(event.position, size=Decimal(0), cost=Decimal(0))
    closed = tr.PositionClosed(
        position=marked, symbol=BTC, reason="stop", exit_notional=Decimal("19"), at=T0
    )

    found = body(told(closed, "positions"))

    assert (found["change"], found["why"], found["exit_notional"]) == ("closed", "stop", "19")
    assert found["position"]["entry"] is None


@pytest.mark.parametrize(
    "event",
    [
        tr.OrdersOut(shard=0, shards=1, at=T0),
        tr.PumpState(symbol=BTC, at=T0, kind="heartbeat", pump="up"),
        tr.Command(id="c", who="cli", what="trading", at=T0),
        tr.PositionUpdated(position=opened().position, symbol=BTC, why="mark", at=T0),
        None,
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_no_news_says_nothing(event):
    assert said(record(event), Commands()) is None


def test_a_signal_for_some_agents_is_heard_by_who_sees_one_of_them():
    assert view("vera").hears(told(signal(), "signals"))
    assert view("vera").hears(told(signal("anna", "bert"), "signals"))
    assert not view("vera").hears(told(signal("bert"), "signals"))
    assert view("otto").hears(told(signal("bert"), "signals"))


def test_each_client_hears_its_agents_only():
    event = told(sent("anna"))

    assert view("olga").hears(event)
    assert view("vera").hears(event)
    assert not view("otto").hears(event)
    assert not view("olga", "bert").hears(event)


def test_services_are_the_staffs():
    event = told(InfraEvent(service="market", instance="a", kind="crashed", at=T0), "infra")

    assert view("otto").hears(event)
    assert not view("vera").hears(event)


def test_an_answer_is_for_who_asked_and_for_who_sees_the_agent():
    commands = Commands()
    commands.take(tr.Command(id="c1", who="page:vera", what="trading", agent="bert", at=T0))
    answer = tr.Answer(command="c1", outcome="refused", detail="", by="executor", at=T0)

    event = told(answer, "answers", commands)

    assert view("vera").hears(event)
    assert view("otto").hears(event)
    assert body(event)["command"]["who"] == "page:vera"


def test_an_answer_to_what_nobody_knows_is_the_staffs():
    answer = tr.Answer(command="c9", outcome="done", detail="", by="executor", at=T0)

    event = told(answer, "answers")

    assert view("olga").hears(event)
    assert not view("vera").hears(event)


def test_a_key_for_some_agents_hears_of_no_other():
    caller = Caller("olga", User(role="owner", telegram_id=1), key="k", only=frozenset({"bert"}))

    assert not View(caller, "", Wants()).hears(told(sent("anna")))
    assert View(caller, "", Wants()).hears(told(sent("bert")))


def test_text_of_elsewhere_stays_text():
    assert body(told(signal(), "signals"))["signal"]["reason"] == "<script>"


def test_commands_are_forgotten_in_the_order_in_which_they_came():
    commands = Commands()
    for number in range(5_001):
        commands.take(tr.Command(id=f"c{number}", who="cli", what="trading", at=T0))

    def known(id_: str) -> tr.Command | None:
        answer = tr.Answer(command=id_, outcome="done", detail="", by="x", at=T0)
        return commands.of(answer)

    assert known("c0") is None
    assert known("c1") is not None


def test_a_row_of_notes_is_a_state_and_no_news():
    row = MatrixRow(
        symbol=BTC,
        granularity=Granularity("5m"),
        close_ms=T0,
        notes={},
        absent={},
        verdicts={},
        inputs=[],
        config="",
        code="",
    )

    assert said(record(row, "matrix"), Commands()) is None
