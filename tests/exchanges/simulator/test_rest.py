"""The public REST: envelope, windows, limits, errors, and steps that fit the prices."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.exchanges.simulator.rest import PER_SECOND_MAX, RateLimit
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.venue import MARKET, ORIGIN_MS, admin, get, market, simulator

FIVE_MS = 300_000
NOON_MS = ORIGIN_MS + 12 * HOUR_MS


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Simulator]:
    """Stands shortly after noon: at 1x the tests end within the minute."""
    async with simulator(tmp_path, speed=1.0, start="2024-01-01T12:00:30") as running:
        yield running


async def candles(venue: Simulator, path: str = "candles", **query: Any) -> list[list[str]]:
    given = {"symbol": "AAAUSDT", "granularity": "5m"} | query
    rows: list[list[str]] = await market(venue, path, **given)
    return rows


async def test_time_comes_in_the_envelope(venue: Simulator) -> None:
    status, body = await get(venue, "/api/v2/public/time")

    assert status == 200
    assert set(body) == {"code", "msg", "requestTime", "data"}
    assert (body["code"], body["msg"]) == ("00000", "success")
    assert 0 <= int(body["data"]["serverTime"]) - NOON_MS < 2 * MINUTE_MS


async def test_candles_are_seven_strings_ascending_and_end_on_the_forming_bar(
    venue: Simulator,
) -> None:
    rows = await candles(venue)

    assert len(rows) == 100
    assert all(len(row) == 7 and all(type(cell) is str for cell in row) for row in rows)
    opens = [int(row[0]) for row in rows]
    assert opens == list(range(NOON_MS - 99 * FIVE_MS, NOON_MS + 1, FIVE_MS))


async def test_history_holds_finished_bars_only(venue: Simulator) -> None:
    rows = await candles(venue, "history-candles")

    assert len(rows) == 100
    assert int(rows[-1][0]) == NOON_MS - FIVE_MS


@pytest.mark.parametrize("path", ["candles", "history-candles"])
async def test_end_time_is_exclusive_against_the_open(venue: Simulator, path: str) -> None:
    last = NOON_MS - HOUR_MS

    assert int((await candles(venue, path, endTime=last))[-1][0]) == last - FIVE_MS
    assert int((await candles(venue, path, endTime=last + 1))[-1][0]) == last


async def test_start_time_counts_for_candles_and_not_for_history(venue: Simulator) -> None:
    window: dict[str, Any] = {"startTime": NOON_MS - HOUR_MS, "endTime": NOON_MS}

    assert len(await candles(venue, **window)) == 12
    assert len(await candles(venue, "history-candles", **window)) == 100


async def test_before_the_first_candle_there_is_an_empty_list(venue: Simulator) -> None:
    assert await candles(venue, "history-candles", endTime=ORIGIN_MS) == []
    assert await candles(venue, endTime=1) == []


async def test_numbers_read_back_as_the_recorded_doubles(venue: Simulator) -> None:
    rows = await candles(venue, "history-candles", limit=144)
    bars = venue.market.bars(venue.market.index["AAAUSDT"], *window_of_all())

    assert [(int(row[0]), *map(float, row[1:])) for row in rows[-len(bars) :]] == bars
    assert not any("e" in cell for row in rows for cell in row)


def window_of_all() -> tuple[Any, int, int, int]:
    from chandler.exchanges.simulator.market import SPACINGS

    return SPACINGS["5m"], NOON_MS, 144, NOON_MS


@pytest.mark.parametrize("granularity", ["1m", "5m", "15m", "30m", "1H", "4H", "1D", "1Dutc"])
async def test_every_granularity_is_served(venue: Simulator, granularity: str) -> None:
    assert await candles(venue, granularity=granularity)


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("candles", {"limit": 1001}, "40053"),
        ("candles", {"limit": 0}, "40053"),
        ("history-candles", {"limit": 201}, "40053"),
        ("candles", {"limit": "many"}, "400172"),
        ("candles", {"symbol": "XXXUSDT"}, "40034"),
        ("candles", {"symbol": ""}, "400172"),
        ("candles", {"granularity": "1h"}, "400172"),
        ("candles", {"granularity": ""}, "400172"),
        ("candles", {"productType": ""}, "400172"),
        ("candles", {"productType": "COIN-FUTURES"}, "400172"),
        ("candles", {"startTime": 1, "endTime": NOON_MS}, "00001"),
        ("candles", {"endTime": "-5"}, "400172"),
        ("tickers", {"productType": ""}, "400172"),
        ("ticker", {"symbol": "XXXUSDT"}, "40034"),
        ("contracts", {"productType": ""}, "400172"),
        ("merge-depth", {"limit": "7"}, "400172"),
    ],
)
async def test_what_cannot_be_answered_is_400_with_the_venues_code(
    venue: Simulator, path: str, query: dict[str, Any], code: str
) -> None:
    given = {"symbol": "AAAUSDT", "productType": "USDT-FUTURES", "granularity": "5m"} | query

    status, body = await get(venue, f"{MARKET}/{path}", **given)

    assert (status, body["code"], body["data"]) == (400, code, None)


async def test_an_unknown_address_is_404(venue: Simulator) -> None:
    status, body = await get(venue, "/api/v2/mix/market/nothing")

    assert (status, body["code"]) == (404, "40404")


async def test_tickers_list_all_and_ticker_is_a_list_of_one(venue: Simulator) -> None:
    every = await market(venue, "tickers")
    (one,) = await market(venue, "ticker", symbol="BBBUSDT")

    assert {ticker["symbol"] for ticker in every} == {"AAAUSDT", "BBBUSDT"}
    assert float(one["low24h"]) <= float(one["lastPr"]) <= float(one["high24h"])
    assert float(one["bidPr"]) < float(one["askPr"])


async def test_steps_fit_the_prices(venue: Simulator) -> None:
    contracts = await market(venue, "contracts")

    for contract in contracts:
        assert contract["pricePlace"] == "2"
        assert contract["symbolStatus"] == "normal"
        step = float(contract["sizeMultiplier"])
        assert step == 10.0 ** -int(contract["volumePlace"])
        assert 0.5 < step * venue.market.last_price(0, NOON_MS) < 500
        assert contract["minTradeUSDT"] == "5"


async def test_depth_is_numbers_around_the_price(venue: Simulator) -> None:
    book = await market(venue, "merge-depth", symbol="AAAUSDT", limit="5")

    asks, bids = book["asks"], book["bids"]
    assert (len(asks), len(bids)) == (5, 5)
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert bids[0][0] < asks[0][0]
    assert all(type(cell) is float for level in asks + bids for cell in level)


async def test_funding_names_its_next_settlement(venue: Simulator) -> None:
    (rate,) = await market(venue, "current-fund-rate", symbol="AAAUSDT")

    assert int(rate["nextUpdate"]) == ORIGIN_MS + 16 * HOUR_MS
    assert abs(float(rate["fundingRate"])) <= 0.003


async def test_a_delisted_symbol_is_gone_everywhere(venue: Simulator) -> None:
    await admin(venue, "POST", "delist", {"symbol": "AAAUSDT"})

    status, body = await get(
        venue, f"{MARKET}/ticker", symbol="AAAUSDT", productType="USDT-FUTURES"
    )
    assert (status, body["code"]) == (400, "40309")
    assert [ticker["symbol"] for ticker in await market(venue, "tickers")] == ["BBBUSDT"]
    contracts = {c["symbol"]: c["symbolStatus"] for c in await market(venue, "contracts")}
    assert contracts == {"AAAUSDT": "off", "BBBUSDT": "normal"}


def test_twenty_requests_a_second_for_each_endpoint_and_address() -> None:
    limit = RateLimit()

    left = [limit.left("1.2.3.4", "/a", 5000 + i) for i in range(PER_SECOND_MAX + 2)]

    assert left == [*range(PER_SECOND_MAX - 1, -1, -1), -1, -2]
    assert limit.left("1.2.3.4", "/b", 5100) == PER_SECOND_MAX - 1
    assert limit.left("5.6.7.8", "/a", 5100) == PER_SECOND_MAX - 1
    assert limit.left("1.2.3.4", "/a", 6000) == PER_SECOND_MAX - 1


def test_six_thousand_a_minute_and_then_five_minutes_nothing() -> None:
    limit = RateLimit()
    for number in range(6000):
        assert limit.left("1.2.3.4", f"/{number // 15}", 60_000 + number) >= 0

    assert limit.left("1.2.3.4", "/x", 66_001) < 0
    assert limit.left("1.2.3.4", "/x", 66_001 + 299_000) < 0
    assert limit.left("1.2.3.4", "/x", 66_001 + 300_000) >= 0


async def test_too_many_requests_are_429_with_the_code_as_a_string(venue: Simulator) -> None:
    answers = [await get(venue, "/api/v2/public/time") for _ in range(2)]
    answers += [await get(venue, "/api/v2/public/time") for _ in range(200)]

    refused = [body for status, body in answers if status == 429]
    assert refused
    assert refused[0]["code"] == "429"
    assert refused[0]["data"] is None


async def test_a_storm_answers_everything_with_429(venue: Simulator) -> None:
    await admin(venue, "POST", "faults", {"spec": "storm429=1000s/999.9999s"})

    status, body = await get(venue, "/api/v2/public/time")
    assert (status, body["code"]) == (429, "429")

    await admin(venue, "DELETE", "faults")
    assert (await get(venue, "/api/v2/public/time"))[0] == 200
