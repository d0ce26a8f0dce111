"""The real notifier between Telegram's stand-in and real topics: what is asked, and its effect."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from chandler.core.notices.routing import Role
from chandler.core.notices.words import signed
from chandler.core.trading.events import OrderFilled, OrderRequested
from chandler.core.trading.limits import LIMITS
from chandler.streams.settings import Installation
from services.notifier.talking.commands import COMMANDS, commands_for
from services.telegram_stand_in.people import Person
from tests.conftest import Topics as Create
from tests.services.notifier.answering.scene import logged
from tests.services.notifier.house import BTC, ETH, OLGA, OTTO, VERA, House, house, text_of

pytestmark = pytest.mark.kafka

# What each command answers; what a command of the desk or the watchdog is in topic `commands`.
ASKED: dict[str, tuple[str, ...]] = {
    "/start": ("Chandler: olga, owner",),
    "/help": ("Commands", "/buy SYMBOL"),
    "/status": ("notifier",),
    "/agents": ("anna", "bert"),
    "/positions": ("Nothing is open",),
    "/balance": ("10000",),
    "/stats week by engine": ("./chandler",),  # there is no ledger here, and it says so
    "/orders BTCUSDT 5": ("order",),
    "/refusals": ("refus",),
    "/why 3kq7x2": ("3kq7x2",),
    "/signals BTCUSDT": ("signal",),
    "/market": ("Nothing yet",),
    "/chart BTCUSDT 1H": ("BTCUSDT",),
    "/digest": ("./chandler",),
    "/mute 2h": ("Quiet for 2 h",),
    "/notices exit off": ("Switched: exit off",),
    "/cancel": ("Nothing waits",),
    "/crashes": ("crash",),
    "/logs executor 5": ("took 7 records",),
}
AT_ONCE: dict[str, dict[str, object]] = {
    "/go anna": {"what": "trading", "agent": "anna", "on": True},
    "/stop anna BTCUSDT": {"what": "trading", "agent": "anna", "symbol": BTC, "on": False},
    "/trading on anna": {"what": "trading", "agent": "anna", "on": True},
    "/buying off anna": {"what": "buying", "agent": "anna", "on": False},
    "/selling off bert ethusdt": {"what": "selling", "agent": "bert", "symbol": ETH, "on": False},
    "/pause scalper anna": {"what": "pause", "agent": "anna", "source": "scalper"},
    "/resume scalper anna": {"what": "resume", "agent": "anna", "source": "scalper"},
    "/resolve anna": {"what": "resolve", "agent": "anna"},
    "/restart ingest": {"what": "restart", "service": "ingest"},
}
ASKED_BACK: dict[str, dict[str, object]] = {
    "/buy btc 250.5 anna": {
        "what": "force", "agent": "anna", "symbol": BTC, "side": "long",
        "notional": Decimal("250.5"),
    },
    "/sell eth bert": {"what": "force", "agent": "bert", "symbol": ETH, "side": "short",
                       "notional": None},
    "/close BTCUSDT anna": {"what": "close", "agent": "anna", "symbol": BTC},
    "/closeall": {"what": "close_all", "agent": ""},
    "/limit anna positions_max 3": {
        "what": "limit", "agent": "anna", "limit": "positions_max", "value": Decimal(3),
    },
}  # fmt: skip


@pytest.fixture
async def home(installation: Installation, topics: Create, tmp_path) -> AsyncIterator[House]:
    import msgspec

    own = msgspec.structs.replace(installation, data=tmp_path)
    async with house(own, topics) as made:
        yield made


def test_every_command_is_asked_here() -> None:
    lines = [*ASKED, *AT_ONCE, *ASKED_BACK]

    assert {line.split()[0].removeprefix("/") for line in lines} == set(COMMANDS)


async def test_every_command_has_its_answer_and_its_event(home: House) -> None:
    async with home.trading(), home.notifying():
        await home.shown()
        await home.topics.put("logs", logged("executor", "took 7 records"), "executor")
        await home.shown("/logs executor 5", "took 7 records")
        for line, words in ASKED.items():
            await home.asks(line, *words)
        for line, fields in AT_ONCE.items():
            before = len(home.messages())
            await home.asks(line, "Asked for: ")
            if fields["what"] != "restart":  # the watchdog's to answer, who is not here
                await home.told("by executor", after=before)
        for line in ASKED_BACK:
            before = len(home.messages())
            await home.confirms(line, "Asked for: ")
            await home.told("by executor", after=before)

    made = await home.commands()
    wanted = [*AT_ONCE.values(), *ASKED_BACK.values()]
    assert len(made) == len(wanted)
    for command, fields in zip(made, wanted, strict=True):
        assert {name: getattr(command, name) for name in fields} == fields
        assert command.who == "telegram:olga"
        assert command.expires_ms > 0
        assert 0 < home.now - command.at < 3_600_000, "the venue's time, not this machine's"
    assert len({each.id for each in made}) == len(made)


async def test_switches_pauses_and_limits_are_in_the_desks_state(home: House) -> None:
    async with home.trading(), home.notifying():
        await home.shown()
        await home.asks("/trading off anna", "Asked for: Stop trading")
        await home.told("done: trading is off: anna")
        await home.state_when("anna", lambda state: state.switches.get("trading") is False)
        await home.asks("/go anna", "Asked for: Start trading")
        await home.asks("/buying off anna BTCUSDT", "Asked for")
        await home.asks("/pause scalper anna", "Asked for")
        await home.confirms("/limit anna positions_max 3", "Asked for")
        await home.told("done: limit set: anna positions_max 3")

        state = await home.state_when("anna", lambda state: bool(state.limits))
        assert state.switches == {"trading": True, "buying|BTCUSDT": False}
        assert state.paused == ["scalper"]
        assert state.limits == {"positions_max": Decimal(3)}
        other = (await home.states()).get("bert")
        assert other is None or not (other.switches or other.paused or other.limits)

        refused = await home.confirms("/buy BTCUSDT 100 anna", "refused")
        assert "buying" in text_of(refused)
        await home.confirms("/limit anna positions_max default", "Asked for")
        await home.state_when("anna", lambda state: not state.limits)
    assert await home.events("orders", OrderRequested) == []
    assert "positions_max" in LIMITS


async def test_a_forced_buy_of_an_amount_is_told_to_its_end_with_the_pnl(home: House) -> None:
    async with home.trading(), home.notifying():
        await home.shown()
        await home.confirms(
            "/buy BTCUSDT 250 anna", "Asked for: Buy (open long) BTCUSDT for 250 USDT"
        )
        done = await home.told("done: anna buys", "BTCUSDT at about", "order ")
        bought_at = await home.told("anna bought", "BTCUSDT at", "fee", "order ")
        chat = home.books.chats[OLGA.user_id].messages
        for answer in (done, bought_at):
            assert answer.reply_to is not None
            assert chat[answer.reply_to].content["text"] == "/buy BTCUSDT 250 anna"
        [question] = [each for each in home.messages() if "Confirm within" in text_of(each)]
        await home.until(lambda: "reply_markup" not in question.content)
        entry = await home.told("anna: entry long BTCUSDT at")
        assert "from person" in text_of(entry)
        await home.told("anna: entry long BTCUSDT", to=VERA)
        await home.told("anna: entry long BTCUSDT", to=OTTO)
        await home.state_when("anna", lambda state: BTC in state.holdings)
        await home.asks("/positions", "anna: 1 open", "BTCUSDT long: ")

        home.price = "101"  # below the target
        await home.shown("/positions", "mark 101")
        await home.confirms("/close BTCUSDT anna", "Asked for: Close BTCUSDT")
        await home.told("done: closing anna BTCUSDT")
        told = await home.told("anna: exit long BTCUSDT")
        state = await home.state_when("anna", lambda state: not state.holdings)

    bought, sold = await home.events("orders", OrderFilled)
    assert Decimal(200) < bought.price * bought.size <= Decimal(250)
    assert bought.size == sold.size
    pnl = (sold.price - bought.price) * bought.size - bought.fee - sold.fee
    assert pnl > 1
    assert state.balance == state.start + pnl
    assert f", {signed(pnl)} (" in text_of(told)
    assert "closed by a person" in text_of(told)


async def test_close_all_closes_what_every_agent_holds(home: House) -> None:
    async with home.trading(), home.notifying():
        await home.shown()
        await home.confirms(
            "/sell ETHUSDT 100", "Asked for: Sell (open short) ETHUSDT for 100 USDT"
        )
        for agent in ("anna", "bert"):
            await home.told(f"{agent}: entry short ETHUSDT")
        question = await home.asks("/closeall", "Close all positions, agents: all (anna, bert)?")
        await home.taps(question, "Confirm", "Asked for: Close all positions")
        for agent in ("anna", "bert"):
            await home.told(f"{agent}: exit short ETHUSDT")
            await home.state_when(agent, lambda state: not state.holdings)

    assert all("bert" not in each for each in home.texts(VERA)), "of anna only"


async def test_each_is_offered_the_commands_of_the_own_role(home: House) -> None:
    async with home.notifying():
        async with asyncio.timeout(30):
            while len(home.books.commands) < 3:
                await asyncio.sleep(0.05)

    offered = {
        scope: [each["command"] for each in commands]
        for (scope, _), commands in home.books.commands.items()
    }
    roles: dict[Role, Person] = {"owner": OLGA, "operator": OTTO, "viewer": VERA}
    for role, person in roles.items():
        [found] = [each for scope, each in offered.items() if str(person.user_id) in scope]
        assert found == [name for name, _ in commands_for(role)]
