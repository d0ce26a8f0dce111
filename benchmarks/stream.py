"""`bench stream`: candle → signal latency, throughput of one and two workers, memory.

Real services as processes on the embedded Kafka, in a data directory of their own. Latency is
Kafka's CreateTime of the signal less that of the sealed candle, beside the shipped engines.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec

from chandler.core.events import CandleSealed, IndicatorRow, Signal, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.resample import Bar
from chandler.exchanges.simulator.market import SPACINGS, Market
from chandler.exchanges.simulator.recording import SHIPPED, read_recording
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.reader import follow, read_topics
from chandler.streams.settings import Installation, installation
from chandler.streams.writing import Outbox, Record

ROOT = Path(__file__).resolve().parents[1]
SHARD = 50  # symbols in one transaction, as in ingest
WARM = 60  # 5m closes before anything is timed
LONGER = ("4H", "1H")
WAIT_S = 120.0


class History:
    """The recorded candles of `symbols` instruments, close by close, longer granularities first."""

    def __init__(self, symbols: int) -> None:
        self.market = Market(read_recording(SHIPPED, symbols, 1), 1, loop=True)
        self.origin_ms = self.market.recording.origin_ms
        self.next = dict.fromkeys(range(symbols), 0)

    def close(self, index: int) -> list[Record]:
        """The symbol's next 5m close, with the longer ones that end with it."""
        number = self.next[index]
        self.next[index] += 1
        open_ms = self.origin_ms + number * interval_ms(Granularity("5m"))
        close_ms = open_ms + interval_ms(Granularity("5m"))
        due = [each for each in (*LONGER, "5m") if close_ms % interval_ms(Granularity(each)) == 0]
        return [self._record(index, each, close_ms) for each in due]

    def _record(self, index: int, granularity: str, close_ms: int) -> Record:
        spacing = SPACINGS[granularity]
        bar: Bar = self.market.bars(index, spacing, close_ms, 1, close_ms)[-1]
        symbol = Symbol(self.market.symbols[index])
        candle = CandleSealed(symbol=symbol, granularity=Granularity(granularity), **bar._asdict())
        return Record(f"candles.{granularity}", symbol, candle)


