"""Orders and fills against recorded bodies: what is asked, how often, and how it is read."""

from decimal import Decimal
from typing import Any

import pytest

from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    Accepted,
    Refused,
    Unknown,
    VenueFill,
    VenueOrder,
)
from chandler.exchanges.bitget.trade.broker import BitgetBroker
from tests.exchanges.bitget.trade.standin import (
    AT,
    DETAIL,
    FILL,
    KEYS,
    NO_ORDER,
    PENDING,
    Seen,
    answering,
    bad,
    config,
    good,
    opened,
    requested,
)


async def test_an_order_goes_out_once_with_the_intents_own_time():
    async with answering() as venue:
        venue.answers["place-order"] = good({"clientOid": "a1b2c3d4e5f6", "orderId": "77"})
        async with opened(venue) as broker:
            reply = await broker.place(requested())

    assert reply == Accepted(id="a1b2c3d4e5f6", venue_id="77", at=AT)
    (seen,) = venue.asked("place-order")
    assert seen.headers["ACCESS-TIMESTAMP"] == "1700000000000"
    assert seen.json == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "size": "0.0010",
        "side": "buy",
        "orderType": "market",
        "clientOid": "a1b2c3d4e5f6",
    }


async def test_an_order_is_never_sent_twice_by_one_broker():
    async with answering() as venue:
        venue.answers["place-order"] = good({"clientOid": "a1b2c3d4e5f6", "orderId": "77"})
        async with opened(venue) as broker:
            await broker.place(requested())
            again = await broker.place(requested())

    assert isinstance(again, Unknown)
    assert len(venue.asked("place-order")) == 1


@pytest.mark.parametrize("way", ["hangs", "cuts", "429", "45001", "502", "307", "empty"])
async def test_an_order_whose_answer_is_lost_is_not_sent_again(way: str):
    async with answering() as venue:
        answers = {"429": bad("429", status=429), "45001": bad("45001"), "empty": (200, b"")}
        venue.answers["place-order"] = answers.get(way, (int(way) if way.isdigit() else 200, b""))
        venue.hangs = {"place-order"} if way == "hangs" else set()
        venue.cuts = {"place-order"} if way == "cuts" else set()
        async with opened(venue, timeout_s=0.3) as broker:
            reply = await broker.place(requested())

    assert isinstance(reply, Refused if way == "429" else Unknown)
    assert len(venue.asked("place-order")) == 1
    assert not venue.asked("elsewhere")


async def test_an_order_to_an_unreachable_venue_is_unknown():
    async with answering() as venue:
        broker = BitgetBroker(config(venue.url), KEYS, timeout_s=0.5)
        await broker.open()
    try:
        reply = await broker.place(requested())
    finally:
        await broker.close()

    assert isinstance(reply, Unknown)
    assert "secret" not in reply.reason


async def test_an_order_is_found_in_detail_or_pending_or_history_or_fills():
    found: dict[str, VenueOrder | None] = {}
    async with answering() as venue, opened(venue) as broker:
        for place in ("detail", "orders-pending", "orders-history", "fills", "nowhere"):
            venue.answers |= {
                "detail": NO_ORDER,
                "orders-pending": good({"entrustedList": None, "endId": None}),
                "orders-history": good({"entrustedList": [], "endId": ""}),
                "fills": good({"fillList": [], "endId": ""}),
            }
            match place:
                case "detail":
                    venue.answers["detail"] = good(DETAIL)
                case "orders-pending" | "orders-history":
                    venue.answers[place] = good({"entrustedList": [PENDING], "endId": "1"})
                case "fills":
                    venue.answers["fills"] = good({"fillList": [FILL | {"clientOid": "mine"}]})
            found[place] = await broker.find_by_client_oid(Symbol("BLURUSDT"), "mine")

    assert found["nowhere"] is None
    assert found["detail"] == VenueOrder(
        id="mine",
        venue_id="1190384645049036801",
        symbol=Symbol("BLURUSDT"),
        state="filled",
        buys=True,
        reduce_only=False,
        size=Decimal(40),
        filled=Decimal(40),
        at=1719535736393,
    )
    assert found["orders-pending"] == found["orders-history"]
    pending = found["orders-pending"]
    assert pending is not None
    assert (pending.state, pending.filled) == ("open", Decimal(0))
    from_fills = found["fills"]
    assert from_fills is not None
    assert (from_fills.state, from_fills.filled) == ("filled", Decimal(40))


async def test_another_order_is_not_taken_for_ours_when_the_venue_overlooks_the_filter():
    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {
            "detail": good(DETAIL | {"clientOid": "someone"}),
            "orders-pending": good({"entrustedList": [PENDING | {"clientOid": "else"}]}),
            "orders-history": good({"entrustedList": [PENDING | {"clientOid": ""}]}),
            "fills": good({"fillList": [FILL]}),
        }
        found = await broker.find_by_client_oid(Symbol("BLURUSDT"), "mine")

    assert found is None


async def test_fills_of_the_account_are_paged_and_get_their_own_names():
    rows = [
        FILL | {"tradeId": str(number), "cTime": str(1719535736393 + number)}
        for number in range(150, 0, -1)
    ]

    def page(seen: Seen) -> Any:
        start = 100 if "idLessThan=51" in seen.path else 0
        cut = rows[start : start + 100]
        return good({"fillList": cut, "endId": cut[-1]["tradeId"]})

    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {"fills": page, "detail": good(DETAIL)}
        fills = await broker.fills_since(1719535736400)

    assert [fill.trade for fill in fills] == [str(number) for number in range(7, 151)]
    assert fills[0] == VenueFill(
        id="mine",
        venue_id="1190384645049036801",
        trade="7",
        symbol=Symbol("BLURUSDT"),
        buys=True,
        price=Decimal("0.15"),
        size=Decimal(40),
        fee=Decimal("0.0036"),
        at=1719535736400,
    )
    assert len(venue.asked("detail")) == 1


async def test_an_order_of_a_delisted_symbol_is_still_found_in_the_lists():
    gone = bad("40309", "The symbol has been removed")
    async with answering() as venue, opened(venue) as broker:
        venue.answers |= {
            "detail": gone,
            "orders-pending": good({"entrustedList": None}),
            "orders-history": good({"entrustedList": [PENDING | {"status": "filled"}]}),
            "fills": gone,
        }
        found = await broker.find_by_client_oid(Symbol("BLURUSDT"), "mine")
        other = await broker.find_by_client_oid(Symbol("BLURUSDT"), "other")

    assert found is not None
    assert found.state == "filled"
    assert other is None
