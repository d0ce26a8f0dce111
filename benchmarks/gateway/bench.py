"""`bench gateway`: ticks to many WebSockets, memory over minutes, and POST /v1/signals.

The gateway is the real service, Kafka the embedded one; ticks are written to the topic as ingest
writes them, and clients run in another process. Tick → client is the wall clock at the client less
that at which the tick was handed to Kafka; prices go out four times a second, so that 125 ms of it
are waiting for the next batch.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.desk.bench import configured, ready
from benchmarks.stream import ROOT, Bench, benched, place
from chandler.core.events import CandlesOut, Symbol, Ticker
from chandler.core.granularity import Granularity, slot_open
from chandler.streams import embedded
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import read_topics
from chandler.streams.settings import PORT_GATEWAY, installation

SYMBOLS = [f"B{number:03}USDT" for number in range(200)]
USERS = 10
WARM_S = 5.0
TURN_S = 0.05  # between two groups of ticks
M5 = Granularity("5m")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ticker(symbol: str, number: int) -> Ticker:
    price = f"{100 + number % 1_000 / 100:.2f}"
    return Ticker(
        symbol=Symbol(symbol),
        at=now_ms(),
        last=price,
        bid=price,
        ask=price,
        mark=price,
        minute_open_ms=0,
        minute_volume=1.0,
    )


async def tick(bench: Bench, per_second: int) -> None:
    """Ticks, evenly, until it is cancelled."""
    name = topic_name(bench.installation, "tickers")
    number, began = 0, time.monotonic()
    async with producer(bench.installation) as client:
        while True:
            due = int((time.monotonic() - began) * per_second)
            while number < due:
                symbol = SYMBOLS[number % len(SYMBOLS)]
                await client.send(name, encode(ticker(symbol, number)), key=symbol.encode())
                number += 1
            await asyncio.sleep(TURN_S)


async def begin_market(bench: Bench) -> None:
    """Symbols that are followed, and a time."""
    name = topic_name(bench.installation, "candles.last")
    async with producer(bench.installation) as client:
        for symbol in SYMBOLS:
            open_ms = slot_open(now_ms(), M5) - 300_000
            event = CandlesOut(symbol=Symbol(symbol), granularity=M5, open_ms=open_ms, hash="")
            await client.send_and_wait(name, encode(event), key=f"{symbol}|5m".encode())


def key_of(bench: Bench, user: str, scopes: str) -> str:
    command = [sys.executable, "-m", "services", "gateway", "key", "bench", "--json"]
    more = ["--user", user, "--scopes", scopes]
    made = subprocess.run(
        [*command, *more], cwd=ROOT, env=bench.environ, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr.decode()
    return str(json.loads(made.stdout)["key"])


class Clients:
    """The other process."""

    def __init__(self, bench: Bench, asked: Mapping[str, Any]) -> None:
        self._asked = {"port": bench.installation.port(PORT_GATEWAY), **asked}
        self._environ = bench.environ
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.gateway.clients",
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._asked).encode() + b"\n")
        await self._process.stdin.drain()

    async def line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        assert line, "the clients' process ended: see above"
        return line

    async def close(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()


class Usage:
    """Memory and processor of a process, from what the system says."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = time.monotonic()
        self._cpu_s = self._used_s()

    def mib(self) -> float:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1_024
        raise AssertionError(f"process {self._pid} has ended")

    def cores(self) -> float:
        """Since the beginning."""
        return (self._used_s() - self._cpu_s) / (time.monotonic() - self._began)

    def _used_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def sockets(bench: Bench, keys: list[str], arguments: argparse.Namespace) -> bool:
    """Ticks → clients; whether all stayed and heard."""
    seconds = arguments.minutes * 60 if arguments.minutes else arguments.seconds
    asked = {"what": "listen", "keys": keys, "clients": arguments.clients}
    clients = Clients(bench, {**asked, "warm_s": WARM_S, "seconds": seconds})
    ticking = asyncio.create_task(tick(bench, arguments.prices))
    try:
        await clients.begin()
        assert await clients.line() == "live"
        await asyncio.sleep(WARM_S)
        usage = Usage(bench.workers[0].pid)
        sizes = [usage.mib()]
        result = asyncio.ensure_future(clients.line())
        while not result.done():
            await asyncio.wait([result], timeout=60.0)
            sizes.append(usage.mib())
        cores = usage.cores()
        heard = json.loads(await result)
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
        await clients.close()
    late = [(int(ms), int(times)) for ms, times in heard["late_ms"]] or [(0, 0)]
    prices = sum(times for _, times in late)
    wanted = arguments.clients * arguments.prices * seconds
    print(
        f"tick → client: clients={arguments.clients} prices/s={arguments.prices} "
        f"seconds={seconds:.0f} heard={prices:,} of {wanted:,.0f} batches={heard['batches']:,} "
        f"p50={share(late, 0.5)} ms p99={share(late, 0.99)} ms max={late[-1][0]} ms "
        f"lost={heard['lost']}"
    )
    print(
        f"gateway: {cores:.2f} cores, clients: {heard['cpu_s'] / seconds:.2f} cores; memory of "
        f"the gateway by the minute, MiB: {' '.join(f'{each:.0f}' for each in sizes)}",
        flush=True,
    )
    return bool(prices >= 0.95 * wanted and not heard["lost"])


