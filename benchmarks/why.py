"""`bench why`: how long `why ORDER` takes with a million events in the topics, by the ledger.

One instrument's candles are real, and so are its indicators, matrix, signals and one order by the
folds of the services; the other instruments have the same rows under their own names, and the desk
refuses something all the time.
"""

import argparse
import asyncio
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy import make_url

from benchmarks.stream import ROOT, History, place
from chandler.core import indicator_stage, signals
from chandler.core.desk.config import Desk
from chandler.core.desk.journal import record
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.engine import indicators_of
from chandler.core.events import (
    CandleSealed,
    Event,
    IndicatorRow,
    Instrument,
    MatrixRow,
    Signal,
    Symbol,
    Ticker,
)
from chandler.core.stage import Output
from chandler.core.trading.events import (
    DeskTaken,
    OrderRequested,
    PumpState,
    Refusal,
    Seen,
)
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation, installation
from services import plugins
from services.desks import desks
from services.ledger.writer import LedgerWriter
from services.loading import configuration

PARTITIONS = 8
SYMBOLS = 200  # of the rows; the first is the real one
REFUSALS = 200  # of the desk between two closes
EVENTS_OF_A_CLOSE = 3 * SYMBOLS + 2 * REFUSALS
ASKED = 5  # times


class Placed(NamedTuple):
    """A record as the ledger takes it."""

    topic: str
    partition: int
    offset: int
    written_ms: int
    event: Event
    raw: bytes


class Writer:
    """Publishes, and knows where each record will stand: it alone writes to these topics."""

    def __init__(self, base: Installation, client: AIOKafkaProducer) -> None:
        self._installation = base
        self._client = client
        self._next: Counter[tuple[str, int]] = Counter()
        self._choose = DefaultPartitioner()
        self._parts = list(range(PARTITIONS))
        self.events = 0

    async def put(
        self, topic: str, key: str, raw: bytes, source: str = "", partition: int | None = None
    ) -> str:
        """topic/partition/offset of the record."""
        if partition is None:
            partition = self._choose(key.encode(), self._parts, self._parts)
        place = f"{topic}/{partition}/{self._next[topic, partition]}"
        self._next[topic, partition] += 1
        self.events += 1
        name = topic_name(self._installation, topic)
        headers = [("in", source.encode())] if source else None
        await self._client.send(name, raw, key.encode(), partition=partition, headers=headers)
        return place


class World:
    """What happens, close by close."""

    def __init__(self, writer: Writer, desk: Desk, engines: Sequence[Any], code: str) -> None:
        self.writer = writer
        self.desk = desk
        self.code = code
        self.seq = 0
        self.order = ""
        self.history = History(1)
        self.symbol = Symbol(self.history.market.symbols[0])
        self.others = [f"SYN{number}USDT" for number in range(SYMBOLS - 1)]
        self.indicators = indicator_stage.stage(indicators_of(engines), code=code)
        self.signals = signals.stage(engines, code=code)
        self.series: dict[str, Any] = {}
        self.state = self.signals.start(self.symbol)
        self.states: dict[str, AgentState] = {}

    async def close(self, *, trade: bool) -> None:
        """One close of every instrument, and the desk's refusals; with `trade` a signal counts."""
        close_ms = 0
        for published in self.history.close(0):
            candle = published.event
            assert isinstance(candle, CandleSealed)
            close_ms = candle.close_ms
            where = await self._everywhere(published.topic, candle)
            key = self.indicators.key(candle)
            held = self.series.get(key) or self.indicators.start(key)
            self.series[key], rows = self.indicators.step(held, candle)
            for row in rows:
                await self._row(row, where, candle, trade=trade)
        await self._refuse(close_ms)

    async def _row(self, row: Output, where: str, candle: CandleSealed, *, trade: bool) -> None:
        assert isinstance(row.event, IndicatorRow)
        row_place = await self._everywhere(row.topic, row.event, where)
        self.state, made = self.signals.step(self.state, row.event)
        for output in made:
            event = output.event
            if isinstance(event, MatrixRow):
                await self._everywhere("matrix", event, row_place)
            elif isinstance(event, Signal):
                place = await self.writer.put("signals", self.symbol, encode(event), row_place)
                if trade and not self.order:
                    await self._trade(event, place, candle.close)

    async def _everywhere(self, topic: str, event: Event, source: str = "") -> str:
        """The same for every instrument, under its name; where the real one is."""
        raw = encode(event)
        place = await self.writer.put(topic, self.symbol, raw, source)
        if topic.endswith((".1H", ".4H")):
            return place
        for other in self.others:
            renamed = raw.replace(self.symbol.encode(), other.encode())
            await self.writer.put(topic, other, renamed, source)
        return place

    async def _trade(self, signal: Signal, place: str, price: float) -> None:
        """The desk takes a ticker, the signal, and the ticker that fills."""
        guard = PumpState(symbol=self.symbol, at=signal.at, kind="heartbeat", pump="none")
        await self.writer.put("pumps", self.symbol, encode(guard))
        seen = Seen(guard=guard, instrument=_instrument(self.symbol, signal.at))
        begin = _ticker(self.symbol, signal.at, price)
        seen = msgspec.structs.replace(seen, ticker=begin)
        await self._taken(begin, seen, signal.at, "")
        await self._taken(signal, seen, signal.at, place)
        later = _ticker(self.symbol, signal.at + self.desk.latency_ms + 1_000, price)
        where = await self.writer.put("tickers", self.symbol, encode(later))
        await self._taken(later, msgspec.structs.replace(seen, ticker=later), later.at, where)

    async def _taken(self, event: Any, seen: Seen, at: int, source: str) -> None:
        made = take(self.desk, self.states, event, seen, at=at, seq=self.seq + 1)
        self.states.update(made.states)
        if not made.outputs:
            return
        self.seq += 1
        code = self.code
        written = record(self.desk, made, event, seen, at=at, seq=self.seq, code=code)
        await self.writer.put("desk", "0", encode(written), source, partition=0)
        for output in made.outputs:
            if isinstance(output.event, OrderRequested):
                self.order = output.event.id
            if output.topic == "orders":
                cause = f"desk/0/{self.seq}"
                await self.writer.put("orders", output.key, encode(output.event), cause)

    async def _refuse(self, at: int) -> None:
        for number in range(REFUSALS):
            self.seq += 1
            symbol = Symbol(self.others[number % len(self.others)])
            refused = Refusal(
                agent="trend",
                account="trend",
                symbol=symbol,
                side="long",
                cause=f"cause-{self.seq}",
                source="trend",
                reason="position_open",
                detail="it holds 1 long, and on_opposite is ignore",
                seq=self.seq,
                at=at,
            )
            raw = encode(refused)
            written = DeskTaken(
                shard=0,
                seq=self.seq,
                at=at,
                kind="Signal",
                input=msgspec.Raw(raw),
                seen=Seen(instrument=_instrument(symbol, at)),
                outputs=[msgspec.Raw(raw)],
                state="",
                config=self.desk.hash,
                code=self.code,
            )
            await self.writer.put("desk", "0", encode(written), partition=0)
            await self.writer.put("orders", symbol, raw, f"desk/0/{self.seq}")


