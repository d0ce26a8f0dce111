"""Orders, trades, refusals, signals and figures from a real ledger, a page at a time."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from chandler.core.events import Event, InfraEvent
from chandler.core.trading.events import BalanceChanged, PumpState
from tests.services.gateway.stand_in import DAY, NOW, Door
from tests.services.notifier.answering.scene import (
    BTC,
    ETH,
    HOUR,
    D,
    infra,
    opened,
    order,
    refusal,
    signal,
    state,
    trip,
)

COUNT = 23


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Two trades of anna, one of bert; an order of hers that is not filled, and refusals."""
    made = Door(tmp_path, "anna", "bert")
    made.record(
        orders=[
            *trip("1", "anna", "110", at=DAY + HOUR),
            *trip("3", "anna", "90", at=DAY + 4 * HOUR),
            *trip("2", "bert", "97", at=DAY + 2 * HOUR, symbol=ETH),
            *order("5", "anna", at=DAY + 6 * HOUR, price=None),
            *order("6", "anna", ETH, at=DAY),
            refusal("anna", "price_impact", "0.4 %, at most 0.2 %", at=DAY + HOUR),
            refusal("anna", "stale", "late", at=DAY + 2 * HOUR, seq=2),
            refusal("bert", "stale", "late by 77 s", at=DAY + 3 * HOUR, seq=3),
        ],
        signals=[signal(1), signal(9, "bert"), signal(3, "anna", "bert")],
    )
    made.scene.stand(state("anna", "-1", None), state("bert", "-6.5", None))
    made.read()
    return made


async def pages(door: Door, target: str, limit: int) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    after, join = "", "&" if "?" in target else "?"
    for _ in range(2 * COUNT):
        answer = await door.ask(f"{target}{join}limit={limit}&after={quote(after)}")
        assert len(answer.items) <= limit
        found += answer.items
        after = answer.body["next"]
        if not after:
            return found
    raise AssertionError("it has no end")


def many() -> list[Event]:
    """Orders and refusals, several of them at each time."""
    made: list[Event] = []
    for number in range(COUNT):
        at = DAY + number // 3 * HOUR
        made += order(f"{number:02}", "anna", at=at, price="100" if number % 2 else None)
        made.append(refusal("anna", "stale", "late", at=at, seq=number))
    return made


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 22, 23, 24])
@pytest.mark.parametrize(
    ("target", "name", "count"),
    [("/orders", "id", COUNT), ("/refusals", "at", COUNT), ("/fills", "trade", COUNT // 2)],
)
async def test_pages_have_each_row_once_and_in_order(
    tmp_path: Path, target: str, name: str, count: int, limit: int
) -> None:
    door = Door(tmp_path, "anna")
    door.record(orders=many())

    whole = (await door.ask(f"{target}?limit=500")).items
    found = await pages(door, target, limit)

    assert found == whole
    assert len(found) == count
    if name != "at":
        assert len({each[name] for each in found}) == count


async def test_what_comes_meanwhile_moves_no_page(tmp_path: Path) -> None:
    door = Door(tmp_path, "anna")
    door.record(orders=many())
    first = await door.ask("/refusals?limit=5")

    door.record(orders=[refusal("anna", "stale", "late", at=NOW, seq=99)])
    second = await door.ask(f"/refusals?limit=5&after={first.body['next']}")

    whole = (await door.ask("/refusals?limit=11")).items
    assert [*first.items, *second.items] == whole[1:]


@pytest.mark.parametrize(
    "cursor",
    ["x", "WzFd", "bnVsbA", "WzEsMl0", "WyJ4IiwieSJd", "Wzk5OTk5OTk5OTk5OTk5OTk5OTksImEiXQ",
     "WzEsIlx1MDAwMCJd", "%00", "W3RydWUsImEiXQ", "A" * 400],
)  # fmt: skip
async def test_a_cursor_that_is_none_is_told(door: Door, cursor: str) -> None:
    answer = await door.ask(f"/orders?after={cursor}")

    assert (answer.status, answer.kind) == (400, "cursor")


async def test_a_cursor_of_another_list_is_none(door: Door) -> None:
    cursor = (await door.ask("/refusals?limit=1")).body["next"]

    assert (await door.ask(f"/orders?after={cursor}")).kind == "cursor"


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        ("/orders?state=filled&symbol=ethusdt", ["exit2", "order2", "order6"]),
        ("/orders?source=stop", ["exit3", "exit2", "exit1"]),
        ("/orders?state=requested", ["order5"]),
        ("/orders?agent=bert", ["exit2", "order2"]),
        (f"/orders?since_ms={DAY + 5 * HOUR}", ["order5", "exit3"]),
        (f"/orders?until_ms={DAY + 2 * HOUR}", ["order1", "order6"]),
        ("/orders?cause=signal1", ["order1"]),
        ("/trades", ["trip3", "trip2", "trip1"]),
        ("/trades?source=scalper&side=long&reason=stop&agent=anna", ["trip3", "trip1"]),
        ("/trades?side=short", []),
        ("/trades?state=open", ["trip6"]),
        ("/trades?symbol=NOPE", []),
    ],
)
async def test_lists_are_narrowed(door: Door, target: str, ids: list[str]) -> None:
    assert [each["id"] for each in (await door.ask(target)).items] == ids


