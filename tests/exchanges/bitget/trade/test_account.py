"""A classic account against recorded bodies: settings, money, stops, and who is let in."""

import asyncio
import logging
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest

from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    AccountError,
    BrokerError,
    VenueStop,
)
from chandler.exchanges.bitget.trade.broker import BitgetBroker
from tests.exchanges.bitget.trade.standin import (
    ACCOUNT,
    AT,
    DETAIL,
    FILL,
    KEYS,
    Socket,
    answering,
    bad,
    config,
    good,
    listening,
    opened,
    requested,
)

BTC = Symbol("BTCUSDT")


async def test_a_question_that_fails_in_passing_is_asked_again_and_an_error_is_one_line():
    async with answering() as venue, opened(venue) as broker:
        venue.answers["accounts"] = [bad("45001"), (502, b"<html>"), good([ACCOUNT])]
        balance = await broker.balance()
        venue.answers["all-position"] = bad("40017", "Parameter\nverification failed")
        with pytest.raises(BrokerError) as told:
            await broker.positions()

    assert balance.wallet == Decimal("1003.00")
    assert (balance.available, balance.equity) == (Decimal("980.25"), Decimal("1001.75"))
    assert "\n" not in str(told.value)


async def test_a_fee_in_another_coin_does_not_touch_the_balance():
    paid = [{"feeCoin": "BGB", "deduction": "yes", "totalFee": "-0.017"}]
    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {
            "detail": good(DETAIL),
            "fills": good({"fillList": [FILL | {"feeDetail": paid}]}),
        }
        (fill,) = await broker.fills(Symbol("BLURUSDT"), "mine")

    assert (fill.id, fill.fee) == ("mine", Decimal(0))


async def test_funding_is_asked_for_in_spans_that_the_venue_answers():
    bill = {
        "billId": "1",
        "symbol": "BTCUSDT",
        "amount": "-0.004992",
        "fee": "0",
        "businessType": "contract_settle_fee",
        "coin": "USDT",
        "cTime": str(AT - 1000),
    }
    async with answering() as venue, opened(venue) as broker:
        venue.answers["bill"] = good(
            {"bills": [bill, bill | {"businessType": "buy", "billId": "2"}]}
        )
        (funding,) = await broker.fundings_since(AT - 40 * 86_400_000)

    assert (funding.bill, funding.amount, funding.at) == ("1", Decimal("0.004992"), AT - 1000)
    assert len(venue.asked("bill")) == 2


async def test_positions_leave_out_what_is_flat_and_read_empty_strings():
    row = {
        "symbol": "BTCUSDT",
        "holdSide": "short",
        "total": "0.01",
        "openPriceAvg": "60000.5",
        "markPrice": "59000",
        "unrealizedPL": "",
        "liquidationPrice": "-1",
        "leverage": "5",
    }
    async with answering() as venue, opened(venue) as broker:
        venue.answers["all-position"] = good([row, row | {"symbol": "ETHUSDT", "total": "0"}])
        (position,) = await broker.positions()

    assert (position.side, position.size, position.entry) == (
        "short",
        Decimal("0.01"),
        Decimal("60000.5"),
    )
    assert position.liquidation is None


async def test_leverage_is_set_only_where_it_differs():
    have = {
        "posMode": "one_way_mode",
        "marginMode": "crossed",
        "crossedMarginLeverage": 5,
        "isolatedLongLever": 20,
    }
    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {"account": good(have), "set-leverage": good({})}
        await broker.set_leverage(BTC, 5)
        same = len(venue.asked("set-leverage"))
        await broker.set_leverage(BTC, 7)
        venue.answers["set-leverage"] = bad("40814", "No change in leverage")
        await broker.set_leverage(BTC, 8)

    assert same == 0
    assert [seen.json["leverage"] for seen in venue.asked("set-leverage")] == ["7", "8"]
    assert not venue.asked("set-margin-mode")


async def test_a_stop_is_for_the_whole_position_on_the_mark_price():
    async with answering() as venue, opened(venue) as broker:
        venue.answers["place-tpsl-order"] = good({"orderId": "5", "clientOid": "stop1"})
        stop = await broker.place_stop(BTC, "long", Decimal("59000.5"), "stop1")

    assert stop == VenueStop(id="stop1", venue_id="5", symbol=BTC, trigger=Decimal("59000.5"))
    (seen,) = venue.asked("place-tpsl-order")
    assert seen.json == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginCoin": "USDT",
        "planType": "pos_loss",
        "triggerPrice": "59000.5",
        "triggerType": "mark_price",
        "executePrice": "0",
        "holdSide": "buy",
        "clientOid": "stop1",
    }


async def test_a_stop_with_a_lost_answer_is_looked_for_and_never_assumed():
    plan = {
        "planType": "pos_loss",
        "symbol": "BTCUSDT",
        "size": "0",
        "orderId": "5",
        "clientOid": "stop1",
        "triggerPrice": "59000.5",
        "planStatus": "live",
    }
    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {
            "place-tpsl-order": bad("45001"),
            "orders-plan-pending": good({"entrustedList": [plan]}),
        }
        there = await broker.place_stop(BTC, "long", Decimal("59000.5"), "stop1")
        venue.answers["orders-plan-pending"] = good({"entrustedList": None})
        with pytest.raises(BrokerError, match="not at the venue"):
            await broker.place_stop(BTC, "long", Decimal("59000.5"), "stop1")

    assert there.venue_id == "5"


