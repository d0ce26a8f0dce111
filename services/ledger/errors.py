"""What can go wrong with the ledger.

LedgerError              can't be used: one line for people
├── LedgerAwayError      not now: locked, its disk full, its server gone; try again
└── LedgerSchemaError    it is of other code: one of the two has to be updated
"""

import sqlite3
from typing import cast

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError

# Of PostgreSQL's error classes: read only, connections, resources, an operator, the system.
_AWAY = ("25006", "08", "53", "57", "58", "40", "55P03")
# SQLite's own names for what passes by itself, or once there is room.
_AWAY_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")


class LedgerError(Exception):
    """The ledger can't be used: one line for people."""


class LedgerAwayError(LedgerError):
    """The ledger can't be used now; nothing of what was tried is in it."""


class LedgerSchemaError(LedgerError):
    """The ledger's schema is another than this code's."""


def explained(error: Exception, url: URL) -> LedgerError:
    """What a database error means for people, and whether waiting helps."""
    if isinstance(error, LedgerError):
        return error
    where = url.render_as_string(hide_password=True)
    original = getattr(error, "orig", None) or error
    text = " ".join(str(original).split()) or type(original).__name__
    if is_away(error):
        return LedgerAwayError(
            f"the ledger {where} can't be used now ({text[:200]}): {_cure(text)}"
        )
    return LedgerError(f"the ledger {where} can't be used: {text[:300]}")


def is_away(error: Exception) -> bool:
    """Whether waiting helps."""
    if not isinstance(error, DBAPIError):
        return False
    original = error.orig
    if isinstance(original, sqlite3.Error):
        name = getattr(original, "sqlite_errorname", "") or ""
        return isinstance(error, OperationalError) and name.startswith(_AWAY_SQLITE)
    state = cast(str | None, getattr(original, "sqlstate", None))
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return state.startswith(_AWAY)


def is_refused(error: Exception) -> bool:
    """Whether the database refuses a row for what is in it."""
    return isinstance(error, IntegrityError | DataError)


def _cure(text: str) -> str:
    if "full" in text or "No space" in text:
        return "make room on its disk, it goes on by itself"
    if "locked" in text or "busy" in text:
        return "another program holds it, it goes on when that ends"
    return "start it or repair the way to it, it goes on by itself"
