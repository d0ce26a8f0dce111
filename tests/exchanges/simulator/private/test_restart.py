"""Accounts survive the venue's end, also by kill -9: what was answered is there."""

import asyncio
import os
import signal
import sqlite3
import sys
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.private.keys import keys_file, read_keys
from chandler.exchanges.simulator.private.store import STORE_FILE
from tests.exchanges.simulator.private.trader import (
    ACCOUNT,
    ORDER,
    POSITION,
    SYMBOL,
    Trader,
    order,
    still,
    trader,
)
from tests.exchanges.simulator.venue import admin

VENUE = """
    import asyncio, sys
    from pathlib import Path
    from tests.exchanges.simulator.private.trader import still

    async def main():
        async with still(Path(sys.argv[1]), data=Path(sys.argv[2])) as venue:
            print(venue.port, flush=True)
            await asyncio.sleep(3600)

    asyncio.run(main())
"""


async def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with still(tmp_path, data=data) as venue, trader(venue) as one:
        await admin(venue, "POST", "accounts", {"account": "second", "balance": "77"})
        await one.post(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="7")
        await one.place("buy", "1", presetStopLossPrice="90")
        resting = await one.place("buy", "0.1", price="95", clientOid="resting")
        before = [await look(one), (await admin(venue, "GET", "accounts"))[1]]

    async with still(tmp_path, data=data) as venue, trader(venue) as one:
        after = [await look(one), (await admin(venue, "GET", "accounts"))[1]]
        newer = await one.place("buy", "0.1", price="94")
        again = await one.code(
            f"{ORDER}/place-order", **order("buy", "0.1", price="93", clientOid="resting")
        )

    assert after == before
    assert int(newer["orderId"]) > int(resting["orderId"])
    assert again == "40786"


async def look(one: Trader) -> list[Any]:
    found = [
        await one.get(f"{POSITION}/all-position"),
        await one.get(f"{ORDER}/orders-pending"),
        await one.get(f"{ORDER}/orders-history"),
        await one.get(f"{ORDER}/orders-plan-pending", planType="profit_loss"),
        await one.get(f"{ORDER}/fills"),
        await one.get(f"{ACCOUNT}/bill"),
        await one.get(f"{ACCOUNT}/account", symbol=SYMBOL),
    ]
    for position in found[0]:
        del position["unrealizedPL"], position["markPrice"], position["marginRatio"]
    return found


async def test_an_order_that_is_filled_bit_by_bit_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with still(tmp_path, data=data, faults="partial=100%") as venue, trader(venue) as one:
        placed = await one.post(f"{ORDER}/place-order", **order("buy", "0.9"))
        venue.exchange.working.clear()

    async with still(tmp_path, data=data) as venue, trader(venue) as one:
        while (detail := await one.detail(placed["orderId"]))["state"] != "filled":
            await asyncio.sleep(0.02)

    assert detail["baseVolume"] == "0.9"


async def test_kill_9_loses_no_order_that_was_answered(tmp_path: Path) -> None:
    data = tmp_path / "data"
    answered: list[str] = []
    for _ in range(3):
        process, port = await start(tmp_path, data)
        keys = read_keys(keys_file(data, "demo"))
        async with aiohttp.ClientSession() as http:
            one = Trader.__new__(Trader)
            one.keys, one.skew_ms, one.name, one._http = keys, 0, "demo", http
            one.venue = At(port)  # type: ignore[assignment]
            asking = [asyncio.create_task(orders(one, f"{port}-{i}", answered)) for i in range(3)]
            wanted = len(answered) + 10
            while len(answered) < wanted:
                await asyncio.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.gather(*asking)
        await process.communicate()

    async with still(tmp_path, data=data) as venue, trader(venue) as one:
        _, truth = await admin(venue, "GET", "accounts/orders")
        _, fills = await admin(venue, "GET", "accounts/fills")
        books = await one.truth()

    assert len(answered) >= 30
    assert all(truth[name]["orders"] == 1 for name in answered)
    assert all(truth[name]["was"][0]["status"] == "filled" for name in answered)
    fees = sum((Decimal(fill["fee"]) for fill in fills), Decimal(0))
    assert Decimal(books["fees"]) == fees
    assert {name for name in truth if truth[name]["orders"]} == {f["client_oid"] for f in fills}


class At:
    """Where a venue is that runs in another process."""

    def __init__(self, port: int) -> None:
        self.rest_url = f"http://127.0.0.1:{port}"


async def start(tmp_path: Path, data: Path) -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(VENUE),
        str(tmp_path),
        str(data),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return process, int(await process.stdout.readline())


async def orders(one: Trader, name: str, answered: list[str]) -> None:
    """One after the other, until the venue has gone."""
    number = 0
    while True:
        number += 1
        oid = f"{name}-{number}"
        body = {"productType": "USDT-FUTURES"} | order("buy", "0.1", clientOid=oid)
        try:
            status, _ = await one.ask("POST", f"{ORDER}/place-order", body)
        except (aiohttp.ClientError, OSError):
            return
        if status == 200:
            answered.append(oid)
        else:
            await asyncio.sleep(0.02)  # 10 a second are taken


async def test_a_store_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / STORE_FILE
    file.parent.mkdir(parents=True)
    file.write_text("not a database, but long enough to be taken for one " * 20)

    with pytest.raises(SimulatorError, match="delete it to begin with new ones"):
        await still(tmp_path, data=tmp_path).__aenter__()


async def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / STORE_FILE
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version=99")
    db.close()

    with pytest.raises(SimulatorError, match="version 99"):
        await still(tmp_path, data=tmp_path).__aenter__()
