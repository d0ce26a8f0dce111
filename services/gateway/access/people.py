"""People of [users]: logging in, and the one-time links with which passwords are set."""

import secrets
import time
from typing import NamedTuple

from chandler.core.notices.routing import Users
from services.gateway.access.links import make_link
from services.gateway.access.passwords import LEAST, BusyError, Passwords
from services.gateway.access.secrets import sealed
from services.gateway.access.slowing import Failures
from services.gateway.access.store import Password, Store
from services.gateway.access.tokens import SESSION_MS_MAX, Session, Tokens
from services.gateway.problems import Problem


class Given(NamedTuple):
    """A token, as it is handed out."""

    token: str
    expires_ms: int
    user: str


class People:
    """Who may log in, and how that went."""

    def __init__(self, store: Store, tokens: Tokens, users: Users) -> None:
        self._store = store
        self._tokens = tokens
        self._users = users
        self._passwords = Passwords()
        self._failures = Failures()
        self.clock = time.monotonic

    async def login(self, name: str, password: str, address: str, now_ms: int) -> Given:
        """A new session. Problem 401: name or password are wrong; 429: too often."""
        slowed = (f"name {name}", f"address {address}")
        if wait_s := self._failures.wait_s(slowed, self.clock()):
            raise Problem(
                429,
                "slowed",
                f"too many failed logins: try again in {max(1, round(wait_s))} s",
                {"Retry-After": str(max(1, round(wait_s)))},
            )
        # Counted before it is looked at: who asks a hundred times at once has failed as often.
        self._failures.failed(slowed, self.clock())
        known = self._store.password(name) if name in self._users else None
        try:
            fits = await self._passwords.fits(known.hash if known else None, password)
        except BusyError:
            raise _busy() from None
        if not fits:
            raise Problem(401, "login_failed", "name or password is wrong: try again")
        self._failures.succeeded(slowed)
        return self._begin(name, now_ms)

    def refresh(self, session: Session, now_ms: int) -> Given:
        """The same session for longer. Problem 401: it has lasted its time."""
        if now_ms >= session.began_ms + SESSION_MS_MAX:
            raise Problem(401, "session_over", "the session is over: log in again")
        token, expires_ms = self._tokens.make(session.user, session.id, session.began_ms, now_ms)
        return Given(token, expires_ms, session.user)

    def end(self, session: Session, now_ms: int) -> None:
        """No token of the session opens anything any more."""
        self._store.end(session.id, session.began_ms + SESSION_MS_MAX, now_ms)

    def link(self, name: str, now_ms: int) -> tuple[str, int]:
        """A one-time token for somebody of [users], and until when it can be used."""
        return make_link(self._store, name, now_ms)

    def link_of(self, token: str, now_ms: int) -> tuple[str, int]:
        """Whose a link is, and until when. Problem 404."""
        found = self._store.link(sealed(token), now_ms)
        if found is None or found[0] not in self._users:
            raise Problem(
                404, "unknown_link", "the link is used or too old: ask an owner for another one"
            )
        return found

    async def set_password(self, token: str, name: str, password: str, now_ms: int) -> Given:
        """Uses the link up; sessions from before end. Problem 404, 422."""
        user, _ = self.link_of(token, now_ms)
        if name != user:
            raise Problem(422, "other_name", f"the link is for {user}: give that name")
        if password.casefold() in (name.casefold(), name.casefold() * 2) or len(set(password)) < 4:
            raise Problem(
                422, "weak_password", f"expected {LEAST} or more characters that nobody guesses"
            )
        try:
            hash_ = await self._passwords.hashed(password)
        except BusyError:
            raise _busy() from None
        if not self._store.use_link(sealed(token)):
            raise Problem(404, "unknown_link", "the link was used meanwhile: ask for another one")
        self._store.set_password(user, Password(hash_, now_ms))
        return self._begin(user, now_ms)

    def _begin(self, user: str, now_ms: int) -> Given:
        token, expires_ms = self._tokens.make(user, secrets.token_hex(8), now_ms, now_ms)
        return Given(token, expires_ms, user)


def _busy() -> Problem:
    return Problem(503, "busy", "too many log in at once: try again", {"Retry-After": "2"})
