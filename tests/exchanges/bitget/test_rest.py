"""REST against a venue that answers well, badly, late and not at all."""

import asyncio
import time
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import web

from chandler.core.granularity import Granularity
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.parse import CandleRow
from chandler.exchanges.bitget.rest import (
    THROTTLE,
    TRIES_RATE_LIMITED_MAX,
    TRIES_UNREACHABLE_MAX,
    Rest,
    read_answer,
)
from tests.exchanges.bitget.scripted import (
    MINUTE,
    Answer,
    answering,
    bad,
    frame,
    good,
    in_turn,
)

M1 = Granularity("1m")
TIME = (200, frame("rest_time"))
LIMITED = (429, frame("rest_rate_limited"))
CONTRACT = {
    "symbol": "BTCUSDT",
    "pricePlace": "1",
    "priceEndStep": "5",
    "volumePlace": "4",
    "sizeMultiplier": "0.0001",
    "minTradeNum": "0.0001",
    "minTradeUSDT": "5",
    "makerFeeRate": "0.0002",
    "takerFeeRate": "0.0006",
    "maxLever": "150",
    "symbolType": "perpetual",
    "symbolStatus": "normal",
}
TICKER = {"symbol": "BTCUSDT", "lastPr": "27000.5", "bidPr": "27000", "askPr": "27001", "ts": "9"}


def client(url: str, **options: Any) -> Rest:
    """A client whose clock is so fast that no wait is felt."""
    return Rest(VenueConfig(rest_url=url), 1000.0, random=Random(1), **options)


def row(open_ms: int) -> list[str]:
    return [str(open_ms), "10", "11", "9", "10.5", "3", "30"]


class History:
    """`history-candles` as bitget-api §3.1 has it: endTime exclusive, startTime ignored."""

    def __init__(self, minutes: list[int], *, extra: bool = False) -> None:
        self.minutes = minutes
        self.extra = extra  # one bar more than asked for, of the other side of endTime
        self.requests = 0

    async def reply(self, request: web.Request) -> Answer:
        self.requests += 1
        limit = int(request.query["limit"])
        if limit > 200:
            return bad("40053", "limit")
        end = int(request.query["endTime"]) // MINUTE + self.extra
        page = [minute for minute in self.minutes if minute < end][-limit:]
        return good([row(minute * MINUTE) for minute in reversed(page)])


async def test_server_time_is_the_venues() -> None:
    async with answering(in_turn([TIME])) as url, client(url) as rest:
        assert await rest.server_time() == 1688008631614


async def test_candles_come_ascending_and_each_slot_once() -> None:
    rows = [row(3 * MINUTE), row(MINUTE), row(2 * MINUTE), row(MINUTE), row(4 * MINUTE)]

    async with answering(in_turn([good(rows)])) as url, client(url) as rest:
        candles = await rest.candles("BTCUSDT", M1, end_ms=4 * MINUTE, limit=5)

    assert [candle.open_ms for candle in candles] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert candles[0] == CandleRow(MINUTE, 10.0, 11.0, 9.0, 10.5, 3.0, 30.0)


async def test_the_request_has_the_venues_spelling() -> None:
    asked: list[dict[str, str]] = []

    async def reply(request: web.Request) -> Answer:
        asked.append(dict(request.query))
        return good([])

    async with answering(reply) as url, client(url) as rest:
        await rest.history_candles("BTCUSDT", Granularity("1D"), end_ms=864_000_000, limit=7)
        await rest.candles("BTCUSDT", M1)

    both = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
    assert asked == [
        {**both, "granularity": "1Dutc", "limit": "7", "endTime": "864000000"},
        {**both, "granularity": "1m", "limit": "100"},
    ]


