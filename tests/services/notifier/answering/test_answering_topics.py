"""Answers and a picture from real topics, followed as they grow."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from chandler.core.events import CandlesOut
from chandler.core.granularity import Granularity
from chandler.core.notices.words import money
from chandler.core.trading.events import OrderRequested
from chandler.streams.settings import Installation
from services.loading import configuration
from services.notifier.answering import Sources, Views, answer, drawn
from services.notifier.talk import Query
from tests.candles import path
from tests.conftest import Topics as Create
from tests.core.desk.scene import BTC
from tests.services.desking import told
from tests.services.notifier.answering.scene import logged, view
from tests.services.notifier.answering.test_ledger_answers import SIZE, size_of
from tests.story import COUNT, SEED, Topics, opened_of

pytestmark = pytest.mark.kafka
DEADLINE_S = 60.0


class Followed:
    """Views that follow while the test runs."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.views = Views(sources)

    async def known(self, what: Callable[[Views], bool]) -> None:
        """Waits until the views know something."""
        async with asyncio.timeout(DEADLINE_S):
            while not what(self.views):
                await asyncio.sleep(0.05)

    async def text(self, topic: str, **more: object) -> str:
        query = Query(topic=topic, user="olga", **more)  # type: ignore[arg-type]
        reply = await answer(query, self.views, self.sources)
        return "\n".join([*(line.text for line in reply.lines), reply.picture])


@pytest.fixture
async def followed(desk: Installation, topics: Create) -> AsyncIterator[Followed]:
    await topics(["market", "logs", "candles.last", "instruments"], partitions=2)
    made = Followed(Sources(desk, configuration(desk).profile, logging.getLogger("test")))
    running = asyncio.create_task(made.views.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_answers_follow_the_topics(
    desk: Installation, written: Topics, followed: Followed
) -> None:
    story = await told(desk, written, exits=False)
    state = story.scene.states["anna"]
    await followed.known(lambda views: not views.trouble("desk", "orders", "lately"))
    before = await followed.text("positions")

    opened = opened_of(story)
    await written.put("positions", opened)
    await written.put("logs", logged("ingest", "40 symbols"), "ingest")
    await written.put("market", view(), "1h")
    last = path(COUNT, SEED)[-1]
    out = CandlesOut(
        symbol=BTC, granularity=Granularity("5m"), open_ms=last.open_ms, hash=last.hash
    )
    await written.put("candles.last", out, "BTCUSDT|5m")
    await followed.known(lambda views: bool(views.symbols() and views.lately.windows))
    await followed.known(lambda views: bool(views.lately.lines(frozenset())))
    await followed.known(lambda views: not views.desk.unmarked())

    [entry] = story.scene.all(OrderRequested)
    candles = await followed.text("candles", symbol="btcusdt")
    mark = story.scene.tickers[BTC].mark  # of the newest ticker, whatever a position was marked at
    assert f"mark {mark}, " in before
    assert f"mark {mark}, " in await followed.text("positions")
    assert entry.id[:10] in (await followed.text("orders")).splitlines()
    assert f"balance {money(state.balance)}, " in await followed.text("agents", agent="anna")
    assert "scalper" in await followed.text("signals")
    assert "ingest 40 symbols" in await followed.text("logs")
    assert followed.views.symbols() == {BTC}
    assert "100 candles" in candles
    spec = candles.splitlines()[-1]
    assert spec.startswith(f"candles BTCUSDT 5m {out.at} anna|{state.holdings[BTC].position.side}|")
    assert size_of(await drawn(spec, followed.sources)) == SIZE
    other = await followed.text("candles", symbol="BTCUSDT", agents=["bert"])
    assert "anna" not in other
    assert "100 candles" in other
    longer = await followed.text("candles", symbol="BTCUSDT", granularity="15m")
    assert longer.startswith("candles.15m holds no candles of BTCUSDT")


async def test_why_is_a_chain_for_a_telephone(
    desk: Installation, written: Topics, followed: Followed
) -> None:
    story = await told(desk, written)
    entry = story.scene.all(OrderRequested)[0]

    why = (await followed.text("why", order=entry.id[:12])).rstrip().splitlines()
    other = await followed.text("why", order=entry.id[:12], agents=["bert"])

    assert why[0] == f"Order {entry.id[:10]}"
    assert [line.partition(":")[0] for line in why[1:7]] == [
        *("order", "fill", "request", "desk", "guard", "signal")
    ]
    assert why[-1].endswith("links, nothing differs")
    assert max(map(len, why)) <= 200
    assert other.startswith("no order or trade begins with")
