"""What an answer to an order means: accepted, refused for certain, or nobody knows.

Where the venue's own pages leave it open, the answer is Unknown and the order is looked up by its
clientOid: a wrong "refused" would lose an order, a wrong "unknown" costs half a minute.
"""

import time
from typing import Any

import orjson

from chandler.core.trading.broker import (
    Accepted,
    AccountError,
    BrokerError,
    Refused,
    Reply,
    Unknown,
)
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.rest import read_answer


def _codes(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# The order may exist (bitget-api §4.3, §6.5), or the venue could not say.
CODES_AMBIGUOUS = _codes("40010 40015 40200 40725 45001")
# The venue knows such a clientOid among its pending orders: there is an order, ours or older.
CODES_DUPLICATE = _codes("40786 40708 43118 45034 50060 25212")
CODE_MAINTENANCE_OR_PRECISION = "40808"
# Certain whatever the HTTP status; other codes are certain with HTTP 4xx only.
CODES_REFUSED = _codes(
    # balance, minimum and maximum
    "40762 43012 40754 45002 40712 25202 45110 45111 43006 43027 22034 45112 45113 40921 45120",
    # precision and tick, price band
    "41103 45115 22038 45035 40815 40816 22006 22007 22008 22009 41117",
    # symbol, and pair suspended
    "40034 40309 40102 40072 25100 45043 41114 40844 43115",
    # signature, time, rate
    "40009 40037 40012 40006 40018 40038 40014 40008 40005 40004 429",
    # position, mode, parameters, environment
    "22002 40757 45003 43023 40891 40774 45021 400172 40017 40019 40020 40053 40404 00001",
    "40099 40085 22030 40110 22035",
)
# Keys, rights and modes: people have to look.
CODES_ACCOUNT = {
    "40006": "the key is not valid",
    "40009": "the signature is wrong: the secret is not the key's",
    "40012": "the key or its passphrase is wrong",
    "40014": "the key lacks a right: it needs futures orders and positions, read and write",
    "40018": "this machine's address is not in the key's list of addresses",
    "40037": "the venue has no such key",
    "40038": "this machine's address is not in the key's list of addresses",
    "40085": "this is a unified account, which the classic API refuses",
    "40099": "the key is of the other environment: set the account's `demo` to what the key is",
}
CODES_NO_ORDER = frozenset(["40109", "45057", "43001", "40768", "22001", "43026", "25204", "24056"])
CODES_NO_STOP = CODES_NO_ORDER | frozenset(["43025", "43020", "45031", "45055"])
CODES_UNCHANGED = frozenset(["40814", "45054"])
CODE_EXPIRED = "40008"
CODE_UNIFIED = "40085"


def now_ms() -> int:
    """The wall clock, ms."""
    return time.time_ns() // 1_000_000


# {"code":"00000","msg":"success","requestTime":1695806875837,
#  "data":{"clientOid":"121211212122","orderId":"121211212122"}}
# {"code":"40762","msg":"The order amount exceeds the balance","requestTime":1691,"data":null}
def reply(order: str, endpoint: str, status: int, body: bytes) -> Reply:
    """What became of `order`, by the answer to the request that placed or cancelled it."""
    at = answered_ms(body)
    try:
        answer = read_answer(endpoint, status, body)
    except errors.RateLimited as error:
        return Refused(id=order, code=errors.CODE_RATE_LIMITED, reason=str(error), at=at)
    except errors.VenueRefused as error:
        if is_certain(error.code, error.message, status):
            return Refused(id=order, code=error.code, reason=error.message, at=at)
        known = " (the venue has an order of this id)" if error.code in CODES_DUPLICATE else ""
        return Unknown(id=order, reason=f"{error}{known}", at=at)
    except errors.VenueError as error:
        return Unknown(id=order, reason=str(error), at=at)
    data = answer.data if isinstance(answer.data, dict) else {}
    echo = data.get("clientOid")
    if echo and str(echo) != order:
        return Unknown(id=order, reason=f"{endpoint}: answered for {str(echo)[:40]}", at=at)
    # An oversized reduce-only order comes back without an orderId (bitget-api §4.3).
    return Accepted(id=order, venue_id=str(data.get("orderId") or ""), at=at)


def is_certain(code: str, message: str, status: int) -> bool:
    """Whether an error code says that no order came of the request."""
    if code in CODES_AMBIGUOUS or code in CODES_DUPLICATE:
        return False
    if code == CODE_MAINTENANCE_OR_PRECISION:  # two meanings under one code
        return "scale" in message.lower()
    return code in CODES_REFUSED or 400 <= status < 500


def answered_ms(body: bytes) -> int:
    """The venue's time of an answer, our own where it states none, ms."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return now_ms()
    at = answer.get("requestTime") if isinstance(answer, dict) else None
    return at if isinstance(at, int) and at > 0 else now_ms()


def broker_error(error: errors.VenueError) -> BrokerError:
    """The port's error for one of the venue's: AccountError where people have to look."""
    if isinstance(error, errors.VenueRefused) and error.code in CODES_ACCOUNT:
        return AccountError(f"{CODES_ACCOUNT[error.code]} (code {error.code}: {error.message})")
    return BrokerError(str(error))
