"""What the desk says: agents, positions, balances, orders, refusals; and to whom."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from chandler.core.notices.text import parts
from chandler.core.trading.events import OrderFilled
from services.notifier.answering import orders
from tests.services.notifier.answering.scene import (
    BTC,
    DAY,
    ETH,
    HOUR,
    NOW,
    D,
    Scene,
    infra,
    logged,
    opened,
    order,
    out,
    refusal,
    signal,
    state,
    ticker,
    trip,
    view,
)

TOPICS = [
    *("status", "agents", "positions", "balance", "statistics", "orders", "refusals", "why"),
    *("signals", "market", "candles", "logs", "crashes", "digest"),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Anna and bert trade; carl is new."""
    made = Scene(tmp_path, "anna", "bert", "carl")
    anna, bert = state("anna", "12.5"), state("bert", "777", entry="70")
    made.stand(anna, bert)
    made.see("positions", opened(anna, "101"), opened(bert, "101"))
    made.see("orders", *order("1", "anna"), *order("7", "bert", price="77"))
    return made


async def test_agents_show_what_they_may_do_and_what_they_have(scene: Scene) -> None:
    said = await scene.text("agents")

    assert said.splitlines()[:3] == [
        "anna: paper, trading on",
        "balance 1012.5, today +12.5, in all +12.5",
        "open 1, +2 unrealised, orders under way 0, entries today 0",
    ]
    assert "carl: paper, trading off\nthe desk has not begun with it" in said
    assert "as of 2024-01-05 10:00 UTC" in said


async def test_positions_show_mark_gain_stop_and_age_in_the_venues_time(scene: Scene) -> None:
    said = (await scene.text("positions", agent="anna")).splitlines()

    assert said[:4] == [
        "anna: 1 open, +2",
        "BTCUSDT long: +2 (+1 %)",
        "mark 101, entry 100, stop 95.5",
        "size 2 at 3x, open 3 h 0 min, from scalper",
    ]


async def test_a_position_without_a_mark_says_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    scene.stand(state("anna", "0"))

    said = await scene.text("positions")

    assert said.startswith("anna: 1 open, -\nBTCUSDT long: -\nmark -, entry 100, stop 95.5\n")


async def test_positions_of_a_symbol_are_narrowed_whatever_its_case(scene: Scene) -> None:
    assert "Nothing is open in ETHUSDT." in await scene.text("positions", symbol="ethusdt")
    assert "2 open in BTCUSDT, +64" in await scene.text("positions", symbol="btcusdt")


async def test_balances_are_summed_by_mode(scene: Scene) -> None:
    said = (await scene.text("balance")).splitlines()

    assert said[:4] == [
        "paper: 2789.5, today +789.5, unrealised +64",
        "anna: 1012.5, today +12.5, in all +12.5",
        "bert: 1777, today +777, in all +777",
        "carl: the desk has not begun with it",
    ]


async def test_the_newest_orders_come_first_with_what_became_of_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    scene.see("orders", *order("1", "anna"), *order("2", "anna", ETH, at=NOW + 1, price=None))

    said = (await scene.text("orders")).splitlines()
    one = await scene.text("orders", symbol="btcusdt", count=1)

    assert said[:7] == [
        "Newest 2 orders",
        "01-05 10:00 ETHUSDT open long: requested",
        "0 of 2, fee 0; anna, scalper",
        "order2",
        "01-05 10:00 BTCUSDT open long: filled",
        "2 of 2 at 100, fee 0.25; anna, scalper",
        "order1",
    ]
    assert "order2" not in one


