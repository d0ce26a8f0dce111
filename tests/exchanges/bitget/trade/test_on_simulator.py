"""What only the Bitget broker does, on the simulator: signatures, keys, modes, late arrival."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from chandler.core.trading.agents import AccountConfig
from chandler.core.trading.broker import VALID_MS, AccountError, Refused, Unknown
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.trade.broker import BitgetBroker, bitget_broker
from chandler.exchanges.bitget.trade.config import trade_config
from chandler.exchanges.bitget.trade.keys import Keys, load_keys
from tests.exchanges.conformance.bench import Case, later
from tests.exchanges.conformance.benches import SimulatorBench, simulated


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SimulatorBench]:
    async with simulated(tmp_path) as made:
        yield made


def outcomes(bench: SimulatorBench) -> list[tuple[str, str]]:
    """What the simulator did with each request to place an order, and what it told."""
    receipts = bench.simulator.exchange.store.receipts("main")
    return [(receipt.outcome, receipt.answered) for receipt in receipts]


async def test_the_signed_time_is_the_intents_and_what_arrives_too_late_is_no_order(
    bench: SimulatorBench,
):
    """A frozen executor wakes up with a signed request in its hands (DESIGN.md §5.6)."""
    case = Case(bench, "late")
    request = later(case.intent(await case.size()), 1_200 - VALID_MS)
    await bench.break_things("stuck=100%/1500ms")

    reply = await bench.broker.place(request)
    await bench.break_things("")
    async with asyncio.timeout(10):
        while not outcomes(bench):
            await asyncio.sleep(0.02)

    assert isinstance(reply, Unknown)
    assert outcomes(bench) == [("40008", "40008")]
    (receipt,) = bench.simulator.exchange.store.receipts("main")
    assert receipt.signed_ms == request.sent_ms
    assert await bench.broker.find_by_client_oid(case.symbol, request.id) is None


async def test_an_order_on_its_way_is_not_there_first_and_there_later(bench: SimulatorBench):
    """Why an unknown intent is decided only when its signature has expired."""
    case = Case(bench, "stuck")
    request = case.intent(await case.size())
    await bench.break_things("stuck=100%/1500ms")

    reply = await bench.broker.place(request)
    first = await bench.broker.find_by_client_oid(case.symbol, request.id)
    order = await case.until_filled(request)

    assert isinstance(reply, Unknown)
    assert first is None
    assert order.filled == request.size


@pytest.mark.parametrize("field", ["key", "secret", "passphrase"])
async def test_wrong_keys_are_told_in_one_line_that_shows_none(bench: SimulatorBench, field: str):
    good = bench.make()._keys
    parts = {name: getattr(good, name) for name in ("key", "secret", "passphrase")}
    broker = BitgetBroker(bench.make()._config, Keys(**(parts | {field: "wrong-one"})))

    with pytest.raises(AccountError) as told:
        await broker.open()

    assert "\n" not in str(told.value)
    for part in (*parts.values(), "wrong-one"):
        assert part not in str(told.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [({"unified": True}, "unified account"), ({"pos_mode": "hedge_mode"}, "one_way_mode")],
)
async def test_an_account_of_another_kind_is_refused_at_the_start(
    bench: SimulatorBench, change: dict[str, object], text: str
):
    account = bench.simulator.exchange.accounts["main"]
    account.keep_settings(replace(account.settings, **change))

    with pytest.raises(AccountError, match=text):
        await bench.make().open()


async def test_a_symbol_that_was_delisted_is_refused_for_certain(bench: SimulatorBench):
    case = Case(bench, "delisted")
    request = case.intent(await case.size())
    bench.simulator.exchange.change_contract(case.symbol, {"symbolStatus": "maintain"})

    reply = await bench.broker.place(request)

    assert isinstance(reply, Refused)
    assert reply.code == "41114"


async def test_the_brokers_rights_are_read_and_hold(bench: SimulatorBench):
    broker = bench.make()
    await broker.open()
    await broker.close()

    assert broker.rights is not None
    assert "coow" in broker.rights


async def test_an_account_on_the_simulator_takes_the_simulators_keys_alone(
    bench: SimulatorBench, tmp_path: Path
):
    account = AccountConfig(on_simulator=True)
    real = {"CHANDLER_KEYS_MAIN": "real:real:real"}
    where = VenueConfig(rest_url=bench.simulator.rest_url, ws_url=bench.simulator.ws_url)

    broker = bitget_broker("main", account, data=tmp_path, environ=real, simulator=where)
    await broker.open()
    await broker.close()

    assert broker._keys.key == load_keys("main", tmp_path / "simulator", {}).key


def test_the_simulator_may_be_in_a_container_of_its_own():
    """Under compose the demo's live agent never traded: its simulator was not on this machine."""
    account = AccountConfig(on_simulator=True)
    where = VenueConfig(rest_url="http://simulator:29002", ws_url="ws://simulator:29002/v2/ws")

    assert trade_config(account, where, "simulator").ws_url == "ws://simulator:29002"
    with pytest.raises(AccountError, match="on_simulator"):
        trade_config(account, where, "elsewhere")
    with pytest.raises(AccountError, match="on_simulator"):
        trade_config(account, where)


@pytest.mark.parametrize(
    "where", [None, VenueConfig(rest_url="https://api.bitget.com", ws_url="wss://ws.bitget.com")]
)
def test_an_account_on_the_simulator_never_falls_back_to_the_real_venue(
    where: VenueConfig | None, tmp_path: Path
):
    account = AccountConfig(on_simulator=True)

    with pytest.raises(AccountError, match="on_simulator"):
        bitget_broker("main", account, data=tmp_path, environ={}, simulator=where)