def share(late: Sequence[tuple[int, int]], part: float) -> int:
    """The time under which this part lies."""
    left = sum(times for _, times in late) * part
    for ms, times in late:
        left -= times
        if left <= 0:
            return ms
    return 0


async def signals(bench: Bench, key: str, seconds: float) -> bool:
    """POST /v1/signals, one after another and many at once; whether each is there once."""
    well, acknowledged = True, 0
    ticking = asyncio.create_task(tick(bench, 200))  # the venue's time goes on
    try:
        for at_once in (1, 16, 128):
            asked = {"what": "send", "key": key, "at_once": at_once, "seconds": seconds}
            clients = Clients(bench, asked)
            usage = Usage(bench.workers[0].pid)
            try:
                await clients.begin()
                found = json.loads(await clients.line())
                cores = usage.cores()
            finally:
                await clients.close()
            took = found["took_ms"]
            acknowledged += len(took)
            well = well and bool(took) and not found["other"]
            print(
                f"POST /v1/signals, {at_once} at once: {len(took) / seconds:,.0f} requests/s "
                f"p50={at(took, 0.5):.1f} ms p99={at(took, 0.99):.1f} ms "
                f"refused={found['other'] or 0}, gateway {cores:.2f} cores",
                flush=True,
            )
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
    ids = [
        record.event.id  # type: ignore[union-attr]
        async for record in read_topics(bench.installation, ["signals.external"])
    ]
    print(
        f"signals.external: acknowledged={acknowledged:,} there={len(ids):,} twice="
        f"{len(ids) - len(set(ids))}"
    )
    return well and len(ids) == len(set(ids)) == acknowledged


def at(took: Sequence[float], part: float) -> float:
    return took[min(len(took) - 1, int(len(took) * part))] if took else 0.0


async def measure(arguments: argparse.Namespace, environ: dict[str, str]) -> bool:
    base = installation(environ)
    users = {
        f"user{number}": {"role": "owner", "telegram_id": number + 1} for number in range(USERS)
    }
    gateway = {"requests_per_second": 100_000.0, "address_requests_per_second": 100_000.0}
    agents = {"bench": {"mode": "paper"}}
    simulator = {"speed": 1.0, "symbols": 5, "seed": 1}  # none runs: a profile names a venue
    flags = {"users": users, "gateway": gateway, "agents": agents, "simulator": simulator}
    environ = {**environ, **configured(base.data, "gw", flags)}
    async with benched(base, "gw.", environ) as bench:
        await begin_market(bench)
        keys = [key_of(bench, user, "read,signals") for user in users]
        bench.start("gateway")
        await ready(bench, "gateway")
        well = await sockets(bench, keys, arguments)
        if arguments.seconds:
            well = await signals(bench, keys[0], arguments.seconds) and well
    return well


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench gateway")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--prices", type=int, default=200, help="a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each part")
    parser.add_argument("--minutes", type=float, default=0.0, help="of the WebSockets instead")
    arguments = parser.parse_args()
    began = time.monotonic()
    with place() as environ:
        os.environ.update(environ)
        with embedded.lease(installation(environ)):
            well = asyncio.run(measure(arguments, environ))
    print(f"load of the machine: {os.getloadavg()[0]:.1f}; took {time.monotonic() - began:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