@pytest.mark.parametrize(
    "query",
    ["foo=1", "limit=0", "limit=501", "limit=x", "since_ms=-1", "until_ms=99999999999999999999",
     "symbol=A%00", "symbol=../../x", "agent=%00", "side=up", "after=" + "A" * 401,
     "symbol=" + "A" * 41, "agent=" + "a" * 101, "since_ms=NaN", "limit=1e3"],
)  # fmt: skip
async def test_what_nobody_can_ask_is_told(door: Door, query: str) -> None:
    answer = await door.ask(f"/trades?{query}")

    assert (answer.status, answer.kind) == (422, "invalid")


@pytest.mark.parametrize("text", ["' OR 1=1 --", '"; DROP TABLE trades', "<script>x</script>", "%"])
async def test_sql_and_html_in_a_filter_find_nothing(door: Door, text: str) -> None:
    assert (await door.ask(f"/trades?source={quote(text)}")).items == []
    assert (await door.ask(f"/refusals?reason={quote(text)}")).items == []
    assert len((await door.ask("/trades")).items) == 3


async def test_an_order_is_shown_with_its_life(door: Door) -> None:
    whole = (await door.ask("/orders/order1")).body

    assert [each["type"] for each in whole["events"]] == ["OrderRequested", "OrderFilled"]
    assert whole["events"][0]["place"] == "orders:0:0"
    assert [each["price"] for each in whole["fills"]] == ["100"]
    assert (whole["state"], whole["fill_price"], whole["filled"]) == ("filled", "100", "2")
    assert (await door.ask("/orders/order9")).kind == "unknown_order"


async def test_a_trade_is_shown_with_its_fills_and_its_signal(door: Door) -> None:
    door.record(signals=[msgspec.structs.replace(signal(1), id="signal1")])
    whole = (await door.ask("/trades/trip1")).body

    assert (whole["pnl"], whole["realised"], whole["fees"]) == ("19.5", "20", "0.5")
    assert [each["action"] for each in whole["filled"]] == ["open", "close"]
    assert (await door.ask("/trades/trip9")).kind == "unknown_trade"


async def test_a_position_that_is_over_is_shown_with_its_fills(door: Door) -> None:
    event = opened(state("anna", "1"), "101")
    position = msgspec.structs.replace(event.position, id="trip1")
    door.record(positions=[msgspec.structs.replace(event, position=position)])

    whole = (await door.ask("/positions/trip1")).body

    assert (whole["state"], whole["mark"], len(whole["fills"])) == ("open", "101", 2)
    assert (await door.ask("/positions/trip2")).kind == "unknown_position"


async def test_refusals_are_counted_by_reason(door: Door) -> None:
    counts = (await door.ask("/refusals/counts")).items
    lately = (await door.ask(f"/refusals/counts?since_ms={DAY + 2 * HOUR}&agent=anna")).items

    assert {(each["agent"], each["reason"]): each["count"] for each in counts} == {
        ("anna", "price_impact"): 1,
        ("anna", "stale"): 1,
        ("bert", "stale"): 1,
    }
    assert lately == [{"agent": "anna", "reason": "stale", "count": 1}]


async def test_signals_say_what_they_led_to(door: Door) -> None:
    door.record(signals=[msgspec.structs.replace(signal(1), id="signal1")])
    found = {each["id"]: each for each in (await door.ask("/signals")).items}

    assert (found["signal1"]["orders"], found["signal1"]["refusals"]) == (1, 0)
    assert list(found) == ["signal-9", "signal-3", "signal-1", "signal1"]


