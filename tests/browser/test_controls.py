"""The controls in a browser, without a token: trading is started, bought, looked at, stopped."""

import asyncio
import struct
import threading
from contextlib import AsyncExitStack

import msgspec
import pytest

from chandler.core.trading.events import OrderFilled
from chandler.streams.admin import create_topics
from tests.browser import chromium
from tests.services.notifier.house import BTC, OLGA, house
from tests.services.telegram_stand_in.test_page import DESK, Telephone

pytestmark = pytest.mark.kafka

RUN_S_MAX = 180.0


class Lived:
    """A house with a desk and the notifier, in a thread of its own."""

    def __init__(self, installation):
        self.installation = installation
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = AsyncExitStack()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(RUN_S_MAX)

    async def _begin(self):
        async def create(names, partitions):
            return await create_topics(self.installation, partitions, 1, names)

        self.home = await self._stack.enter_async_context(house(self.installation, create))
        await self._stack.enter_async_context(self.home.trading())
        await self._stack.enter_async_context(self.home.notifying())
        await self.home.shown()

    def __enter__(self):
        self._thread.start()
        self.run(self._begin())
        return self

    async def _end(self):
        """Nothing is left when it returns: what was left open is still closing."""
        await self._stack.aclose()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        await asyncio.get_running_loop().shutdown_asyncgens()

    def __exit__(self, *_):
        try:
            self.run(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def button(label, last=True):
    """A button under the newest message that has one with this label."""
    found = f"[...document.querySelectorAll('.row button')].filter(e => e.innerText === '{label}')"
    return f"({found}).at({-1 if last else 0})"


def test_a_newcomer_starts_trading_buys_looks_and_stops_without_a_token(
    installation, tmp_path, tmp_path_factory
):
    own = msgspec.structs.replace(installation, data=tmp_path)
    with chromium.running(tmp_path_factory.mktemp("chromium")) as browser, Lived(own) as lived:
        home = lived.home
        phone = Telephone(browser, home, OLGA.user_id, DESK)
        phone.until("commands.length > 20")  # they are offered for completion

        phone.send("/start")
        phone.until(f"{button('Start trading')} !== undefined")
        browser.run(f"{button('Start trading')}.click()")
        phone.until(phone.says("Start trading, agents: all (anna, bert)?"))
        browser.run(f"{button('Confirm')}.click()")
        phone.until(phone.says("done: trading is on: anna bert"))

        phone.send("/buy btcusdt 250 anna")
        phone.until(phone.says("Buy (open long) BTCUSDT for 250 USDT, agents: anna?"))
        browser.run(f"{button('Confirm')}.click()")
        phone.until(phone.says("done: anna buys"))
        phone.until(phone.says("anna: entry long BTCUSDT at"))
        held = lived.run(home.state_when("anna", lambda state: BTC in state.holdings))

        phone.send("/status")
        phone.until(phone.says("1 open"))
        phone.send("/stop")
        phone.until(phone.says("Stop trading, agents: all (anna, bert)?"))
        browser.run(f"{button('Confirm')}.click()")
        phone.until(phone.says("done: trading is off: anna bert"))
        stopped = lived.run(home.state_when("bert", lambda state: not state.switches["trading"]))
        picture = browser.picture(tmp_path / "controls.png", whole=False)
        phone.well()
        browser.ask("Page.navigate", url="about:blank")

        fills = lived.run(home.events("orders", OrderFilled))
        made = [each.what for each in lived.run(home.commands())]

    assert struct.unpack(">II", picture[16:24]) == DESK
    assert made == ["trading", "force", "trading"]
    assert [each.size for each in fills] == [held.holdings[BTC].position.size]
    assert stopped.switches == {"trading": False}
