"""`bench telegram`: candle → order at the venue while Telegram answers, and while it does not.

Real services as in `bench desk`, with the notifier and Telegram's stand-in beside them. Runs with
Telegram up and down take turns; trading must not notice: the ranges of the runs overlap.
"""

import argparse
import asyncio
import os
import statistics
import time
from typing import Any

import aiohttp

from benchmarks.desk.bench import PAUSE_S, agents_of, configured, ready, trading
from benchmarks.desk.hops import ways, whole
from benchmarks.desk.market import Feed
from benchmarks.stream import WARM, benched, place
from chandler.exchanges.simulator.server import CLOCK_FILE
from chandler.streams import embedded
from chandler.streams.settings import PORT_TELEGRAM, Installation, installation

SYMBOLS = 20
ACCOUNTS = 7
PREFIX = "tg"
USER = {"role": "owner", "telegram_id": 1}


async def control(base: Installation, path: str, body: Any = None) -> Any:
    """An answer of the stand-in's own endpoints."""
    url = f"http://127.0.0.1:{base.port(PORT_TELEGRAM)}/control/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", url, json=body) as response,
    ):
        response.raise_for_status()
        return await response.json()


async def sent(base: Installation) -> tuple[int, int]:
    """How many messages arrived, and how many requests were cut off."""
    state = await control(base, "state")
    arrived = sum(count for name, count in state["counts"].items() if name == "sendMessage 200")
    return arrived, state["faults"].get("down", 0)


async def measure(base: Installation, environ: dict[str, str], runs: int, orders: int) -> bool:
    """Takes turns; whether the ranges overlap, and messages went out while they could."""
    (base.data / CLOCK_FILE).unlink(missing_ok=True)
    feed = Feed(SYMBOLS, WARM)
    chosen = feed.symbols[-1:]
    accounts = [f"{PREFIX}{number}" for number in range(ACCOUNTS)]
    flags = {
        "simulator": {"speed": 1.0, "symbols": SYMBOLS, "seed": 1},
        "accounts": {name: {"on_simulator": True} for name in accounts},
        "agents": agents_of(chosen, PREFIX),
        "telegram": {"stand_in": True},
        "users": {"ann": USER},
        "notices": {"flood": 1_000},
    }
    environ = {**environ, **configured(base.data, PREFIX, flags)}
    closes: list[set[tuple[str, int]]] = []
    messages: list[tuple[int, int]] = []
    async with (
        benched(base, f"{PREFIX}.", environ) as bench,
        trading(bench, feed, chosen) as floor,
    ):
        for service in ("telegram_stand_in", "notifier"):
            bench.start(service)
            await ready(bench, service)
        for number in range(2 * runs):
            await control(base, "faults", {"down": bool(number % 2)})
            before = await sent(base)
            made: set[tuple[str, int]] = set()
            for _ in range(orders):
                await asyncio.sleep(PAUSE_S / 2)
                made |= await floor.close([SYMBOLS - 1])
            after = await sent(base)
            closes.append(made)
            messages.append((after[0] - before[0], after[1] - before[1]))
        found = await ways(bench.installation, accounts)
    middles: tuple[list[float], list[float]] = ([], [])
    for number, (made, (arrived, cut)) in enumerate(zip(closes, messages, strict=True)):
        took = whole([way for way in found if way.close in made])
        middles[number % 2].append(statistics.median(took))
        print(
            f"telegram {'down' if number % 2 else 'up  '}: orders={len(took)} "
            f"p50={statistics.median(took):.0f} ms max={took[-1]} ms "
            f"messages={arrived} cut_off={cut}",
            flush=True,
        )
    up, down = ((min(each), max(each)) for each in middles)
    overlap = up[0] <= down[1] and down[0] <= up[1]
    told = all(arrived > 0 for arrived, _ in messages[::2])
    silenced = all(arrived == 0 and cut > 0 for arrived, cut in messages[1::2])
    print(
        f"p50 of {runs} runs up: {up[0]:.0f} to {up[1]:.0f} ms, down: {down[0]:.0f} to "
        f"{down[1]:.0f} ms; the ranges {'overlap' if overlap else 'do not overlap'}"
    )
    return overlap and told and silenced


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench telegram")
    parser.add_argument("--runs", type=int, default=5, help="with Telegram up, and as many down")
    parser.add_argument("--orders", type=int, default=20, help="in each run")
    arguments = parser.parse_args()
    began = time.monotonic()
    with place() as environ:
        os.environ.update(environ)
        base = installation(environ)
        with embedded.lease(base):
            well = asyncio.run(measure(base, environ, arguments.runs, arguments.orders))
    print(f"load of the machine: {os.getloadavg()[0]:.1f}; took {time.monotonic() - began:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
