"""agents, positions, orders, desk and audit orders: as people call them, on real topics."""

import asyncio
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chandler.core.trading.events import Answer, Command, OrderRequested, Refusal
from chandler.core.trading.position import unrealised
from chandler.streams.reader import follow, read_topics
from chandler.streams.settings import Installation
from services.cli.app import main
from services.exits import NO_KAFKA, USAGE
from services.showing import standing
from tests.core.desk.scene import BTC
from tests.services.desking import Run, Said, told
from tests.story import Topics, opened_of

pytestmark = pytest.mark.kafka


async def test_agents_and_positions_show_how_the_desk_stands(
    desk: Installation, written: Topics, run: Run
) -> None:
    story = await told(desk, written, exits=False)
    opened = opened_of(story)
    await written.put("positions", opened)

    agents = await run("agents", "--json")
    positions = await run("positions", "--json", "--agent", "anna")
    nobody = await run("positions", "--agent", "nobody")
    table = await run("agents")
    shown = await run("positions")

    anna = agents.json["agents"]["anna"]
    state = story.scene.states["anna"]
    assert agents.status == positions.status == 0
    assert anna["balance"] == str(state.balance)
    assert anna["pnl"] == anna["pnl_today"] == str(state.balance - state.start)
    mark = Decimal(story.scene.tickers[BTC].mark)  # of the newest ticker, not of the position
    held = state.holdings[BTC].position
    assert Decimal(anna["unrealised"]) == unrealised(held, mark) != opened.position.unrealised
    assert (anna["positions"], anna["entries_today"], anna["blocked"]) == (1, 1, "")
    assert agents.json["agents"]["trend"]["balance"] is None
    [row] = positions.json["positions"]
    holding = state.holdings[BTC]
    assert (row["symbol"], row["side"]) == (BTC, holding.position.side)
    assert row["size"] == str(holding.position.size)
    assert Decimal(row["mark"]) == mark
    assert row["marked_ms"] == story.scene.tickers[BTC].at
    assert row["age_ms"] == story.scene.now - holding.position.opened_ms
    assert nobody == Said(0, "nothing is open\n", "")
    assert "anna" in table.out
    assert "off:" not in table.out
    assert BTC in shown.out


async def test_a_watch_shows_what_changes(
    desk: Installation, written: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "WATCH_S", 0.0)
    story = await told(desk, written, exits=False)
    known = story.scene.tickers[BTC]
    newer = replace(known, mark="80.9", at=known.at + 1_000)
    marks = []

    async with aclosing(standing.watched(desk)) as pictures:
        async for found in pictures:
            [row] = found.open_rows()
            marks.append(row.mark)
            if len(marks) == 1:
                await written.put("tickers", newer, BTC)
            if row.mark != marks[0]:
                break

    assert (str(marks[0]), str(marks[-1])) == (known.mark, newer.mark)


async def test_orders_show_their_lives_and_refusals_their_reasons(
    desk: Installation, written: Topics, run: Run
) -> None:
    story = await told(desk, written)

    orders = await run("orders", "--json")
    one = await run("orders", "--json", "--limit", "1", "--symbol", "btcusdt")
    none = await run("orders", "--agent", "bert")
    refused = await run("orders", "--refusals", "--json")
    table = await run("orders")

    requests = story.scene.all(OrderRequested)
    assert [each["id"] for each in orders.json["orders"]] == [each.id for each in requests[::-1]]
    assert {each["state"] for each in orders.json["orders"]} == {"filled"}
    assert [each["action"] for each in orders.json["orders"]] == ["close", "open"]
    assert len(one.json["orders"]) == 1
    assert (none.status, none.err.count("\n")) == (1, 1)
    reasons = [each["reason"] for each in refused.json["refusals"]]
    assert reasons == [each.reason for each in story.scene.all(Refusal)]
    assert requests[0].id[:10] in table.out


async def test_the_books_of_a_story_balance(desk: Installation, written: Topics, run: Run) -> None:
    await told(desk, written)

    books = await run("desk", "check")

    assert "agents=1 fills=2 difference=" in books.out


