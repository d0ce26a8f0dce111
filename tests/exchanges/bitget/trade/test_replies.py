"""Every answer to an order is accepted, refused for certain, or unknown; never two of them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.trading.broker import Accepted, AccountError, BrokerError, Refused, Unknown
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.trade.replies import broker_error, reply
from tests.exchanges.bitget.trade.standin import AT, bad, good

ME = "a1b2c3d4e5f6"


def test_an_accepted_order_names_the_venues_id_and_time():
    status, body = good({"clientOid": ME, "orderId": "1190384645049036801"})

    found = reply(ME, "place-order", status, body)

    assert found == Accepted(id=ME, venue_id="1190384645049036801", at=AT)


@pytest.mark.parametrize("data", [{"clientOid": ME, "orderId": None}, {"clientOid": ME}, None])
def test_an_accepted_order_without_the_venues_id_is_accepted(data: object):
    """Oversized reduce-only orders answer so (bitget-api §4.3)."""
    assert reply(ME, "place-order", *good(data)) == Accepted(id=ME, venue_id="", at=AT)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("40762", "The order amount exceeds the balance"),
        ("45110", "less than the minimum amount 5 USDT"),
        ("40808", "Parameter verification exception size checkBDScale error value=2293.577"),
        ("41103", "param price scale error error"),
        ("40034", "Parameter NOPEUSDT does not exist"),
        ("40309", "The symbol has been removed"),
        ("22002", "No position to close"),
        ("40774", "The order type for unilateral position must also be the unilateral position"),
        ("40008", "Request timestamp expired"),
        ("40009", "sign signature error"),
        ("40085", "You are in Unified Account mode"),
        ("99999", "a code that nobody has seen yet"),
    ],
)
def test_a_business_error_is_a_refusal_with_its_code(code: str, message: str):
    found = reply(ME, "place-order", *bad(code, message))

    assert found == Refused(id=ME, code=code, reason=message, at=AT)


@pytest.mark.parametrize("code", ["40010", "40725", "45001", "40015", "40200"])
@pytest.mark.parametrize("status", [200, 400])
def test_an_ambiguous_code_leaves_the_order_unknown(code: str, status: int):
    found = reply(ME, "place-order", *bad(code, "server upgrade", status))

    assert isinstance(found, Unknown)
    assert code in found.reason


def test_one_code_with_two_meanings_is_certain_only_where_the_text_says_so():
    """40808 is a precision error, and what REST answers in release windows (bitget-api §6.5)."""
    assert isinstance(reply(ME, "place-order", *bad("40808", "try again later")), Unknown)


@pytest.mark.parametrize("code", ["40786", "45034", "40708"])
def test_a_duplicate_is_unknown_because_there_is_an_order(code: str):
    found = reply(ME, "place-order", *bad(code, "Duplicate clientOid"))

    assert isinstance(found, Unknown)
    assert "the venue has an order of this id" in found.reason


def test_an_unseen_code_with_http_200_is_unknown():
    assert isinstance(reply(ME, "place-order", *bad("99999", "who knows", 200)), Unknown)


def test_too_many_requests_is_a_refusal():
    found = reply(ME, "place-order", 429, b'{"code":"429","msg":"Too Many Requests"}')

    assert isinstance(found, Refused)
    assert found.code == "429"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>502</html>"),
        (200, b'{"code":"00000","msg":"succ'),
        (200, b"[]"),
        (502, b"bad gateway"),
        (500, b'{"code":"00000","msg":"success","data":{}}'),
        (503, b'{"code":"40762","msg":"The order amount exceeds the balance"}'),
        (307, b""),
        (403, b"<html>blocked</html>"),
    ],
)
def test_what_can_not_be_read_or_comes_with_5xx_is_unknown(status: int, body: bytes):
    assert isinstance(reply(ME, "place-order", status, body), Unknown)


def test_an_answer_for_another_order_is_unknown():
    found = reply(ME, "place-order", *good({"clientOid": "other", "orderId": "1"}))

    assert isinstance(found, Unknown)


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_bytes_whatever_raise_or_are_taken_for_a_certain_answer(status: int, body: bytes):
    found = reply(ME, "place-order", status, body)

    assert found.id == ME
    if not isinstance(found, Unknown):
        assert status == 429 or orjson.loads(body)["code"]


def test_errors_that_people_have_to_look_at_are_told_apart():
    keys = broker_error(errors.VenueRefused("40012", "apikey/password is incorrect"))
    other = broker_error(errors.VenueRefused("40034", "Parameter X does not exist"))

    assert isinstance(keys, AccountError)
    assert "passphrase" in str(keys)
    assert isinstance(other, BrokerError)
    assert not isinstance(other, AccountError)
