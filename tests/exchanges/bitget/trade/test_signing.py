"""Requests are signed with the time that is given, and ccxt would have built the same body."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from ccxt import bitget

from chandler.exchanges.bitget.trade.classic import Classic
from chandler.exchanges.bitget.trade.client import Client
from chandler.exchanges.bitget.trade.signing import Ask, Signer
from tests.exchanges.bitget.trade.standin import KEYS, config, requested

URL = "https://venue.example"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(KEYS, URL, demo=False)


def order_body(request: Any) -> Ask:
    settings = config(URL)
    return Classic(Client(settings, Signer(KEYS, URL, demo=False)), settings).order_ask(request)


def test_a_request_carries_the_given_time_and_the_signature_of_the_published_vector(
    signer: Signer,
):
    """The vector of bitget-api §4.1, secret `secret`."""
    ask = Ask("POST", "v2/mix/order/place-order", {"symbol": "BTCUSDT"})

    signed = signer.sign(ask, 1_700_000_000_000)

    assert signed.headers["ACCESS-TIMESTAMP"] == "1700000000000"
    assert signed.headers["ACCESS-SIGN"] == "C/vSpmkAdkJHFrpOiYGEkV5HK8LKTTJ44CrlBsnfknQ="
    assert signed.headers["ACCESS-KEY"] == "the-key"
    assert signed.headers["ACCESS-PASSPHRASE"] == "the-passphrase"
    assert signed.body == b'{"symbol":"BTCUSDT"}'
    assert signed.url == f"{URL}/api/v2/mix/order/place-order"


def test_two_times_give_two_signatures_and_the_same_time_the_same(signer: Signer):
    ask = Ask("GET", "v2/mix/order/detail", {"symbol": "BTCUSDT", "clientOid": "a_b-c"})

    first, again, later = (signer.sign(ask, at).headers["ACCESS-SIGN"] for at in (1, 1, 2))

    assert first == again != later


def test_a_query_is_sorted_and_sent_as_it_is_signed(signer: Signer):
    ask = Ask("GET", "v2/mix/order/detail", {"symbol": "BTCUSDT", "clientOid": "x"})

    signed = signer.sign(ask, 1)

    assert signed.url.endswith("/api/v2/mix/order/detail?clientOid=x&symbol=BTCUSDT")
    assert signed.body is None


def test_the_login_is_the_published_vector(signer: Signer):
    login = signer.login(1_700_000_000)

    assert login["timestamp"] == "1700000000"
    assert login["sign"] == "asp8h2LSGzNFWF9BshQJj0WiZA5uDIWsAk9FCfz2Ilk="


def test_demo_trading_is_a_header_outside_the_signature(signer: Signer):
    ask = Ask("GET", "v2/mix/account/accounts", {"productType": "USDT-FUTURES"})

    plain, demo = (one.sign(ask, 5) for one in (signer, Signer(KEYS, URL, demo=True)))

    assert {name.lower() for name in demo.headers} - {name.lower() for name in plain.headers} == {
        "paptrading"
    }
    assert demo.headers["ACCESS-SIGN"] == plain.headers["ACCESS-SIGN"]


def test_no_brokerage_is_credited_to_anybody(signer: Signer):
    signed = signer.sign(Ask("POST", "v2/mix/order/place-order", {}), 1)

    assert "X-CHANNEL-API-CODE" not in signed.headers


def test_signer_and_signed_request_hide_what_they_hold(signer: Signer):
    signed = signer.sign(Ask("POST", "v2/mix/order/place-order", {"a": "b"}), 1)

    for shown in (repr(signer), repr(signed), f"{signed}"):
        assert "the-key" not in shown
        assert "secret" not in shown


@pytest.mark.parametrize(
    ("changes", "side", "reduces"),
    [
        ({"action": "open", "side": "long"}, "buy", False),
        ({"action": "open", "side": "short"}, "sell", False),
        ({"action": "add", "side": "short"}, "sell", False),
        ({"action": "close", "side": "long"}, "sell", True),
        ({"action": "close", "side": "short"}, "buy", True),
    ],
)
def test_an_order_has_the_body_that_ccxt_would_build(
    changes: dict[str, Any], side: str, reduces: bool
):
    """In one-way mode; but for `force`, which a market order leaves out (bitget-api §4.3)."""
    exchange = bitget()
    exchange.set_markets([MARKET])
    expected = exchange.create_order_request(
        "BTC/USDT:USDT",
        "market",
        side,
        0.001,
        None,
        {"clientOid": "a1b2c3d4e5f6", "reduceOnly": reduces, "marginMode": "cross"},
    )

    assert expected.pop("force") == "GTC"

    body = order_body(requested(size=Decimal("0.001"), **changes)).params

    assert body == {name: value for name, value in expected.items() if value is not None}


def test_a_size_is_never_written_with_an_exponent():
    body = order_body(requested(size=Decimal("1E-7"))).params

    assert body["size"] == "0.0000001"
    assert orjson.loads(orjson.dumps(body)) == body


MARKET: dict[str, Any] = {
    "id": "BTCUSDT",
    "symbol": "BTC/USDT:USDT",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "settleId": "USDT",
    "type": "swap",
    "spot": False,
    "margin": False,
    "swap": True,
    "future": False,
    "option": False,
    "active": True,
    "contract": True,
    "linear": True,
    "inverse": False,
    "contractSize": 1,
    "precision": {"amount": 0.0001, "price": 0.1},
    "limits": {},
    "info": {},
}