async def test_orders_are_apart_from_one_another_and_a_tap_copies_an_id(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    scene.see("orders", *order("1", "anna"), *order("2", "anna", ETH, at=NOW + 1))

    [html] = parts((await scene.ask("orders")).lines)

    assert html.count("\n\n01-05 10:00") == 2
    assert "\n<code>order1</code>" in html


async def test_a_close_by_the_venues_stop_is_listed_though_nobody_requested_it(
    tmp_path: Path,
) -> None:
    """The position was gone, and the list looked as if it was still open."""
    scene = Scene(tmp_path, "anna")
    entry, filled = order("1", "anna")
    assert isinstance(filled, OrderFilled)
    more = {"id": "stop1", "trade": "stop1-1", "action": "close", "leg": "stop", "source": "stop"}
    by_stop = msgspec.structs.replace(filled, **more, price=D("95.5"), at=NOW + HOUR)
    scene.see("orders", entry, filled, by_stop)

    said = (await scene.text("orders")).splitlines()

    assert said[1:3] == [
        "01-05 11:00 BTCUSDT long closed by the stop at the venue",
        "2 at 95.5, fee 0.25; anna",
    ]


async def test_one_symbol_has_one_mark_whoever_holds_it_and_whenever_it_was_marked(
    tmp_path: Path,
) -> None:
    """Each agent's position was marked when its shard came to it: two marks in one answer."""
    scene = Scene(tmp_path, "anna", "bert")
    anna, bert = state("anna", "0"), state("bert", "0")
    scene.stand(anna, bert)
    scene.see("positions", opened(anna, "101"), opened(bert, "103"))
    before = await scene.text("positions")
    scene.see("tickers", ticker(BTC, NOW + 5_000, "104"), ticker(BTC, NOW + 4_000, "102"))

    said = await scene.text("positions")

    assert before.count("mark 103, ") == 2
    assert said.count("mark 104, ") == 2
    assert said.startswith("2 open, +16\nanna: 1 open, +8\nBTCUSDT long: +8 (+4 %)\n")
    assert "as of 2024-01-05 10:00:05 UTC" in said


async def test_a_mark_that_is_older_than_the_others_says_its_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    btc, eth = state("anna", "0"), state("bert", "0", ETH)
    scene.stand(btc, eth)
    scene.see("tickers", ticker(BTC, NOW, "101"), ticker(ETH, NOW + HOUR, "102"))

    said = await scene.text("positions")

    assert "mark 101 of 01-05 10:00, entry 100" in said
    assert "mark 102, entry 100" in said
    assert "as of 2024-01-05 11:00 UTC" in said


async def test_orders_from_before_the_views_come_from_the_ledger(tmp_path: Path) -> None:
    """The views begin in the middle of the topic: what was before it stands in the ledger."""
    scene = Scene(tmp_path, "anna")
    before, after = order("1", "anna", at=DAY), order("2", "anna")
    scene.record([*before, *after])
    scene._offsets["orders"] = 500
    scene.see("orders", *after)

    said = await scene.text("orders")
    other = await scene.text("orders", agents=["bert"])

    assert said.index("order2") < said.index("order1")
    assert said.count("order2") == 1
    assert "order1" not in other


async def test_refusals_are_counted_and_told_in_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    scene.see(
        "orders",
        refusal("anna", "daily_loss", "lost 60 of 50", at=NOW - 25 * HOUR),
        refusal("anna", "price_impact", "0.4 %, at most 0.2 %", seq=2),
        refusal("anna", "price_impact", "0.5 %, at most 0.2 %", seq=3),
        refusal("anna", "pump", "BTCUSDT is pumped", seq=4),
    )

    said = (await scene.text("refusals")).splitlines()

    assert said[:3] == [
        "3 refusals within 1 d 0 h",
        "2 × price impact, 1 × pump",
        "01-05 10:00 anna BTCUSDT long: pump: BTCUSDT is pumped",
    ]
    assert "lost 60 of 50" in said[5]  # the newest ones, also from before


@pytest.mark.parametrize("topic", TOPICS)
async def test_nothing_of_another_agent_is_shown_or_summed_up(scene: Scene, topic: str) -> None:
    """All of bert's figures have a 7 in them, and none of anna's: also no sum may have one."""
    scene.record(
        [*trip("1", "anna", "110"), *trip("7", "bert", "177"), refusal("bert", "pump7", "7 of 7")]
    )
    scene.see("orders", refusal("bert", "pump7", "7 of 7"), refusal("anna", "pump", "pumped"))
    scene.see("signals", signal(1), signal(2, "bert"), signal(3, "anna", "bert"))
    scene.see("logs", logged("executor", "bert lost 77"), logged("ingest", "40 symbols"))
    scene.see("infra", infra("executor", "crashed", "7 positions"), infra("ingest", "crashed"))
    scene.see("market", view())
    scene.see("candles.last", out())

    limited = await scene.ask(topic, agents=["anna"], order="order7", symbol="")
    named = await scene.ask(topic, agents=["anna"], agent="bert", order="order7")
    whole = await scene.ask(topic, agents=[])

    text = "\n".join(line.text for line in limited.lines) + limited.picture
    assert "bert" not in text
    if topic not in ("status", "market", "why"):  # which have other figures, or what was typed
        assert "7" not in text
    refused = "\n".join(line.text for line in named.lines)
    assert refused == "no agent is called 'bert': there is anna"
    if topic in ("agents", "positions", "balance", "statistics", "orders", "refusals", "digest"):
        assert "7" in "\n".join(line.text for line in whole.lines)


async def test_an_agent_that_is_not_there_is_told_with_those_that_are(scene: Scene) -> None:
    said = await scene.text("positions", agent="ana")

    assert said == "no agent is called 'ana' (nearest: anna): there is anna, bert, carl"


async def test_a_profile_without_agents_says_what_to_do(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    assert await scene.text("agents") == (
        "There are no agents: set agents.NAME in the profile, and start again."
    )


async def test_more_rows_than_a_telephone_has_room_for_are_counted(tmp_path: Path) -> None:
    names = [f"agent{number:02}" for number in range(40)]
    scene = Scene(tmp_path, *names)
    scene.stand(*(state(name, "1", None) for name in names))

    reply = await scene.ask("balance")

    assert len(reply.lines) == 1 + 30 + 1 + 2
    assert reply.lines[31].text == "… and 10 more"
    assert all(parts(reply.lines))


async def test_wild_figures_are_told_and_nothing_is_raised(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    wild = state("anna", "1e45")
    scene.stand(wild)

    said = await scene.text("balance")

    assert "is no number" in said
    assert D("1e45") == wild.realised


async def test_answers_from_topics_that_are_not_read_yet_say_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")

    for topic in ("agents", "positions", "balance", "orders", "refusals", "signals", "market"):
        assert "Warning: the topics are not read yet" in await scene.text(topic)


async def test_without_kafka_and_ledger_each_topic_is_answered_in_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    scene.see("candles.last", out(BTC))

    said = {topic: await scene.text(topic, order="abcd", symbol=BTC) for topic in TOPICS}

    assert "Kafka can't be reached at 127.0.0.1:9" in said["candles"]
    assert "Kafka can't be reached at 127.0.0.1:9" in said["why"]
    assert "there is no ledger at" in said["statistics"]
    assert "run ./chandler up first" in said["digest"]
    assert all(said.values())
    assert not (tmp_path / "ledger.sqlite").exists()


async def test_a_lookup_that_takes_too_long_is_not_an_order_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine was busy, and a person on a telephone was told that the order was not found."""

    async def long(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(orders, "explained", long)
    monkeypatch.setattr(orders, "WHY_S", 0.05)
    scene = Scene(tmp_path, "anna")

    said = await scene.text("why", order="order1")

    assert said == ("the lookup of order1 took longer than 0.05 s, the machine is busy: ask again")


async def test_views_wait_for_kafka_and_say_what_is_missing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")
    running = asyncio.create_task(scene.views.run())
    while "Kafka can't be reached" not in scene.views.trouble("desk"):
        await asyncio.sleep(0)
    said = await scene.text("positions")
    running.cancel()
    await asyncio.wait([running])

    assert "Warning: Kafka can't be reached at 127.0.0.1:9: start it with" in said


async def test_what_was_typed_is_cut_in_an_answer(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")

    for field in ("agent", "symbol", "service", "order", "granularity", "engine"):
        for topic in TOPICS:
            assert len(await scene.text(topic, **{field: "\u202ex" * 2_000})) < 4_000