async def test_a_stop_is_cancelled_with_its_own_plan_type_and_emptiness_is_not_success():
    """Without planType the venue cancels nothing and says 00000 (freqtrade issue 13066)."""
    plan = {
        "planType": "loss_plan",
        "symbol": "BTCUSDT",
        "orderId": "5",
        "clientOid": "stop1",
        "triggerPrice": "59000.5",
    }
    nothing = good({"successList": [], "failureList": []})
    gone = {"orderId": "5", "errorMsg": "not exist", "errorCode": "43025"}
    async with answering() as venue, opened(venue) as broker:
        venue.answers["orders-plan-pending"] = good(
            {"entrustedList": [plan, plan | {"planType": "pos_profit", "orderId": "6"}]}
        )
        (stop,) = await broker.stops()
        venue.answers["cancel-plan-order"] = nothing
        with pytest.raises(BrokerError, match="still there"):
            await broker.cancel_stop(stop)
        venue.answers["cancel-plan-order"] = good({"successList": [], "failureList": [gone]})
        await broker.cancel_stop(stop)

    assert venue.asked("cancel-plan-order")[0].json == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginCoin": "USDT",
        "orderIdList": [{"orderId": "5", "clientOid": "stop1"}],
        "planType": "loss_plan",
    }


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({"accounts": bad("40085", "You are in Unified Account mode")}, "unified account"),
        ({"accounts": bad("40012", "apikey/password is incorrect")}, "passphrase is wrong"),
        ({"accounts": bad("40099", "exchange environment is incorrect")}, "other environment"),
        ({"account": good({"posMode": "hedge_mode"})}, "expected one_way_mode"),
        ({"info": good({"authorities": ["coow", "cpow", "wwow"]})}, "may withdraw"),
        ({"info": good({"authorities": ["coor", "cpor"]})}, "may not trade"),
        ({"info": good({"authorities": ["readonly"]})}, "may not trade"),
    ],
)
async def test_an_account_that_can_not_be_traded_with_is_refused_at_the_start(
    answers: dict[str, Any], text: str
):
    async with answering() as venue:
        venue.answers |= answers
        broker = BitgetBroker(config(venue.url), KEYS)
        with pytest.raises(AccountError, match=text) as told:
            await broker.open()

    assert "\n" not in str(told.value)
    assert "the-key" not in str(told.value)
    assert not venue.asked("place-order")


async def test_rights_that_the_venue_does_not_tell_are_not_invented():
    async with answering() as venue:
        venue.answers["info"] = bad("40404", "Request URL NOT FOUND", 404)
        async with opened(venue) as broker:
            rights = broker.rights

    assert rights is None


async def test_the_skew_is_the_venues_wall_clock_less_ours():
    import time

    from msgspec.structs import replace

    async with answering() as venue:
        ahead = lambda _: good({"serverTime": str(time.time_ns() // 1_000_000 + 20_000)})  # noqa: E731
        venue.answers["time"] = ahead
        broker = BitgetBroker(replace(config(venue.url), simulated=False), KEYS)
        await broker.open()
        skew = await broker.skew_ms()
        await broker.close()
        stamp = int(venue.asked("accounts")[0].headers["ACCESS-TIMESTAMP"])
        behind = good({"serverTime": str(time.time_ns() // 1_000_000 - 600_000)})
        venue.answers["time"] = behind
        with pytest.raises(AccountError, match="clock"):
            await broker.open()

    assert abs(skew - 20_000) < 5_000
    assert stamp > time.time_ns() // 1_000_000 + 5_000


async def test_an_expired_signature_of_a_question_measures_the_clock_again():
    async with answering() as venue, opened(venue) as broker:
        venue.answers["accounts"] = [bad("40008", "Request timestamp expired"), good([ACCOUNT])]
        balance = await broker.balance()

    assert balance.equity == Decimal("1001.75")


async def test_requests_of_one_endpoint_keep_the_accounts_rate():
    async with answering() as venue, opened(venue) as broker:
        venue.answers["all-position"] = good([])
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(broker.positions() for _ in range(6)))
        took = loop.time() - began

    assert took > 0.5  # five a second, some of them at once


async def test_no_log_at_any_level_shows_a_key(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with answering() as venue, listening(Socket()) as socket:
        venue.answers["place-order"] = good({"clientOid": "a1b2c3d4e5f6", "orderId": "77"})
        broker = BitgetBroker(config(venue.url, socket.url), KEYS)
        await broker.open()
        await broker.place(requested())
        async with aclosing(broker.stream()) as pushes:  # type: ignore[type-var]
            async for _ in pushes:
                break
        await broker.close()

    # The stand-in's side of the socket logs as well, and is none of ours.
    ours = [each for each in caplog.records if each.name != "websockets.server"]
    said = "\n".join(each.getMessage() for each in ours)
    assert socket.messages[0]["args"][0]["passphrase"] == "the-passphrase"
    for secret in ("the-key", "the-passphrase", venue.seen[-1].headers["ACCESS-SIGN"]):
        assert secret not in said
