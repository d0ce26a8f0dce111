"""How many updates a second one core takes from frame to sequence, without a network.

200 symbols, three granularities, four connections; a fifth of the frames are tickers.
"""

import logging
import time

import orjson

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms, slot_open
from chandler.core.ingest.sequence import Sequence
from chandler.core.ingest.trust import Trust
from chandler.exchanges.bitget.feed import Received
from chandler.exchanges.bitget.parse import parse_frame
from chandler.exchanges.bitget.symbols import channel_of
from chandler.streams.settings import installation
from chandler.streams.telemetry.infra import Connection
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import Record, Sender
from services.ingest.clock import Clock
from services.ingest.complaints import Complaints
from services.ingest.shard import Shard
from services.ingest.tickers import Tickers

SYMBOLS = 200
SHARDS = 4
GRANULARITIES = [Granularity("5m"), Granularity("1H"), Granularity("4H")]
BEGIN = 1_700_006_400_000
SECONDS = 60  # of venue time in the frames
TARGET = 5_000  # updates a second, DESIGN.md §11


class Silent(Sender):
    """Counts the tickers and drops them: Kafka is measured elsewhere."""

    def send(self, record: Record) -> None:
        self.sent[record.topic] += 1


def frames() -> list[tuple[int, bytes]]:
    """(shard, frame) by time: each channel about once every four seconds."""
    found: list[tuple[int, bytes]] = []
    for second in range(0, SECONDS, 4):
        for number in range(SYMBOLS):
            symbol, ts = f"SYN{number}USDT", BEGIN + 270_000 + second * 1_000 + number
            shard = number * SHARDS // SYMBOLS
            price = 100.0 + number + second / 10
            found.extend((shard, _candle(symbol, each, ts, price)) for each in GRANULARITIES)
            found.append((shard, _ticker(symbol, ts, price)))
    return found


def _candle(symbol: str, granularity: Granularity, ts: int, price: float) -> bytes:
    arg = {"instType": "USDT-FUTURES", "channel": channel_of(granularity), "instId": symbol}
    numbers = (price, price + 2, price - 2, price + 1, ts % 10**6, ts % 10**7, ts % 10**7)
    row = [str(slot_open(ts, granularity)), *map(str, numbers)]
    return orjson.dumps({"action": "update", "arg": arg, "data": [row], "ts": ts})


def _ticker(symbol: str, ts: int, price: float) -> bytes:
    arg = {"instType": "USDT-FUTURES", "channel": "ticker", "instId": symbol}
    names = ("lastPr", "bidPr", "askPr", "markPrice", "quoteVolume")
    row = {"instId": symbol, **dict.fromkeys(names, str(price)), "ts": str(ts)}
    return orjson.dumps({"action": "snapshot", "arg": arg, "data": [row], "ts": ts})


def shards(sender: Sender) -> list[Shard]:
    """Four connections' worth of symbols, set up."""
    log, metrics = logging.getLogger("bench"), Metrics()
    clock = Clock(1.0, monotonic=lambda: 1.0)
    clock.set(1.0, BEGIN + 360_000)
    complaints = Complaints(log, metrics, sender)
    found = []
    for number in range(SHARDS):
        size = SYMBOLS // SHARDS
        symbols = [Symbol(f"SYN{each}USDT") for each in range(number * size, (number + 1) * size)]
        tickers = Tickers(sender, metrics, shard=number)
        tickers.resume(SHARDS, -1)
        shard = Shard(
            number,
            symbols,
            GRANULARITIES,
            Trust(dict.fromkeys(GRANULARITIES, size), always=False, never=False),
            clock=clock,
            tickers=tickers,
            complaints=complaints,
            metrics=metrics,
            connection=Connection(f"connection {number}", lambda kind, detail: None),
            log=log,
        )
        for symbol in symbols:
            starts = {each: slot_open(BEGIN, each) - interval_ms(each) for each in GRANULARITIES}
            shard.add(Sequence(symbol, starts))
        found.append(shard)
    return found


def main() -> None:
    """Prints updates/s."""
    sender = Silent(installation({}))
    desks, prepared = shards(sender), frames()
    started = time.perf_counter()
    for number, raw in prepared:
        desks[number].take(Received(parse_frame(raw), raw, 0.0))
    seconds = time.perf_counter() - started
    rate = len(prepared) / seconds
    print(
        f"ingest: {rate:,.0f} updates/s on one core ({len(prepared):,} frames, {SYMBOLS} symbols x "
        f"{len(GRANULARITIES)} granularities and tickers, {SHARDS} connections; target {TARGET:,})"
    )


if __name__ == "__main__":
    main()
