"""The one-time links with which people of [users] set their passwords."""

from chandler.core.notices.routing import Users
from services.gateway.access.secrets import new_secret, sealed
from services.gateway.access.store import Store

LINK_MS = 24 * 60 * 60_000


def make_link(store: Store, name: str, now_ms: int) -> tuple[str, int]:
    """A one-time token, and until when it can be used; an older one opens nothing any more."""
    token, expires_ms = new_secret(), now_ms + LINK_MS
    store.put_link(sealed(token), name, expires_ms)
    return token, expires_ms


def owners_without(users: Users, with_password: frozenset[str]) -> list[str]:
    """The owners, where none of them has a password yet; empty: one can log in."""
    owners = [name for name, user in users.items() if user.role == "owner"]
    return [] if with_password & set(owners) else owners
