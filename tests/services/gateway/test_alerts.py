"""What alerts of a charting service are taken for."""

import msgspec
import pytest

from services.gateway.problems import Problem
from services.gateway.sending.alerts import alert_of

SYMBOLS = frozenset({"BTCUSDT", "ETHUSDT", "1000PEPEUSDT"})


def said(**fields):
    return msgspec.json.encode(fields)


@pytest.mark.parametrize(
    ("body", "side", "symbol"),
    [
        (said(action="buy", ticker="BITGET:BTCUSDT.P"), "long", "BTCUSDT"),
        (said(action="SELL", symbol="ethusdt"), "short", "ETHUSDT"),
        (said(side="close", ticker="BTCUSDT"), "flat", "BTCUSDT"),
        (said(order="sell", market_position="flat", ticker="BTCUSDT.P"), "flat", "BTCUSDT"),
        (said(order="sell", market_position="long", ticker="BTCUSDT.P"), "long", "BTCUSDT"),
        (said(Action="buy", Ticker="1000PEPEUSDTPERP", more={"a": 1}), "long", "1000PEPEUSDT"),
        (b"buy BITGET:BTCUSDT.P", "long", "BTCUSDT"),
        (b"order sell @ 63000 filled on ETHUSDT.P, position is 1", "short", "ETHUSDT"),
        (b"ticker=BTCUSDT;action=close", "flat", "BTCUSDT"),
    ],
)
def test_sides_and_symbols_are_understood(body, side, symbol):
    found = alert_of(body, SYMBOLS)

    assert (found.side, found.symbol) == (side, symbol)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 422, "unclear_side"),
        (b"hello BTCUSDT", 422, "unclear_side"),
        (b"buy something", 422, "unknown_symbol"),
        (said(action="buy"), 422, "unclear_symbol"),
        (said(action="maybe", ticker="BTCUSDT"), 422, "unclear_side"),
        (said(action=["buy"], ticker="BTCUSDT"), 422, "unclear_side"),
        (said(action="buy", ticker="DOGEUSDT"), 422, "unknown_symbol"),
        (said(action="buy", ticker="<b>"), 422, "unknown_symbol"),
        (b"{", 400, "unreadable"),
        (b"[1]", 422, "invalid"),
        (b"\xff", 400, "unreadable"),
        (b'{"action": "buy", "price": NaN}', 400, "unreadable"),
    ],
)
def test_what_is_unclear_is_refused(body, status, kind):
    with pytest.raises(Problem) as caught:
        alert_of(body, SYMBOLS)

    assert (caught.value.status, caught.value.kind) == (status, kind)


def test_the_key_is_of_hook_alert_symbol_side_and_bar():
    one = alert_of(
        said(action="buy", ticker="BTCUSDT", alert="x", time="2024-01-01T00:00:00Z"), SYMBOLS
    )
    same = alert_of(
        said(side="long", ticker="BITGET:BTCUSDT.P", alert="x", bar_time="2024-01-01T00:00:00Z"),
        SYMBOLS,
    )

    assert one.key("a") == same.key("a") != ""
    others = [
        one.key("b"),
        one._replace(side="short").key("a"),
        one._replace(symbol="ETHUSDT").key("a"),
        one._replace(name="y").key("a"),
        one._replace(time="2024-01-01T00:05:00Z").key("a"),
    ]
    assert len({one.key("a"), *others}) == 6


def test_an_alert_without_a_time_has_no_key():
    assert alert_of(b"buy BTCUSDT", SYMBOLS).key("a") == ""
    assert alert_of(b"buy BTCUSDT 2024-01-01T00:00:00Z", SYMBOLS).key("a") != ""


def test_a_message_becomes_one_line_of_what_can_be_shown():
    message = "a\nb\x00\u202ec" + "d" * 500
    found = alert_of(said(action="buy", ticker="BTCUSDT", message=message), SYMBOLS)

    assert found.message.startswith("a b c")
    assert len(found.message) <= 200