async def test_impossible_rows_are_left_out_and_counted() -> None:
    crooked = [str(MINUTE), "10", "9", "11", "10", "3", "30"]

    async with (
        answering(in_turn([good([crooked, row(2 * MINUTE), None])])) as url,
        client(url) as rest,
    ):
        candles = await rest.candles("BTCUSDT", M1)

    assert [candle.open_ms for candle in candles] == [2 * MINUTE]
    assert rest.rejected == {"high < low": 1, "wrong number of fields": 1}


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize(("start", "end"), [(1, 2), (1, 201), (13, 1013), (900, 1000), (1, 1401)])
async def test_history_is_whole_whatever_its_length(start: int, end: int, extra: bool) -> None:
    history = History(list(range(1, 1500)), extra=extra)

    async with answering(history.reply) as url, client(url) as rest:
        candles = await rest.history("BTCUSDT", M1, start * MINUTE, end * MINUTE)

    assert [candle.open_ms // MINUTE for candle in candles] == list(range(start, end))
    assert history.requests <= (end - start) // 198 + 2


async def test_history_goes_on_behind_a_hole() -> None:
    minutes = [minute for minute in range(1, 2000) if not 700 <= minute < 1150 and minute % 97]

    async with answering(History(minutes).reply) as url, client(url) as rest:
        candles = await rest.history("BTCUSDT", M1, 0, 2000 * MINUTE)

    assert [candle.open_ms // MINUTE for candle in candles] == minutes


async def test_history_ends_where_the_venues_begins() -> None:
    history = History(list(range(5000, 5300)))

    async with answering(history.reply) as url, client(url) as rest:
        candles = await rest.history("BTCUSDT", M1, 0, 5300 * MINUTE)

    assert len(candles) == 300
    assert history.requests <= 6


async def test_contracts_become_instruments_and_delivery_contracts_do_not() -> None:
    broken = CONTRACT | {"symbol": "BADUSDT", "minTradeNum": None}
    delivery = CONTRACT | {"symbol": "BTCUSDH26", "symbolType": "delivery"}
    small = CONTRACT | {"symbol": "PEPEUSDT", "pricePlace": "10", "priceEndStep": "1"}

    async with (
        answering(in_turn([good([CONTRACT, broken, delivery, small, 7])])) as url,
        client(url) as rest,
    ):
        btc, pepe = await rest.contracts()

    assert (btc.symbol, btc.price_step, btc.size_step) == ("BTCUSDT", "0.5", "0.0001")
    assert (btc.notional_min, btc.maker_fee, btc.leverage_max) == ("5", "0.0002", 150)
    assert (btc.status, btc.seen_at) == ("normal", 1695806875837)
    assert pepe.price_step == "0.0000000001"
    assert rest.rejected == {"unreadable row of contracts": 1}


async def test_tickers_and_funding_leave_out_what_cannot_be_read() -> None:
    tickers = good([TICKER, TICKER | {"lastPr": "-1"}, {}, None])
    rate = {
        "symbol": "BTCUSDT",
        "fundingRate": "-0.000068",
        "fundingRateInterval": "8",
        "nextUpdate": "1743062400000",
    }

    async with answering(in_turn([tickers, good([rate, {}])])) as url, client(url) as rest:
        (ticker,) = await rest.tickers()
        (funding,) = await rest.funding()

    assert (ticker.last, ticker.bid, ticker.ask, ticker.mark) == (
        "27000.5",
        "27000",
        "27001",
        "27000.5",
    )
    assert (funding.rate, funding.interval_h, funding.next_ms) == ("-0.000068", 8, 1743062400000)
    assert rest.rejected.total() == 4


async def test_depth_keeps_every_digit() -> None:
    book = b'{"asks":[[26347.5,0.25],[1e-7,3]],"bids":[[26347.1,12]],"ts":"1695870963008"}'
    answer = 200, b'{"code":"00000","data":' + book + b"}"

    async with answering(in_turn([answer])) as url, client(url) as rest:
        depth = await rest.merge_depth("BTCUSDT")

    assert depth.asks == [("26347.5", "0.25"), ("0.0000001", "3")]
    assert depth.bids == [("26347.1", "12")]
    assert depth.at == 1695870963008


async def test_the_fewest_requests_that_the_venue_says_are_left_are_kept() -> None:
    answers = in_turn([TIME] * 5)
    async with answering(answers, ["9", "4", "many", "6"]) as url, client(url) as rest:
        for _ in range(5):
            await rest.server_time()

    assert rest.left == {"time": 4}


async def test_a_429_is_waited_out_and_asked_again() -> None:
    async with answering(in_turn([LIMITED, (429, b""), TIME])) as url, client(url) as rest:
        assert await rest.server_time() == 1688008631614

    assert rest.weight == {"time": 3}
    assert rest.throttled == {"time": 2}


async def test_an_endless_429_is_given_up_after_a_bounded_number_of_tries() -> None:
    async with answering(in_turn([LIMITED] * 99)) as url, client(url) as rest:
        with pytest.raises(errors.RateLimited):
            await rest.server_time()

    assert rest.weight["time"] == TRIES_RATE_LIMITED_MAX


async def test_one_endpoint_on_hold_leaves_the_others_alone() -> None:
    limited = asyncio.Event()

    async def reply(request: web.Request) -> Answer:
        if not request.path.endswith("tickers"):
            return TIME
        limited.set()
        return LIMITED

    async with answering(reply) as url, Rest(VenueConfig(rest_url=url)) as rest:
        waiting = asyncio.create_task(rest.tickers())
        await limited.wait()
        await rest.server_time()

        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})


