"""Ambiguous failures: what the client is told, and what the venue really did."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.exchanges.simulator.private.trader import (
    ORDER,
    POSITION,
    Trader,
    order,
    still,
    trader,
)
from tests.exchanges.simulator.venue import admin


async def attempt(one: Trader, name: str) -> tuple[int, str]:
    """An order with that clientOid: (status, code)."""
    body = {"productType": "USDT-FUTURES"} | order("buy", "0.1", clientOid=name)
    status, answer = await one.ask("POST", f"{ORDER}/place-order", body)
    return status, answer["code"]


async def counted(one: Trader) -> dict[str, Any]:
    _, orders = await admin(one.venue, "GET", f"accounts/orders?account={one.name}")
    return dict(orders)


async def test_an_order_that_is_never_answered_got_in(tmp_path: Path) -> None:
    async with still(tmp_path, faults="noreply=100%") as venue, trader(venue) as one:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await attempt(one, "silent")
        await admin(venue, "DELETE", "faults")
        found = await one.get(f"{ORDER}/detail", symbol="AAAUSDT", clientOid="silent")
        (receipt,) = (await counted(one))["silent"]["receipts"]

    assert found["state"] == "filled"
    assert (receipt["outcome"], receipt["answered"]) == ("00000", "nothing")


async def test_a_connection_that_ends_instead_of_an_answer(tmp_path: Path) -> None:
    async with still(tmp_path, faults="hangup=100%") as venue, trader(venue) as one:
        with pytest.raises(aiohttp.ClientError):
            await attempt(one, "cut")
        truth = await counted(one)

    assert truth["cut"]["orders"] == 1


async def test_an_ambiguous_code_says_nothing_about_the_order(tmp_path: Path) -> None:
    async with still(tmp_path, faults="ambiguous=100%") as venue, trader(venue) as one:
        told = {name: await attempt(one, name) for name in map(str, range(10))}
        truth = await counted(one)
        (position,) = await one.get(f"{POSITION}/all-position")

    got_in = [name for name in told if truth[name]["orders"]]
    assert {status for status, _ in told.values()} == {400}
    assert {code for _, code in told.values()} == {"45001", "40725"}
    assert 0 < len(got_in) < 10
    assert Decimal(position["total"]) == len(got_in) * Decimal("0.1")
    assert all(truth[name]["receipts"][0]["answered"] == told[name][1] for name in told)


async def test_an_order_that_was_said_yes_to_and_is_not_there(tmp_path: Path) -> None:
    async with still(tmp_path, faults="vanish=100%") as venue, trader(venue) as one:
        told = await attempt(one, "ghost")
        refused = await one.code(f"{ORDER}/place-order", **order("buy", "0.001"))
        found = await one.ask(
            "GET",
            f"{ORDER}/detail",
            {"productType": "USDT-FUTURES", "symbol": "AAAUSDT", "clientOid": "ghost"},
        )
        truth = await counted(one)

    assert told == (200, "00000")
    assert refused == "40808"
    assert found[1]["code"] == "40109"
    assert (truth["ghost"]["orders"], truth["ghost"]["was"]) == (0, [])


async def test_a_request_that_was_stuck_too_long_is_refused(tmp_path: Path) -> None:
    async with still(tmp_path, faults="stuck=100%/200ms") as venue, trader(venue) as one:
        one.skew_ms = -29_900
        told = await attempt(one, "stuck")
        truth = await counted(one)

    assert told == (400, "40008")
    assert truth["stuck"]["orders"] == 0


async def test_a_slow_answer_is_of_an_order_that_is_there_already(tmp_path: Path) -> None:
    async with still(tmp_path, faults="slow=100%/400ms") as venue, trader(venue) as one:
        asking = asyncio.create_task(attempt(one, "slow"))
        while not (await counted(one)).get("slow"):
            await asyncio.sleep(0)
        waiting = not asking.done()
        told = await asking

    assert waiting
    assert told == (200, "00000")


async def test_partial_fills_come_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with still(tmp_path, faults="partial=100%") as venue, trader(venue) as one:
        with monkeypatch.context() as halted:
            halted.setattr(venue.exchange, "work", lambda ticker_of: None)
            placed = await one.place("buy", "0.9")
        while (detail := await one.detail(placed["orderId"]))["state"] != "filled":
            await asyncio.sleep(0.05)
        fills = (await one.get(f"{ORDER}/fills"))["fillList"]

    assert (placed["state"], placed["baseVolume"]) == ("partially_filled", "0.3")
    assert [fill["baseVolume"] for fill in fills] == ["0.3", "0.3", "0.3"]
    assert detail["baseVolume"] == "0.9"


async def test_a_strange_price(tmp_path: Path) -> None:
    async with still(tmp_path, faults="strange=100%") as venue, trader(venue) as one:
        placed = await one.place("buy", "0.1")

    assert Decimal(placed["priceAvg"]) > 104


async def test_a_balance_that_shrinks_by_itself(tmp_path: Path) -> None:
    async with still(tmp_path, faults="shrink=100ms/1%") as venue, trader(venue) as one:
        while (truth := await one.truth())["wallet"] == "100000":
            await asyncio.sleep(0.05)
        bills = await one.get("mix/account/bill")
        _, moved = await admin(venue, "POST", "accounts", {"account": "demo", "change": "-17.5"})

    assert Decimal(truth["wallet"]) == 100_000 + Decimal(truth["moved"])
    assert Decimal(truth["moved"]) <= -1000
    assert Decimal(moved["moved"]) <= Decimal(truth["moved"]) - Decimal("17.5")
    assert bills["bills"] == []


async def test_the_same_seed_fails_in_the_same_places(tmp_path: Path) -> None:
    told = []
    for _ in range(2):
        unclear = still(tmp_path, faults="ambiguous=50%,vanish=20%")
        async with unclear as venue, trader(venue) as one:
            codes = [await attempt(one, str(number)) for number in range(10)]
            orders = await counted(one)
            told.append((codes, [orders[str(number)]["orders"] for number in range(10)]))

    assert told[0] == told[1]
