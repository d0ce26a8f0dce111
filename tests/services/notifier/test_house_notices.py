"""What the real notifier tells of real topics, and to whom."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from chandler.core.events import DeadLetter, InfraEvent, Signal
from chandler.core.notices.gathering import Pace
from chandler.core.trading.events import Command, NoticeAsked, PumpState, Refusal
from chandler.streams.settings import PORT_ALERTS, Installation
from services.notifier.channels.telegram import Telegram, TelegramError
from services.telegram import STAND_IN_TOKEN
from tests.conftest import Topics as Create
from tests.services.notifier.house import (
    BTC,
    ETH,
    LOG,
    OLGA,
    OTTO,
    START_MS,
    STRANGER,
    VERA,
    House,
    data_of,
    house,
    profile,
    text_of,
)
from tests.services.notifier.test_inlets import PAYLOAD
from tests.streams.desk.cluster import signal

pytestmark = pytest.mark.kafka

EVERYBODY = (OLGA, OTTO, VERA)
STAFF = (OLGA, OTTO)


@pytest.fixture
async def home(installation: Installation, topics: Create, tmp_path) -> AsyncIterator[House]:
    own = msgspec.structs.replace(installation, data=tmp_path)
    async with house(own, topics) as made:
        yield made


def notice(number: int, agent: str = "anna", text: str = "") -> NoticeAsked:
    text = text or f"notice {number}"
    return NoticeAsked(id=f"n{number}", level="info", agent=agent, text=text, at=START_MS + number)


def refusal(number: int) -> Refusal:
    return Refusal(
        agent="anna",
        account="anna",
        symbol=BTC,
        side="long",
        cause=f"s{number}",
        source="scalper",
        reason="stale",
        detail="too old",
        seq=number,
        at=START_MS + number,
    )


async def settled(home: House, number: int) -> None:
    """Everything before it has been told: a last notice has arrived everywhere."""
    await home.topics.put("notices", notice(number), "anna")
    for person in EVERYBODY:
        await home.told(f"anna: notice {number}", to=person)


async def test_events_of_topics_are_told_to_those_whom_they_are_for(home: House) -> None:
    pump = PumpState(
        symbol=BTC, at=START_MS, kind="started", pump="up", change=0.05, volume_ratio=4.0
    )
    crash = InfraEvent(
        service="ingest", instance="i", kind="crashed", at=START_MS, detail="boom; again in 3 s"
    )
    letter = DeadLetter(source="signals", cause="undecodable", detail="<b>", raw="x")
    async with home.notifying():
        await home.topics.put("pumps", pump)
        await home.topics.put("infra", crash, "ingest")
        await home.topics.put("dead-letters", letter, "signals")
        await home.topics.put("notices", notice(1, "bert", "<i>of bert</i> & co"), "bert")
        await home.topics.put("orders", refusal(1))
        for person in STAFF:
            await home.told("ingest crashed: boom; again in 3 s", to=person)
            await home.told("signals: dead letter, undecodable", to=person)
            await home.told("bert: <i>of bert</i> & co", to=person)
        for person in EVERYBODY:
            await home.told("BTCUSDT: pump started", "+5 %", to=person)
        await settled(home, 2)

        await home.asks("/notices refusal on", "Switched: refusal on")
        await home.topics.put("orders", refusal(2))
        await home.told("anna: refusal of long BTCUSDT: stale", "too old")

    assert len(home.texts(VERA)) == 2, "the pump, and what is of anna"
    assert sum("refusal of" in each for each in home.texts(OLGA)) == 1
    assert not any("refusal of" in each for each in home.texts(OTTO))


async def test_an_alert_of_alertmanager_is_told_once(home: House) -> None:
    url = f"http://127.0.0.1:{home.cluster.port(PORT_ALERTS)}/alertmanager"
    async with home.notifying(), aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.post(url, json=PAYLOAD) as response:
                assert response.status == 200
        alarm = await home.told("ALARM: IngestLate: ingest <has> stopped & waits")
        await home.told("DiskFull is over")
        await settled(home, 3)

    assert "instance=127.0.0.1:29011" in text_of(alarm)
    assert sum("IngestLate" in each for each in home.texts(OLGA)) == 1
    assert len(await home.events("notices", NoticeAsked)) == 5


async def test_who_may_not_ask_is_told_so_and_nothing_is_asked(home: House) -> None:
    async with home.notifying():
        await home.asks("/buy BTCUSDT 100 anna", "/buy needs an owner", by=OTTO)
        await home.asks("/stop anna", "needs an operator or an owner", by=VERA)
        await home.asks("/balance bert", "bert", by=VERA)
        home.people.say(STRANGER, "/closeall")
        home.people.say(STRANGER, "/start")
        await home.told("You are not on the list", "6666", to=STRANGER)
        await home.told("A stranger wrote: id 6666", "'<b>Mallory</b>'")
        await settled(home, 1)

    assert await home.commands() == []
    assert sum("A stranger" in each for each in home.texts(OLGA)) == 1
    assert not any("stranger" in each for each in home.texts(OTTO))


async def test_in_a_group_only_what_costs_nothing_is_taken(home: House) -> None:
    group = msgspec.structs.replace(OLGA, chat_id=-100, title="Traders")
    async with home.notifying():
        home.people.say(group, "good morning")
        home.people.say(group, "/buy BTCUSDT 100 anna")
        await home.told("Write to me directly")
        home.people.say(group, "/pause scalper anna")
        await home.told("Asked for: Pause engine scalper")
        outsider = msgspec.structs.replace(STRANGER, chat_id=-100)
        home.people.say(outsider, "/status")
        await home.told("A stranger wrote")

    chat = home.books.chats[-100]
    assert all(each.sender["id"] != home.books.id for each in chat.messages.values())
    assert [each.what for each in await home.commands()] == ["pause"]


async def test_a_confirmation_that_is_tapped_twice_buys_once(home: House) -> None:
    async with home.notifying():
        question = await home.asks("/buy BTCUSDT 100 anna", "Confirm within")
        data = data_of(question, "Confirm")
        home.people.tap(OLGA, question.id, data)
        home.people.tap(OLGA, question.id, data)
        await home.told("Asked for: Buy (open long) BTCUSDT")
        await home.told("This question is not open")

    assert [each.what for each in await home.commands()] == ["force"]
    answers = [each.answer for each in home.books.taps.values()]
    assert [each and each["text"] for each in answers] == ["Asked for", "Nothing was done"]


async def test_a_keyboard_from_before_a_restart_still_works_and_an_answered_one_does_nothing(
    home: House,
) -> None:
    async with home.notifying():
        done = await home.asks("/buy BTCUSDT 100 anna", "Confirm within")
        done_yes = data_of(done, "Confirm")
        await home.taps(done, "Confirm", "Asked for")
        menu = await home.asks("/start", "Chandler")
        waits = await home.asks("/sell ETHUSDT 50 anna", "Confirm within")
        forgotten = await home.asks("/closeall anna", "Confirm within")
        forgotten_yes = data_of(forgotten, "Confirm")
        await home.taps(forgotten, "Cancel", "Cancelled: Close all positions")

    async with home.notifying():
        await home.taps_late(done, done_yes, "This question is not open")
        await home.taps_late(forgotten, forgotten_yes, "This question is not open")
        await home.taps(menu, "Stop trading", "Stop trading, agents: all", "Confirm within")
        await home.taps(waits, "Confirm", "Asked for: Sell (open short) ETHUSDT")

    made = [(each.what, each.symbol) for each in await home.commands()]
    assert made == [("force", BTC), ("force", ETH)]


async def test_updates_that_telegram_gives_twice_are_taken_once(home: House) -> None:
    home.fault(duplicate_every=1)
    async with home.notifying():
        for number in range(5):
            await home.asks(f"/pause scalper {'anna' if number % 2 else 'bert'}", "Asked for")
        async with asyncio.timeout(60):
            while home.books.updates.repeated < 5:
                await asyncio.sleep(0.05)
        home.fault()
        await home.asks("/start", "Chandler")

    assert len(await home.commands()) == 5
    assert sum("Asked for" in each for each in home.texts(OLGA)) == 5


async def test_a_command_that_lay_there_while_nobody_read_is_not_carried_out(home: House) -> None:
    home.people.say(OLGA, "/pause scalper anna")
    for message in home.books.chats[OLGA.user_id].messages.values():
        message.date_s -= 61
    home.books.updates._pending[-1]["message"]["date"] -= 61
    async with home.notifying():
        await home.told("Pause engine scalper", "Nothing was done")

    assert await home.commands() == []


async def test_a_token_in_use_elsewhere_is_said_and_nothing_is_carried_out(home: House) -> None:
    async def other() -> None:
        async with Telegram(STAND_IN_TOKEN, home.stand_in.url, LOG) as thief:
            while True:
                try:
                    await thief.asked(-1, 0)
                except TelegramError:
                    await asyncio.sleep(0)

    async with home.notifying() as life:
        await home.books.updates.opened.wait()
        thieving = asyncio.create_task(other())
        async with asyncio.timeout(60):
            while "used by another process" not in life.context.health.state:
                await asyncio.sleep(0.05)
        home.people.say(OLGA, "/pause scalper anna")
        await settled(home, 1)  # notices go on meanwhile
        ready, state = life.context.health.ready, life.context.health.state
        thieving.cancel()
        await asyncio.wait([thieving])

    assert ready, "it reads topics: a restart would not help"
    assert state.endswith("end that one")
    assert "\n" not in state
    assert STAND_IN_TOKEN not in state
    assert await home.commands() == []


async def test_a_token_that_telegram_doesnt_know_is_said_with_a_cure(home: House) -> None:
    home.stand_in.bots.clear()
    async with home.notifying() as life:
        async with asyncio.timeout(60):
            while "run ./chandler setup" not in life.context.health.state:
                await asyncio.sleep(0.05)

    assert await home.events("commands", Command) == []


async def test_without_agents_signals_are_told_gathered_by_their_close(
    installation: Installation, topics: Create, tmp_path
) -> None:
    own = msgspec.structs.replace(installation, data=tmp_path)
    alerts = profile(agents={}, notices=Pace(close_ms=5_000))
    made: list[Signal] = [
        signal("BTCUSDT", 1, 0.9, "trend"),
        signal("ETHUSDT", 1, 0.4, "trend"),
        signal("BTCUSDT", 1, 0.8, "scalper"),
        signal("BTCUSDT", 300_001, 0.7, "scalper"),
        signal("BTCUSDT", 600_001, 0.6, "trend"),
    ]
    async with house(own, topics, alerts) as home, home.notifying():
        for each in made:
            await home.topics.put("signals", each, "one lane: in this order")
        gathered = await home.told("3 signals of the close")
        for person in EVERYBODY:
            await home.told("long BTCUSDT, strength 0.6, trend 1m", to=person)

        assert "long ETHUSDT, strength 0.4, trend 1m" in text_of(gathered)
        assert "long BTCUSDT, strength 0.8, scalper 1m" in text_of(gathered)
        assert len(home.messages(OLGA)) == 3
        # Vera wants the strong ones of trend only.
        assert [each.splitlines()[0] for each in home.texts(VERA)] == [
            "long BTCUSDT, strength 0.9, trend 1m",
            "long BTCUSDT, strength 0.6, trend 1m",
        ]
        await home.asks("/closeall", "no agents")
        assert await home.commands() == []
