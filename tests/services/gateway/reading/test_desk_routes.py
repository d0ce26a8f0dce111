"""Agents, positions and balances as the desk's topics have them; and before they are read."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from chandler.core.trading.events import PositionUpdated
from services.following.views import SILENT_S
from tests.services.gateway.stand_in import NOW, Door
from tests.services.notifier.answering.scene import BTC, ETH, opened, state, ticker


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Anna has a long of 2 at 100 and a mark of 101; bert one at 177 without a mark."""
    made = Door(tmp_path, "anna", "bert", "carl")
    anna = msgspec.structs.replace(state("anna", "12.5"), limits={"leverage": Decimal(5)})
    made.scene.stand(anna, state("bert", "77", ETH, entry="177"))
    peaked = msgspec.structs.replace(opened(anna, "101").position, peak=Decimal("104.5"))
    made.see("positions", opened(anna, "101"))
    made.see("positions", PositionUpdated(position=peaked, symbol=BTC, why="mark", at=NOW))
    made.read()
    return made


async def test_agents_are_shown_with_their_money(door: Door) -> None:
    answer = await door.ask("/agents")
    [anna, bert, carl] = answer.items

    assert answer.body["at_ms"] == NOW
    assert answer.body["stale"] == ""
    assert (anna["balance"], anna["unrealised"], anna["equity"]) == ("1012.5", "2", "1014.5")
    assert (anna["positions"], anna["blocked"]) == (1, "")
    assert (bert["balance"], bert["unrealised"], bert["equity"]) == ("1077", None, None)
    assert carl["balance"] is None
    assert carl["switches"]["trading"] is False


async def test_an_agent_is_shown_with_the_limits_that_commands_have_set(door: Door) -> None:
    anna = (await door.ask("/agents/anna")).body

    assert anna["limits"]["leverage"]["value"] == "5"
    assert anna["limits"]["leverage"]["profile"] == "3"
    assert anna["limits"]["impact_max_percent"]["value"] == "0.5"
    assert anna["enabled"] is True


async def test_an_open_position_has_its_mark_stop_and_peak(door: Door) -> None:
    [anna, bert] = (await door.ask("/positions")).items

    assert (anna["symbol"], anna["side"], anna["size"], anna["entry"]) == (BTC, "long", "2", "100")
    assert (anna["mark"], anna["unrealised"], anna["cost"]) == ("101", "2", "200")
    assert (anna["stop"], anna["peak"]) == ("95.5", "104.5")
    assert (bert["mark"], bert["unrealised"], bert["peak"]) == (None, None, None)


async def test_positions_are_narrowed(door: Door) -> None:
    assert [each["agent"] for each in (await door.ask("/positions?agent=bert")).items] == ["bert"]
    assert [each["agent"] for each in (await door.ask("/positions?symbol=btcusdt")).items] == [
        "anna"
    ]
    assert (await door.ask("/positions?agent=mallory")).kind == "unknown_agent"


async def test_money_on_paper_and_real_money_are_summed_up_apart(door: Door) -> None:
    real = msgspec.structs.replace(state("carl", "3", None), paper=None, account="main")
    door.scene.stand(real)
    door.see("tickers", ticker(ETH, NOW, "178"))

    answer = (await door.ask("/balances")).body

    assert [each["mode"] for each in answer["totals"]] == ["live", "paper"]
    [live, paper] = answer["totals"]
    assert (live["agents"], live["balance"], live["equity"]) == (1, "1003", "1003")
    assert (paper["agents"], paper["balance"], paper["unrealised"]) == (2, "2089.5", "4")


async def test_a_sum_of_what_is_not_known_is_not_known(door: Door) -> None:
    [paper] = (await door.ask("/balances")).body["totals"]

    assert paper["balance"] == "2089.5"
    assert paper["unrealised"] is None


@pytest.mark.parametrize("target", ["/agents", "/agents/anna", "/positions", "/balances"])
async def test_before_topics_are_read_there_is_no_answer(tmp_path: Path, target: str) -> None:
    """An empty list would say that nothing is open."""
    answer = await Door(tmp_path, "anna").ask(target)

    assert (answer.status, answer.kind) == (503, "topics_unread")


async def test_kafka_that_was_never_there_is_told_apart(tmp_path: Path) -> None:
    door = Door(tmp_path, "anna")
    door.views._troubles["desk"] = "Kafka can't be reached"

    answer = await door.ask("/positions")

    assert (answer.status, answer.kind) == (503, "kafka_away")


async def test_what_was_known_is_shown_as_old_while_kafka_is_away(door: Door) -> None:
    door.views._troubles["desk"] = "Kafka can't be reached"

    answer = await door.ask("/positions")

    assert answer.status == 200
    assert answer.body["stale"] == "Kafka can't be reached"
    assert len(answer.items) == 2


async def test_topics_that_say_nothing_new_are_told(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.views._heard["desk"] = -2 * SILENT_S
    monkeypatch.setattr("services.following.views.time.monotonic", lambda: 0.0)

    assert (await door.ask("/agents")).body["stale"].startswith("nothing new for 60 s")