class Bench:
    """One installation with its workers and producers."""

    def __init__(self, base: Installation, prefix: str, environ: dict[str, str]) -> None:
        self.installation = msgspec.structs.replace(base, topic_prefix=prefix)
        self.environ = {**environ, "CHANDLER_TOPIC_PREFIX": prefix}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.outboxes: list[Outbox] = []

    async def publish(self, rounds: Sequence[Sequence[Record]]) -> None:
        """One transaction for each shard, all at once."""
        shards = [rounds[first : first + SHARD] for first in range(0, len(rounds), SHARD)]
        while len(self.outboxes) < len(shards):
            self.outboxes.append(Outbox(self.installation, f"ingest-{len(self.outboxes)}"))
            await self.outboxes[-1].open()
        await asyncio.gather(
            *(
                outbox.write([record for records in shard for record in records])
                for outbox, shard in zip(self.outboxes, shards, strict=False)
            )
        )

    def start(self, service: str, instance: int = 0) -> None:
        """A worker as `up` starts it."""
        environ = {**self.environ, "CHANDLER_INSTANCE": str(instance)}
        log = open(self.installation.data / f"{service}-{instance}.log", "wb")  # noqa: SIM115
        command = [sys.executable, "-m", "services", "run", service]
        self.workers.append(
            subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
        )
        log.close()

    async def end(self) -> None:
        """Ends workers and producers."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait()
        self.workers.clear()
        for outbox in self.outboxes:
            await outbox.close()


async def signals_until(bench: Bench, number: int) -> None:
    """Returns when the topic holds `number` signals of the engine `always`."""
    seen = 0
    async with asyncio.timeout(WAIT_S):
        async for record in follow(bench.installation, ["signals"], start="beginning"):
            if isinstance(record.event, Signal) and record.event.source == "always":
                seen += 1
                if seen >= number:
                    return


async def latencies(bench: Bench, wanted: set[tuple[str, int]]) -> list[int]:
    """Milliseconds from each sealed 5m candle in `wanted` (symbol, close) to its signal."""
    sealed: dict[tuple[str, int], int] = {}
    async for record in read_topics(bench.installation, ["candles.5m"]):
        if isinstance(record.event, CandleSealed):
            sealed[record.event.symbol, record.event.close_ms] = record.timestamp_ms
    found = []
    async for record in read_topics(bench.installation, ["signals"]):
        event = record.event
        if isinstance(event, Signal) and event.source == "always":
            place = (event.symbol, event.close_ms)
            if place in wanted:
                found.append(record.timestamp_ms - sealed[place])
    assert len(found) == len(wanted), f"{len(found)} signals of {len(wanted)} closes"
    return sorted(found)


def shown(name: str, found: list[int]) -> None:
    def at(share: float) -> int:
        return found[min(len(found) - 1, int(len(found) * share))]

    print(
        f"{name}: signals={len(found)} p50={at(0.5)} ms p90={at(0.9)} ms p99={at(0.99)} ms "
        f"max={found[-1]} ms",
        flush=True,
    )


async def latency(bench: Bench, symbols: int, singles: int, rounds: int) -> None:
    """Candle → signal for one symbol, then for all of them closing at once."""
    history = History(symbols)
    for service in ("indicators", "signals"):
        bench.start(service)
    published = 0
    for _ in range(WARM):
        await bench.publish([history.close(index) for index in range(symbols)])
    published += (WARM - 14) * symbols
    await signals_until(bench, published)
    single, together = set(), set()
    alone = symbols - 1
    for _ in range(singles):
        records = history.close(alone)
        single.add((records[-1].key, _close_ms(records[-1])))
        await bench.publish([records])
        published += 1
        await asyncio.sleep(0.1)
    await signals_until(bench, published)
    for _ in range(rounds):
        closes = [history.close(index) for index in range(symbols)]
        together |= {(records[-1].key, _close_ms(records[-1])) for records in closes}
        await bench.publish(closes)
        published += symbols
        await asyncio.sleep(1.0)
    await signals_until(bench, published)
    shown("candle → signal, one symbol", await latencies(bench, single))
    shown(f"candle → signal, {symbols} symbols at once", await latencies(bench, together))


def _close_ms(record: Record) -> int:
    assert isinstance(record.event, CandleSealed)
    return record.event.close_ms


async def throughput(bench: Bench, service: str, workers: int, symbols: int, closes: int) -> None:
    """A backlog of 5m and longer candles, worked off by `workers` of a service."""
    history = History(symbols)
    total = 0
    for _ in range(closes):
        batch = [history.close(index) for index in range(symbols)]
        total += sum(map(len, batch))
        await bench.publish(batch)
    if service == "signals":
        bench.start("indicators")
        await rows_until(bench, total)
        bench.workers.pop().terminate()
    for instance in range(workers):
        bench.start(service, instance)
    if service == "indicators":
        await rows_until(bench, total)
        topics = [f"indicators.{granularity}" for granularity in ("5m", *LONGER)]
    else:
        await signals_until(bench, (closes - 14) * symbols)
        topics = ["matrix"]
    times = [record.timestamp_ms async for record in read_topics(bench.installation, topics)]
    seconds = (max(times) - min(times)) / 1_000
    rate = len(times) / seconds
    print(
        f"throughput of {service}, {workers} worker{'s' if workers > 1 else ''}: "
        f"{rate:,.0f} records/s ({len(times):,} in {seconds:.1f} s)",
        flush=True,
    )


async def rows_until(bench: Bench, number: int) -> None:
    """Returns when `number` indicator rows are out."""
    seen = 0
    names = [f"indicators.{granularity}" for granularity in ("5m", *LONGER)]
    async with asyncio.timeout(WAIT_S):
        async for record in follow(bench.installation, names, start="beginning"):
            seen += isinstance(record.event, IndicatorRow)
            if seen >= number:
                return


@contextlib.asynccontextmanager
async def benched(base: Installation, prefix: str, environ: dict[str, str]) -> AsyncIterator[Bench]:
    """Topics of their own, and nothing left running afterwards."""
    bench = Bench(base, prefix, environ)
    await create_topics(bench.installation, 8, 1)
    try:
        yield bench
    finally:
        await bench.end()


def memory(environ: dict[str, str], symbols: int, seconds: int) -> None:
    """Resident memory of each process of `up` with many symbols."""
    command = [str(ROOT / "chandler"), "up", "--quiet", "--symbols", str(symbols)]
    up = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        status = subprocess.run(
            [str(ROOT / "chandler"), "status", "--json"],
            env=environ,
            capture_output=True,
            check=False,
        )
        services = msgspec.json.decode(status.stdout)["services"]
        sizes = {name: _resident_mib(each["pid"]) for name, each in services.items()}
        kafka = embedded.status(installation(environ)).pid
        sizes["kafka"] = _resident_mib(kafka)
        sizes["up"] = _resident_mib(up.pid)
    finally:
        up.terminate()
        up.wait()
    for name, size in sizes.items():
        print(f"memory of {name}, {symbols} symbols: {size:.0f} MiB")
    print(f"memory of all: {sum(sizes.values()):.0f} MiB")


def _resident_mib(pid: int | None) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def place() -> Iterator[dict[str, str]]:
    """A data directory and the environment of this benchmark's processes."""
    with tempfile.TemporaryDirectory(prefix="chandler-bench-") as folder:
        yield {
            **os.environ,
            "CHANDLER_ROOT": str(ROOT),
            "PYTHONPATH": str(ROOT),
            "CHANDLER_DATA": folder,
            "CHANDLER_PORT_BASE": os.environ.get("CHANDLER_BENCH_PORT_BASE", "26000"),
            "CHANDLER_PLUGINS": str(ROOT / "benchmarks" / "plugins"),
        }


async def measure(
    base: Installation, environ: dict[str, str], arguments: argparse.Namespace
) -> None:
    """All parts that need nothing but topics and stages."""
    symbols, short = arguments.symbols, arguments.short
    async with benched(base, "latency.", environ) as bench:
        await latency(bench, symbols, 20 if short else 200, 5 if short else 60)
    for service in ("indicators", "signals"):
        for workers in (1, 2):
            async with benched(base, f"{service}{workers}.", environ) as bench:
                await throughput(bench, service, workers, symbols, 40 if short else 150)


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench stream")
    parser.add_argument("--symbols", type=int, default=200)
    parser.add_argument("--short", action="store_true", help="fewer rounds, no memory")
    arguments = parser.parse_args()
    with place() as environ:
        os.environ.update(environ)
        base = installation(environ)
        with embedded.lease(base):
            asyncio.run(measure(base, environ, arguments))
        if not arguments.short:
            memory(environ, arguments.symbols, 60)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
