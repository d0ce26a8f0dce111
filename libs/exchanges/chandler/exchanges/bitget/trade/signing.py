"""Signs requests with ccxt, with a time that is given: the only module that knows ccxt.

ccxt's `sign` takes its time from the exchange's `nonce`, so that is what we give. Nothing is sent
through ccxt: what it signed goes out once, byte for byte, by our own client.
"""

import base64
import hashlib
import hmac
from typing import Any, NamedTuple

from chandler.exchanges.bitget.trade.keys import Keys


class Ask(NamedTuple):
    """A private request, not yet signed. Values are strings, or lists for the body."""

    method: str  # GET or POST
    path: str  # below /api/: v2/mix/order/place-order
    params: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return self.path.rpartition("/")[2]


class Signed:
    """A request as it goes over the wire; not shown, because its headers hold the key."""

    __slots__ = ("body", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"Signed({self.method}, hidden)"


class Signer:
    """Loading ccxt takes seconds and 80 MiB: make it once, outside the event loop."""

    def __init__(self, keys: Keys, rest_url: str, *, demo: bool) -> None:
        from ccxt import bitget  # here, so that only a broker that trades pays for it

        exchange = bitget(
            {
                "apiKey": keys.key,
                "secret": keys.secret,
                "password": keys.passphrase,
                "options": {"broker": None, "sandboxMode": demo},
            }
        )
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], rest_url.rstrip("/"))
        self._exchange = exchange
        self._keys = keys

    def sign(self, ask: Ask, at_ms: int) -> Signed:
        """The request with `at_ms` (the venue's wall clock) in its signature; bitget-api §4.1."""
        self._exchange.nonce = lambda: at_ms
        family = "uta" if ask.path.startswith("v3/") else "mix"
        made = self._exchange.sign(ask.path, ["private", family], ask.method, ask.params)
        headers = {name: value for name, value in made["headers"].items() if value}
        headers |= {"locale": "en-US", "User-Agent": "chandler"}
        body = made["body"]
        return Signed(ask.method, made["url"], headers, None if body is None else body.encode())

    # {"op":"login","args":[{"apiKey":"…","passphrase":"…","timestamp":"1718637525","sign":"…"}]}
    def login(self, at_s: int) -> dict[str, str]:
        """The argument of the private socket's login, s; bitget-api §2.1."""
        prehash = f"{at_s}GET/user/verify".encode()
        mac = hmac.new(self._keys.secret.encode(), prehash, hashlib.sha256).digest()
        return {
            "apiKey": self._keys.key,
            "passphrase": self._keys.passphrase,
            "timestamp": str(at_s),
            "sign": base64.b64encode(mac).decode(),
        }

    def __repr__(self) -> str:
        return "Signer(hidden)"
