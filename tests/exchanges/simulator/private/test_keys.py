"""Keys, signatures and what is refused before a request is looked at."""

import stat
import time
from pathlib import Path

import pytest

from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.private.keys import keys_file, own_keys, read_keys, signature
from tests.exchanges.simulator.private.trader import ORDER, Trader, order, sign, still, trader
from tests.exchanges.simulator.venue import admin

VECTORS = [
    (
        '1700000000000POST/api/v2/mix/order/place-order{"symbol":"BTCUSDT"}',
        "C/vSpmkAdkJHFrpOiYGEkV5HK8LKTTJ44CrlBsnfknQ=",
    ),
    ("1700000000GET/user/verify", "asp8h2LSGzNFWF9BshQJj0WiZA5uDIWsAk9FCfz2Ilk="),
]


@pytest.mark.parametrize(("text", "expected"), VECTORS)
def test_signatures_are_the_venues(text: str, expected: str) -> None:
    """The vectors of bitget-api §4.1."""
    assert signature("secret", text) == expected


def test_keys_are_made_once_and_are_their_owners(tmp_path: Path) -> None:
    first = own_keys(tmp_path, "demo")

    again, other = own_keys(tmp_path, "demo"), own_keys(tmp_path, "other")

    file = keys_file(tmp_path, "demo")
    assert first == again == read_keys(file) != other
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file == tmp_path / "simulator" / "keys" / "demo.toml"


@pytest.mark.parametrize("name", ["", "../demo", "a b", "x" * 41])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SimulatorError):
        own_keys(tmp_path, name)


def test_a_file_that_holds_no_keys_is_named(tmp_path: Path) -> None:
    own_keys(tmp_path, "demo")
    keys_file(tmp_path, "demo").write_text("key = 5")

    with pytest.raises(SimulatorError, match=r"demo\.toml should hold key, secret and passphrase"):
        own_keys(tmp_path, "demo")


async def told(one: Trader, **headers: str) -> tuple[int, str]:
    status, answer = await one.ask("GET", "mix/account/accounts", {}, **headers)
    return status, answer["code"]


async def test_what_is_wrong_with_a_request_has_its_code(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        found = [
            await told(one, **{"ACCESS-KEY": ""}),
            await told(one, **{"ACCESS-KEY": "nobody"}),
            await told(one, **{"ACCESS-PASSPHRASE": "wrong"}),
            await told(one, **{"ACCESS-SIGN": "wrong"}),
            await told(one, **{"ACCESS-SIGN": "schlüssel".encode().decode("latin1")}),
            await told(one, **{"ACCESS-TIMESTAMP": "soon"}),
            await told(one, **{"ACCESS-TIMESTAMP": str(time.time_ns() // 1_000_000 - 31_000)}),
            await told(one, **{"ACCESS-TIMESTAMP": str(time.time_ns() // 1_000_000 + 31_000)}),
            await told(one, **{"ACCESS-TIMESTAMP": str(time.time_ns() // 1_000_000 + 5)}),
        ]

    codes = ["40006", "40037", "40012", "40009", "40009", "40005", "40008", "40008", "40009"]
    assert found == [(400, code) for code in codes]


async def test_time_is_the_walls_whatever_the_venues_clock_says(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        one.skew_ms = -29_000
        inside = await one.get("mix/account/accounts", productType="USDT-FUTURES")
        one.skew_ms = -30_500
        outside = await told(one)

    assert inside[0]["available"] == "100000"
    assert outside == (400, "40008")
    assert venue.clock.now() < 1_705_000_000_000


async def test_an_order_signed_too_long_ago_is_refused_and_counted(tmp_path: Path) -> None:
    """What a frozen executor sends when it wakes up."""
    async with still(tmp_path) as venue, trader(venue) as one:
        one.skew_ms = -31_000
        code = await one.code(f"{ORDER}/place-order", **order("buy", "1", clientOid="late"))
        _, orders = await admin(venue, "GET", "accounts/orders")

    (receipt,) = orders["late"]["receipts"]
    assert code == receipt["outcome"] == receipt["answered"] == "40008"
    assert receipt["wall_ms"] - receipt["signed_ms"] > 30_000
    assert (orders["late"]["orders"], orders["late"]["was"]) == (0, [])


async def test_both_ways_of_signing_a_query_are_taken(tmp_path: Path) -> None:
    """As it is sent, and unescaped, which is ccxt's way."""
    async with still(tmp_path) as venue, trader(venue) as one:
        stamp = str(time.time_ns() // 1_000_000)
        path = "/api/v2/mix/order/detail?clientOid=a:b&productType=USDT-FUTURES&symbol=AAAUSDT"
        headers = {
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-SIGN": sign(one.keys.secret, f"{stamp}GET{path}"),
        }
        params = {"clientOid": "a%3Ab", "symbol": "AAAUSDT", "productType": "USDT-FUTURES"}
        _, raw = await one.ask("GET", f"{ORDER}/detail", params, **headers)
        _, sent = await one.ask("GET", f"{ORDER}/detail", params)

    assert raw["code"] == sent["code"] == "40109"


async def test_a_unified_account_is_told_so_before_its_signature_is_read(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await admin(venue, "POST", "accounts", {"account": "demo", "unified": True})

        assert await told(one, **{"ACCESS-SIGN": "wrong"}) == (400, "40085")


async def test_the_demo_header_is_taken(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        status, _ = await one.ask(
            "GET", "mix/account/accounts", {"productType": "USDT-FUTURES"}, paptrading="1"
        )

    assert status == 200


async def test_each_account_has_its_own_limit_by_endpoint(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await admin(venue, "POST", "accounts", {"account": "second", "balance": "500"})
        async with trader(venue, "second") as two:
            params = {"productType": "USDT-FUTURES"}
            answers = [await one.ask("GET", "mix/position/all-position", params) for _ in range(12)]
            other = await two.get("mix/account/accounts")

    codes = [answer["code"] for _, answer in answers]
    assert "429" in codes
    assert {status for status, answer in answers if answer["code"] == "429"} == {429}
    assert other[0]["accountEquity"] == "500"


async def test_an_unknown_path_is_not_found(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        status, answer = await one.ask("POST", "mix/order/place-orders", {})

    assert (status, answer["code"]) == (404, "40404")
