"""Who calls: by a session's token, an API key, or a signature that is made with a key."""

import re
import time
from collections.abc import Callable
from typing import Any

from chandler.core.notices.routing import Users
from services.gateway.access.people import People
from services.gateway.access.secrets import MAX, sealed, signature
from services.gateway.access.secrets import same as same_text
from services.gateway.access.slowing import Buckets
from services.gateway.access.store import Key, Store
from services.gateway.access.tokens import Session, Tokens
from services.gateway.caller import Caller
from services.gateway.problems import Problem

SKEW_MS_MAX = 30_000
SIGNATURES_MAX = 200_000  # that were taken within the skew; more are refused
TOKEN_MAX = 4_096
BODY = "chandler.body"  # of a request's scope: all of its body
_HEX = re.compile(r"[0-9a-f]{64}")


class Gate:
    """Tells who calls, and how often that may be."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        users: Users,
        now_ms: Callable[[], int],
        per_second: float,
    ) -> None:
        self.store = store
        self.people = People(store, tokens, users)
        self._tokens = tokens
        self._users = users
        self.now_ms = now_ms
        self._began_ms = now_ms()
        self._buckets = Buckets(per_second)
        self._taken = store.signatures()  # and until when they are remembered

    async def caller(self, request: Any) -> Caller | None:
        """The Caller of a request; None: nobody brings anything. Problem 401, 429."""
        headers = request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        found: Caller | None = None
        if "x-signature" in headers:
            found = self._signed(request)
        elif "x-api-key" in headers:
            found = self.by_key(headers["x-api-key"])
        elif token and scheme.casefold() == "bearer":
            found = self.by_token(token.strip())
        if found is not None:
            self.limit(found)
        return found

    def by_token(self, token: str) -> Caller:
        """Of a session. Problem 401."""
        session = self.session(token)
        return Caller(session.user, self._users[session.user], session=session.id)

    def session(self, token: str) -> Session:
        """Of a token that is good. Problem 401."""
        session = self._tokens.read(token) if len(token) <= TOKEN_MAX else None
        if session is None or session.user not in self._users:
            raise _nobody("bad_token", "the token is none of ours: log in again")
        password = self.store.password(session.user)
        gone = password is None or session.began_ms < password.changed_ms
        if gone or self.store.ended(session.id):
            raise _nobody("session_over", "the session is over: log in again")
        if self.now_ms() >= session.expires_ms:
            raise _nobody("expired_token", "the token is too old: log in, and refresh in time")
        return session

    def by_key(self, text: str) -> Caller:
        """Of an API key, as `id.secret`. Problem 401."""
        id_, _, secret = text[:MAX].partition(".")
        key = self._key(id_)
        if key is None or not same_text(sealed(secret), key.hash):
            raise _nobody("bad_key", "the key is none of ours: expected X-API-Key: ID.SECRET")
        return self._of(key)

    def limit(self, caller: Caller) -> None:
        """Problem 429 where somebody asks too often."""
        wait_s = self._buckets.take(caller.key or caller.session, time.monotonic())
        if wait_s:
            raise too_many("this key" if caller.key else "this session", wait_s)

    def _signed(self, request: Any) -> Caller:
        headers, now_ms = request.headers, self.now_ms()
        stamp, given = headers.get("x-timestamp", ""), headers["x-signature"][:MAX].casefold()
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 16):
            raise _nobody("bad_signature", "expected X-Timestamp: Unix time in ms")
        if abs(now_ms - int(stamp)) > SKEW_MS_MAX:
            raise _nobody("old_signature", f"X-Timestamp is not within 30 s of ours, {now_ms}")
        if int(stamp) < self._began_ms:  # what was taken before the start is not known
            raise _nobody("old_signature", "the gateway has begun since: sign it again")
        id_ = headers.get("x-api-key", "")
        key = self._key(id_)
        target = request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"].decode("latin-1"):
            target = f"{target}?{query}"
        made = signature(
            key.hash if key is not None else "",
            request.method,
            target,
            stamp,
            request.scope.get(BODY, b""),
        )
        if key is None or not _HEX.fullmatch(given) or not same_text(made, given):
            raise _nobody(
                "bad_signature",
                "expected X-API-Key: ID, and X-Signature: hex HMAC-SHA256 over "
                "METHOD, PATH?QUERY, TIMESTAMP and SHA256(body), a line each",
            )
        self._once(given, now_ms)
        if int(stamp) >= now_ms:  # or else what has begun since refuses it
            self.store.put_signature(given, self._taken[given], now_ms)
        return self._of(key)

    def _once(self, given: str, now_ms: int) -> None:
        while self._taken and next(iter(self._taken.values())) <= now_ms:
            del self._taken[next(iter(self._taken))]
        if given in self._taken:
            raise _nobody("used_signature", "this signature was taken: sign each request anew")
        if len(self._taken) >= SIGNATURES_MAX:
            raise too_many("signed requests", 1.0)
        self._taken[given] = now_ms + 2 * SKEW_MS_MAX

    def _key(self, id_: str) -> Key | None:
        key = self.store.key(id_[:MAX])
        if key is None or key.user not in self._users:
            return None
        return key if not key.expires_ms or self.now_ms() < key.expires_ms else None

    def _of(self, key: Key) -> Caller:
        return Caller(
            key.user,
            self._users[key.user],
            key=key.id,
            scopes=frozenset(key.scopes),
            only=frozenset(key.agents),
        )


def too_many(who: str, wait_s: float) -> Problem:
    """429: how long to wait."""
    seconds = max(1, round(wait_s))
    return Problem(
        429,
        "rate",
        f"{who}: too many requests, go on in {seconds} s",
        {"Retry-After": str(seconds)},
    )


def _nobody(kind: str, detail: str) -> Problem:
    return Problem(401, kind, detail, {"WWW-Authenticate": "Bearer"})
