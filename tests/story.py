"""A whole story for tests: candles become a signal, the desk trades it, and it is in the topics.

The folds are the real ones; what a loop would add (headers, partitions, sequence) is done here.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from chandler.core import indicator_stage, signals
from chandler.core.desk.state import marked
from chandler.core.engine import ResolvedEngine, indicators_of
from chandler.core.events import Candle, Event, IndicatorRow, Signal, Ticker
from chandler.core.granularity import interval_ms
from chandler.core.hashing import digest
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import DeskTaken, OrdersOut, PositionOpened, PumpState
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.settings import Installation
from tests.candles import longer, path
from tests.core.desk.scene import BTC, Scene

CODE = "code"
COUNT, SEED = 700, 3  # of the 5m candles
TOPICS = (
    "candles.5m",
    "candles.1H",
    "candles.4H",
    "indicators.5m",
    "indicators.1H",
    "indicators.4H",
    "matrix",
    "signals",
    "signals.external",
    "tickers",
    "pumps",
    "exits",
    "commands",
    "answers",
    "notices",
    "orders",
    "positions",
    "desk",
    "desk.state",
    "configs",
    "infra",
)


class Topics:
    """Publishes one after the other, and remembers where each stands."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._producer = producer(installation, linger_ms=0)

    async def __aenter__(self) -> "Topics":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def put(
        self,
        topic: str,
        event: Event | bytes,
        key: str = "BTCUSDT",
        *,
        partition: int | None = None,
        source: str = "",
        written_ms: int | None = None,
    ) -> str:
        """topic/partition/offset of the record. `written_ms`: CreateTime; None: now."""
        raw = event if isinstance(event, bytes) else encode(event)
        headers = [("in", source.encode())] if source else None
        name = topic_name(self._installation, topic)
        sent = await self._producer.send_and_wait(
            name,
            raw,
            key=key.encode(),
            partition=partition,
            headers=headers,
            timestamp_ms=written_ms,
        )
        return f"{topic}/{sent.partition}/{sent.offset}"


class Traded:
    """A journal of the desk, with the market around it, ready to be published."""

    def __init__(self, scene: Scene, code: str) -> None:
        self.scene = scene
        self.code = code
        self.sources: dict[int, str] = {}  # seq → where its input stands

    @property
    def records(self) -> list[DeskTaken]:
        return [msgspec.structs.replace(each, code=self.code) for each in self.scene.records]

    async def publish(self, topics: Topics) -> None:
        """desk, orders and desk.state, as the desk's loop writes them."""
        for record in self.records:
            await topics.put(
                "desk",
                record,
                str(record.shard),
                partition=record.shard,
                source=self.sources.get(record.seq, ""),
            )
            for raw in record.outputs:
                kind = msgspec.json.decode(bytes(raw))
                topic = {"Answer": "answers", "NoticeAsked": "notices"}.get(kind["type"], "orders")
                key = str(kind.get("symbol") or kind.get("agent") or "")
                source = f"desk/{record.shard}/{record.seq}"
                await topics.put(topic, bytes(raw), key, source=source)
        await self.publish_states(topics)

    async def publish_states(self, topics: Topics) -> None:
        scene = self.scene
        shard = scene.desk.shard
        for name, state in scene.states.items():
            raw = msgspec.json.encode(state)
            await topics.put("desk.state", raw, name, partition=shard)
        offsets = {"seq": len(self.records), "order": {"clock": scene.now}}
        await topics.put("desk.state", msgspec.json.encode(offsets), "@offsets", partition=shard)
        out = OrdersOut(shard=shard, shards=1, at=scene.now)
        for partition in range(2):
            await topics.put("orders", out, "@out", partition=partition)


def lanes() -> list[Candle]:
    """5m, 1H and 4H candles in the order in which ingest publishes them."""
    base = path(COUNT, SEED)
    candles: list[Candle] = [*base, *longer(base, "1H"), *longer(base, "4H")]
    return sorted(candles, key=lambda each: (each.close_ms, -interval_ms(each.granularity)))


async def decided(
    topics: Topics, engines: Sequence[ResolvedEngine], *, code: str = CODE
) -> list[tuple[Signal, str]]:
    """Publishes candles, indicator rows, matrix rows and signals; each signal with its place."""
    indicators = indicator_stage.stage(indicators_of(engines), code=code)
    stage = signals.stage(engines, code=code)
    series: dict[str, Any] = {}
    state = stage.start(BTC)
    made = []
    for candle in lanes():
        place = await topics.put(f"candles.{candle.granularity}", candle)
        key = indicators.key(candle)
        series[key], rows = indicators.step(series.get(key) or indicators.start(key), candle)
        for output in rows:
            assert isinstance(output.event, IndicatorRow)
            row_place = await topics.put(output.topic, output.event, source=place)
            state, found = stage.step(state, output.event)
            for each in found:
                signal_place = await topics.put(each.topic, each.event, source=row_place)
                if isinstance(each.event, Signal):
                    made.append((each.event, signal_place))
    return made


async def traded(
    topics: Topics,
    signal: Signal,
    place: str,
    *,
    agent: str = "anna",
    exits: bool = True,
    code: str = CODE,
) -> Traded:
    """Agent anna acts on the signal, and its stop fires."""
    scene = Scene({agent: AgentConfig(positions_max=5, leverage=2)})
    story = Traded(scene, code)
    scene.now = signal.close_ms - 5_000
    closes = {each.close_ms: each.close for each in path(COUNT, SEED)}
    price = Decimal(str(closes[signal.close_ms])).quantize(Decimal("0.1"))
    await _tick(story, topics, price, 5_000)
    guard = scene.pumps[BTC]
    await topics.put("pumps", guard)
    story.sources[len(scene.records)] = place
    scene.take(signal)
    await _tick(story, topics, price, 1_000)
    if exits:
        await _tick(story, topics, price, 1_000)
        held = scene.states[agent].holdings[BTC]
        due_ms = scene.now + 250
        exit_ = scene.exit(agent, id=digest(held.id, "stop"), at=scene.now, due_ms=due_ms)
        where = await topics.put("exits", exit_)
        scene.wait(250)
        story.sources[len(scene.records)] = where
        scene.take(exit_)
        await _tick(story, topics, price, 1_000)
    return story


async def _tick(story: Traded, topics: Topics, price: Decimal, ms: int) -> None:
    scene = story.scene
    seq = len(scene.records)
    scene.tick(price, ms=ms)
    ticker = scene.tickers[BTC]
    assert isinstance(ticker, Ticker)
    story.sources[seq] = await topics.put("tickers", ticker)


def guard(at: int, pump: Any = "none", symbol: str = "BTCUSDT") -> PumpState:
    """The pump guard's word."""
    return msgspec.convert(
        {"type": "PumpState", "symbol": symbol, "at": at, "kind": "heartbeat", "pump": pump},
        PumpState,
    )


def opened_of(story: Traded, agent: str = "anna") -> PositionOpened:
    """What positions says of the agent's position, marked a little better."""
    state = story.scene.states[agent]
    holding = state.holdings[BTC]
    mark = holding.position.cost / holding.position.size + 1
    return PositionOpened(
        position=marked(holding, state, mark), symbol=BTC, at=holding.position.opened_ms
    )
