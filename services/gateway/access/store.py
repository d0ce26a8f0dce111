"""What the gateway keeps of credentials: one SQLite file of the installation, for its owner alone.

Passwords are there as argon2id, all other secrets as their SHA-256: none of it can be read back.
"""

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from services.layers import ConfigurationError

FOLDER, FILE = "gateway", "credentials.sqlite"
SCOPES = ("read", "signals", "commands")  # of keys
BUSY_S_MAX = 2.0  # another process writes: a command beside the service
TABLES = """
create table if not exists passwords (user text primary key, hash text, changed_ms int);
create table if not exists links (hash text primary key, user text, expires_ms int);
create table if not exists keys (id text primary key, user text, name text, hash text,
  scopes text, agents text, made_ms int, expires_ms int);
create table if not exists hooks (id text primary key, name text unique, hash text unique,
  user text, agents text, strength real, made_ms int);
create table if not exists ended (session text primary key, until_ms int);
create table if not exists signatures (signature text primary key, until_ms int);
"""


class Password(NamedTuple):
    """A user's, as argon2id."""

    hash: str
    changed_ms: int


class Key(NamedTuple):
    """An API key."""

    id: str
    user: str
    name: str
    hash: str  # SHA-256 of its secret, hex
    scopes: tuple[str, ...]
    agents: tuple[str, ...]  # empty: those of its user
    made_ms: int
    expires_ms: int  # 0: never


class Hook(NamedTuple):
    """An address that takes alerts."""

    id: str
    name: str
    hash: str  # SHA-256 of its token, hex
    user: str  # who made it
    agents: tuple[str, ...]  # empty: all that its user sees
    strength: float
    made_ms: int


class Store:
    """The file; made where it isn't. Every call is one short transaction."""

    def __init__(self, data: Path) -> None:
        """`data`: the installation's. ConfigurationError where it can't be kept there."""
        folder = data / FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.file = folder / FILE
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
            if self.file.stat().st_mode & 0o077:
                raise ConfigurationError(
                    f"{self.file} can be read by others: run chmod 600 {self.file}"
                )
            self._database = sqlite3.connect(
                self.file, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
            )
            self._database.execute("pragma journal_mode=wal")
            self._database.executescript(TABLES)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"{folder} can't hold the gateway's credentials: {error}"
            ) from None

    def close(self) -> None:
        self._database.close()

    # Passwords, and the links with which they are set.

    def password(self, user: str) -> Password | None:
        row = self._one("select hash, changed_ms from passwords where user = ?", user)
        return None if row is None else Password(*row)

    def set_password(self, user: str, password: Password) -> None:
        self._do("insert or replace into passwords values (?, ?, ?)", user, *password)

    def with_password(self) -> frozenset[str]:
        return frozenset(row[0] for row in self._all("select user from passwords"))

    def put_link(self, hash_: str, user: str, expires_ms: int) -> None:
        """The one link of a user: an older one opens nothing any more."""
        self._do("delete from links where user = ?", user)
        self._do("insert into links values (?, ?, ?)", hash_, user, expires_ms)

    def link(self, hash_: str, now_ms: int) -> tuple[str, int] | None:
        """Whose it is and until when; None: it is used, replaced, or too old."""
        found = self._one(
            "select user, expires_ms from links where hash = ? and expires_ms > ?", hash_, now_ms
        )
        return None if found is None else (found[0], found[1])

    def use_link(self, hash_: str) -> bool:
        """Whether it was still there; it is not any more."""
        return self._do("delete from links where hash = ?", hash_) == 1

    # Keys.

    def keys(self, user: str) -> list[Key]:
        rows = self._all("select * from keys where user = ? order by made_ms, id", user)
        return [_key(row) for row in rows]

    def key(self, id_: str) -> Key | None:
        row = self._one("select * from keys where id = ?", id_)
        return None if row is None else _key(row)

    def put_key(self, key: Key) -> None:
        values = (*key[:4], json.dumps(key.scopes), json.dumps(key.agents), *key[6:])
        self._do("insert into keys values (?, ?, ?, ?, ?, ?, ?, ?)", *values)

    def drop_key(self, id_: str) -> bool:
        return self._do("delete from keys where id = ?", id_) == 1

    # Hooks.

    def hooks(self) -> list[Hook]:
        return [_hook(row) for row in self._all("select * from hooks order by made_ms, id")]

    def hook(self, hash_: str) -> Hook | None:
        row = self._one("select * from hooks where hash = ?", hash_)
        return None if row is None else _hook(row)

    def put_hook(self, hook: Hook) -> None:
        values = (*hook[:4], json.dumps(hook.agents), *hook[5:])
        self._do("insert or replace into hooks values (?, ?, ?, ?, ?, ?, ?)", *values)

    def drop_hook(self, id_: str) -> bool:
        return self._do("delete from hooks where id = ?", id_) == 1

    # Sessions that were ended before their time.

    def end(self, session: str, until_ms: int, now_ms: int) -> None:
        self._do("delete from ended where until_ms <= ?", now_ms)
        self._do("insert or replace into ended values (?, ?)", session, until_ms)

    def ended(self, session: str) -> bool:
        return self._one("select 1 from ended where session = ?", session) is not None

    # Signatures that a gateway which is started again would take once more.

    def put_signature(self, signature: str, until_ms: int, now_ms: int) -> None:
        self._do("delete from signatures where until_ms <= ?", now_ms)
        self._do("insert or replace into signatures values (?, ?)", signature, until_ms)

    def signatures(self) -> dict[str, int]:
        """Until when each is remembered, in that order."""
        return dict(self._all("select signature, until_ms from signatures order by until_ms"))

    def _one(self, words: str, *values: object) -> Any:
        with closing(self._database.execute(words, values)) as cursor:
            return cursor.fetchone()

    def _all(self, words: str, *values: object) -> Iterable[Any]:
        with closing(self._database.execute(words, values)) as cursor:
            return cursor.fetchall()

    def _do(self, words: str, *values: object) -> int:
        with closing(self._database.execute(words, values)) as cursor:
            return cursor.rowcount


def _key(row: Any) -> Key:
    id_, user, name, hash_, scopes, agents, made_ms, expires_ms = row
    scoped, named = tuple(json.loads(scopes)), tuple(json.loads(agents))
    return Key(id_, user, name, hash_, scoped, named, made_ms, expires_ms)


def _hook(row: Any) -> Hook:
    id_, name, hash_, user, agents, strength, made_ms = row
    return Hook(id_, name, hash_, user, tuple(json.loads(agents)), strength, made_ms)