async def test_every_decision_is_recomputed(desk: Installation, written: Topics, run: Run) -> None:
    found = await told(desk, written)

    audit = await run("audit", "orders")
    as_json = await run("audit", "orders", "--json")

    assert audit.err == ""
    assert audit.out.startswith(f"decisions={len(found.records)} mismatches=0 not_compared=0 ")
    assert "shorts_in_pump=0" in audit.out
    assert audit.status == as_json.status == 0
    assert as_json.json["well"] is True


async def test_an_event_that_is_in_orders_again_fails_the_audit(
    desk: Installation, written: Topics, run: Run
) -> None:
    found = await told(desk, written)
    record = found.records[-1]
    source = f"desk/0/{record.seq}"
    await written.put("orders", bytes(record.outputs[0]), source=source)

    audit = await run("audit", "orders")

    assert audit.status == 1
    assert "duplicated=1" in audit.out


async def test_an_empty_desk_has_nothing_to_audit(desk: Installation, run: Run) -> None:
    audit = await run("audit", "orders")

    assert audit.status == 1
    assert "nothing was looked at" in audit.err


async def answering(desk: Installation, topics: Topics, outcome: Any) -> Command:
    """Answers the first command that comes, as the executor does."""
    async with aclosing(follow(desk, ["commands"], start="beginning")) as records:
        async for record in records:
            command = record.event
            assert isinstance(command, Command)
            answer = Answer(
                command=command.id,
                outcome=outcome,
                detail=f"{command.what}: {outcome}",
                by="executor",
                at=command.at,
            )
            await topics.put("answers", answer, command.id)
            return command
    raise AssertionError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("agent", "anna", "trading", "off"), ("trading", "anna", "", False)),
        (
            ("agent", "anna", "buying", "on", "--symbol", "btcusdt"),
            ("buying", "anna", "BTCUSDT", True),
        ),
        (("close", "--agent", "anna", "--symbol", "BTCUSDT"), ("close", "anna", "BTCUSDT", True)),
        (("resolve", "anna"), ("resolve", "anna", "", True)),
    ],
)
async def test_a_command_is_published_at_the_venues_time_and_answered(
    desk: Installation, written: Topics, run: Run, words: tuple[str, ...], expected: Any
) -> None:
    found = await told(desk, written)
    executor = asyncio.create_task(answering(desk, written, "done"))

    said = await run("desk", *words)
    command = await executor

    assert said == Said(0, f"done: {expected[0]}: done\n", "")
    assert (command.what, command.agent, command.symbol, command.on) == expected
    assert (command.who, command.at) == ("cli", found.scene.now)


async def test_a_command_that_is_refused_has_a_status_of_its_own(
    desk: Installation, written: Topics, run: Run
) -> None:
    executor = asyncio.create_task(answering(desk, written, "refused"))

    said = await run("desk", "agent", "nobody", "trading", "off", "--json")
    await executor

    assert said.status == 1
    assert (said.json["done"], said.json["expected"]) == (False, 1)
    assert said.json["answers"][0]["outcome"] == "refused"


async def test_a_command_without_an_answer_says_that_it_stands(
    desk: Installation, run: Run
) -> None:
    said = await run("desk", "close-all", "--wait", "0.5")

    found = [record.event async for record in read_topics(desk, ["commands"])]
    assert said.status == 1
    assert said.err.startswith("no answer within 0.5 s: the command stands")
    assert [each.what for each in found if isinstance(each, Command)] == ["close_all"]


async def test_what_is_to_be_closed_has_to_be_named(run: Run) -> None:
    said = await run("desk", "close")

    assert said.status == USAGE
    assert "expected --agent or --symbol" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("agents",),
        ("positions",),
        ("orders",),
        ("audit", "orders"),
        ("desk", "check"),
        ("why", "x"),
    ],
)
def test_without_kafka_each_says_so_in_one_line(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CHANDLER_BROKERS", "127.0.0.1:9")
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))

    assert main(list(words)) == NO_KAFKA

    said = capsys.readouterr().err
    assert "Kafka can't be reached at 127.0.0.1:9" in said
    assert "Traceback" not in said