async def test_a_signal_for_others_alone_is_left_out(door: Door) -> None:
    found = (await door.ask("/signals", by="vera")).items
    whole = await pages(door, "/signals", 1)

    assert {each["id"]: each["agents"] for each in found} == {"signal-3": ["anna"], "signal-1": []}
    assert len(whole) == 3


async def test_pnl_is_summed_up_by_what_is_asked(door: Door) -> None:
    by_agent = (await door.ask("/pnl")).items
    by_symbol = (await door.ask("/pnl?by=symbol")).items
    by_day = (await door.ask("/pnl?by=day")).items

    assert [(each["name"], each["pnl"]) for each in by_agent] == [("anna", "-1"), ("bert", "-6.5")]
    assert [(each["name"], each["trades"]) for each in by_symbol] == [(BTC, 2), (ETH, 1)]
    assert {(each["name"], each["agent"]) for each in by_day} == {
        ("2024-01-05", "anna"),
        ("2024-01-05", "bert"),
    }
    assert by_day[0]["best"] is None


async def test_equity_ends_with_what_is_open_now(door: Door) -> None:
    [curve] = (await door.ask("/equity?agent=anna")).items

    assert curve["start"] == "1000"
    assert [each["equity"] for each in curve["points"]] == ["1019.5", "979.5", "999"]
    assert curve["open"] is True
    assert curve["drawdown_max"] == pytest.approx(40 / 1019.5, abs=1e-6)
    past = (await door.ask(f"/equity?agent=anna&until_ms={DAY + 3 * HOUR}")).items[0]
    assert (past["open"], len(past["points"])) == (False, 1)


async def test_what_is_paid_in_or_out_is_no_gain_and_no_loss(tmp_path: Path) -> None:
    def change(kind: Any, by: str, after: str, hour: int) -> BalanceChanged:
        return BalanceChanged(
            account="anna", agent="anna", kind=kind, change=D(by), balance=D(after), cause="",
            at=DAY + hour * HOUR,
        )  # fmt: skip

    door = Door(tmp_path, "anna")
    door.record(
        orders=[
            change("start", "1000", "1000", 0),
            change("fill", "-100", "900", 1),
            change("transfer", "-500", "400", 2),
            change("fill", "100", "500", 3),
        ]
    )
    [curve] = (await door.ask("/equity")).items

    assert curve["start"] == "1000"
    assert [each["drawdown"] for each in curve["points"]] == [0, 0.1, 0.2, 0]


async def test_pumps_of_the_past_are_listed(door: Door) -> None:
    def pump(kind: Any, at: int) -> PumpState:
        shape = "up" if kind == "started" else "none"
        return PumpState(symbol=BTC, at=at, kind=kind, pump=shape, since_ms=DAY)  # type: ignore[arg-type]

    door.record(pumps=[pump("started", DAY), pump("ended", DAY + HOUR)])

    found = await pages(door, "/pumps/history?symbol=btcusdt", 1)

    assert [each["kind"] for each in found] == ["ended", "started"]


async def test_what_services_say_is_for_those_who_see_all(door: Door) -> None:
    events: list[InfraEvent] = [
        infra("ingest", "restarted", "40 symbols"),
        infra("executor", "crashed", "bert lost 777"),
    ]
    door.record(infra=events)

    owner = (await door.ask("/infra/events")).items
    viewer = (await door.ask("/infra/events", by="vera")).items

    assert [each["detail"] for each in owner] == ["bert lost 777", "40 symbols"]
    assert [each["detail"] for each in viewer] == ["", "40 symbols"]
    [crash] = (await door.ask("/infra/events?kind=crashed")).items
    assert crash["service"] == "executor"


async def test_without_a_ledger_there_is_no_answer_and_no_path(tmp_path: Path) -> None:
    door = Door(tmp_path, "anna")

    for target in ("/orders", "/trades/x", "/equity", "/signals", "/infra/events"):
        answer = await door.ask(target)

        assert (answer.status, answer.kind) == (503, "ledger_away"), target
        assert str(tmp_path).encode() not in answer.raw


async def test_an_order_without_a_fill_has_no_price(door: Door) -> None:
    [waiting] = (await door.ask("/orders?state=requested")).items

    assert waiting["fill_price"] is None