def test_a_burst_of_429_doubles_the_wait_once() -> None:
    """What was under way before the hold says nothing about whether the hold was long enough."""
    rest = Rest(VenueConfig())
    asked_at = time.monotonic()

    for _ in range(8):
        rest._slow_down("time", asked_at)

    assert 0 < rest.held_s("time") <= THROTTLE.first_s
    assert rest.held_s("candles") == 0
    assert rest.throttled == {"time": 8}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, b""), errors.VenueUnreachable),
        ((200, b"<html>maintenance</html>"), errors.VenueUnreachable),
        ((403, b"<html>blocked</html>"), errors.VenueUnreachable),
        ((200, b'{"code":"00000","data":{"serv'), errors.VenueUnreachable),
        ((200, b"[]"), errors.VenueUnreachable),
        ((200, b'{"data":1}'), errors.VenueUnreachable),
        ((502, b"bad gateway"), errors.VenueUnreachable),
        ((500, b'{"code":"50000","msg":"oops"}'), errors.VenueUnreachable),
        ((200, b'{"code":"429","msg":"Too Many Requests"}'), errors.RateLimited),
        ((429, b"<html>slow down</html>"), errors.RateLimited),
        (bad("40034", "Parameter NOPE does not exist"), errors.UnknownSymbol),
        (bad("40309", "The symbol has been removed", 200), errors.Delisted),
        (bad("40053", "limit"), errors.VenueRefused),
        ((400, b'{"code":40053,"msg":null}'), errors.VenueRefused),
    ],
)
def test_every_answer_has_its_place_in_the_tree(answer: Answer, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        read_answer("time", *answer)

    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "x", {"serverTime": "soon"}])
async def test_data_of_the_wrong_shape_is_an_error_of_the_tree(data: Any) -> None:
    async with answering(in_turn([good(data)])) as url, client(url) as rest:
        with pytest.raises(errors.VenueUnreachable):
            await rest.server_time()


async def test_a_refusal_is_not_asked_again() -> None:
    async with answering(in_turn([bad("40034", "no")])) as url, client(url) as rest:
        with pytest.raises(errors.UnknownSymbol) as caught:
            await rest.candles("NOPE", M1)

    assert caught.value.code == "40034"
    assert rest.weight == {"candles": 1}


async def test_a_release_window_is_asked_again() -> None:
    async with answering(in_turn([bad("45001", "busy"), TIME])) as url, client(url) as rest:
        assert await rest.server_time() == 1688008631614


async def test_a_slow_server_is_unreachable_after_the_timeout() -> None:
    stuck = asyncio.Event()

    async def reply(request: web.Request) -> Answer:
        await stuck.wait()
        return TIME

    async with answering(reply) as url, client(url, timeout_s=0.05) as rest:
        with pytest.raises(errors.VenueUnreachable, match=r"time: no answer within 0\.05 s"):
            await rest.server_time()
        stuck.set()

    assert rest.weight["time"] == TRIES_UNREACHABLE_MAX


async def test_a_venue_that_is_not_there_is_unreachable() -> None:
    async with answering(in_turn([])) as url:
        gone = url

    async with client(gone) as rest:
        with pytest.raises(errors.VenueUnreachable):
            await rest.server_time()


def test_the_stored_429_reads_as_such() -> None:
    assert orjson.loads(LIMITED[1])["code"] == errors.CODE_RATE_LIMITED