def _instrument(symbol: Symbol, at: int) -> Instrument:
    return Instrument(
        symbol=symbol,
        price_step="0.000001",
        size_step="0.000001",
        size_min="0.000001",
        notional_min="1",
        maker_fee="0.0002",
        taker_fee="0.0006",
        leverage_max=100,
        status="normal",
        seen_at=at,
    )


def _ticker(symbol: Symbol, at: int, price: float) -> Ticker:
    said = str(Decimal(repr(price)))
    return Ticker(
        symbol=symbol,
        at=at,
        last=said,
        bid=said,
        ask=said,
        mark=said,
        minute_open_ms=at - at % 60_000,
        minute_volume=1.0,
    )


async def fill(base: Installation, events: int) -> str:
    """Writes the topics and the ledger; the id of the one order, from the middle."""
    config = configuration(base)
    engines = plugins.resolve(config.profile)
    desk = next(each for each in desks(config.profile) if each.kind == "paper")
    await create_topics(base, PARTITIONS, 1)
    closes = max(200, events // EVENTS_OF_A_CLOSE)
    began = time.monotonic()
    async with producer(base, linger_ms=20, max_batch_size=1_000_000) as client:
        writer = Writer(base, client)
        world = World(writer, desk, engines, plugins.code_hash())
        for number in range(closes):
            await world.close(trade=number >= closes // 2)
        await client.flush()
    assert world.order, "no engine gave a signal that an agent acted on"
    seconds = time.monotonic() - began
    print(f"events={writer.events:,} written in {seconds:.0f} s", flush=True)
    return world.order


async def keep(base: Installation) -> None:
    """The ledger, as the recorder would have it."""
    writer = LedgerWriter(make_url(f"sqlite:///{base.data / 'ledger.sqlite'}"), "bench")
    writer.places()
    batch: list[Placed] = []
    async for each in read_topics(base, ["signals", "exits", "orders"]):
        if each.event is not None:
            batch.append(Placed(*each[:4], each.event, each.raw or b""))
        if len(batch) == 5_000:
            _write(writer, batch)
            batch = []
    _write(writer, batch)
    writer.close()


def _write(writer: LedgerWriter, batch: list[Placed]) -> None:
    places = {(each.topic, each.partition): each.offset + 1 for each in batch}
    assert not writer.take(batch, places).untold


def asked(order: str, environ: dict[str, str], times: int) -> Iterator[tuple[Any, float]]:
    """What `why ORDER --json` says, and the seconds of the whole command."""
    for _ in range(times):
        began = time.monotonic()
        said = subprocess.run(
            [str(ROOT / "chandler"), "why", order, "--json"],
            env=environ,
            capture_output=True,
            check=False,
        )
        found = json.loads(said.stdout)
        assert not said.stderr, said.stderr.decode()
        yield found, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench why")
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with place() as environ:
        environ["CHANDLER_PLUGINS"] = str(ROOT / "plugins")
        base = installation(environ)
        with embedded.lease(base):
            order = asyncio.run(fill(base, arguments.events))
            asyncio.run(keep(base))
            answers = list(asked(order, environ, ASKED))
    lookups = sorted(found["seconds"] for found, _ in answers)
    wholes = sorted(whole for _, whole in answers)
    found = answers[0][0]
    print(
        f"why: links={len(found['links'])} differing={found['differing']} "
        f"lookup p50={lookups[len(lookups) // 2]:.2f} s max={lookups[-1]:.2f} s, "
        f"whole command p50={wholes[len(wholes) // 2]:.2f} s"
    )
    return 0 if not found["differing"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
