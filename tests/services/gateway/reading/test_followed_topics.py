"""The matrix, candles, indicators and the chain behind an order from real topics."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from fastapi import FastAPI

from chandler.core.events import MatrixRow
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.following.scanned import SCANNED
from services.following.sources import Sources
from services.following.views import LATELY, Views
from services.loading import configuration
from tests.candles import path
from tests.conftest import Topics as Create
from tests.services.desking import into_ledger, told
from tests.services.gateway.stand_in import Answer, application, asked, token
from tests.services.notifier.answering.scene import BTC, out
from tests.story import COUNT, SEED, Topics

pytestmark = pytest.mark.kafka
DEADLINE_S = 60.0


class Followed:
    """A gateway whose views follow while the test runs."""

    def __init__(self, sources: Sources) -> None:
        self.views = Views(sources, scans=True)
        self.now_ms = round(time.time() * 1_000)
        self.app: FastAPI = application(sources, self.views, self.now_ms)

    async def known(self, what: Callable[[Views], bool]) -> None:
        """Waits until the views know something."""
        async with asyncio.timeout(DEADLINE_S):
            while not what(self.views):
                await asyncio.sleep(0.05)

    async def ask(self, target: str, by: str = "olga") -> Answer:
        until = token(by, expires_ms=self.now_ms + 900_000)
        return await asked(self.app, f"/v1{target}", by=until)


@pytest.fixture
async def followed(desk: Installation, topics: Create) -> AsyncIterator[Followed]:
    await topics({*LATELY, *SCANNED}, partitions=2)
    made = Followed(Sources(desk, configuration(desk).profile, waiting_max=29))
    running = asyncio.create_task(made.views.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_answers_follow_the_topics(
    desk: Installation, written: Topics, followed: Followed
) -> None:
    story = await told(desk, written, exits=False)
    await into_ledger(desk)
    candles = path(COUNT, SEED)
    await written.put("candles.last", out(BTC, candles[-1].close_ms), "BTCUSDT|5m")
    await followed.known(lambda views: views.known("desk", "orders", "lately", "scanned"))
    rows = [
        each.event
        async for each in read_topics(desk, ["matrix"])
        if isinstance(each.event, MatrixRow)
    ]
    newer = msgspec.structs.replace(rows[-1], close_ms=rows[-1].close_ms + 300_000)
    await written.put("matrix", newer, BTC)
    await followed.known(
        lambda views: any(
            each.close_ms == newer.close_ms for each in views.scanned.notes.get(BTC, {}).values()
        )
    )
    await followed.known(lambda views: bool(views.symbols()))

    newest = (await followed.ask("/candles?symbol=btcusdt&limit=3")).body
    older = await followed.ask(f"/candles?symbol=BTCUSDT&limit=2&before_ms={newest['before_ms']}")
    values = (await followed.ask("/indicators?symbol=BTCUSDT&limit=2")).body
    order = next(each for each in followed.views.orders.lives() if each.action == "open")
    why = (await followed.ask(f"/why/{order.id[:10]}")).body

    assert [each["open_ms"] for each in newest["items"]] == [each.open_ms for each in candles[-3:]]
    assert [each["open_ms"] for each in older.items] == [each.open_ms for each in candles[-5:-3]]
    assert older.items[0]["close"] == candles[-5].close
    assert [each["close_ms"] for each in values["items"]] == [
        each.close_ms for each in candles[-2:]
    ]
    assert "atr(14)" in values["items"][-1]["values"]
    assert (why["order"], why["differing"]) == (order.id, 0)
    links = {each["name"]: each for each in why["links"]}
    assert links["fill"]["data"]["type"] == "OrderFilled"
    assert links["candle 5m"]["data"]["close"] in {each.close for each in candles}
    assert links["desk"]["data"]["seen"]["ticker"]["symbol"] == BTC
    assert (await followed.ask("/why/nothing-like-it")).kind == "unknown_order"
    assert len((await followed.ask("/topics")).items) >= 20
    assert story.scene.states["anna"].holdings
