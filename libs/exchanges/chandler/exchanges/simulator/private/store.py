"""Where the accounts are kept: SQLite in the data directory, on disk before anything is answered.

A record is written whole and replaces its predecessor; receipts are only ever added.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.private.records import Receipt

STORE_FILE = Path("simulator", "accounts.sqlite")
VERSION = 1
SCHEMA = """
CREATE TABLE records (
    kind TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (kind, account, id)
) WITHOUT ROWID;
CREATE INDEX recent ON records (kind, account, at);
CREATE TABLE receipts (
    account TEXT NOT NULL, client_oid TEXT NOT NULL, wall_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX by_client_oid ON receipts (account, client_oid);
"""

R = TypeVar("R", bound=msgspec.Struct)


class Store:
    """Records by kind, account and id."""

    def __init__(self, file: Path | None) -> None:
        """Opens or makes the file; None: in memory only. SimulatorError if it can't be used."""
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
            version = self._prepared()
        except (sqlite3.Error, OSError) as error:
            raise SimulatorError(
                f"{file} should hold the simulator's accounts and can't be used ({error}): "
                "delete it to begin with new ones"
            ) from None
        if version != VERSION:
            self._db.close()
            raise SimulatorError(
                f"{file} is of version {version}, expected {VERSION}: delete it to begin "
                "with new accounts"
            )
        self._waiting: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        self._receipts: list[Receipt] = []

    def _prepared(self) -> int:
        """The file's version, after what a new one needs."""
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version:
                return int(version)
            self._db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={VERSION};COMMIT;")
            return VERSION
        except sqlite3.Error:
            self._db.close()
            raise

    def put(self, kind: str, account: str, key: str | int, at: int, record: msgspec.Struct) -> None:
        """Notes a record for the next commit."""
        self._waiting[kind, account, str(key)] = (at, msgspec.json.encode(record))

    def receive(self, receipt: Receipt) -> None:
        """Notes a receipt for the next commit."""
        self._receipts.append(receipt)

    def commit(self) -> None:
        """Writes what was noted, all or nothing, and waits for the disk."""
        if not self._waiting and not self._receipts:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write()
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise
        self._waiting.clear()
        self._receipts.clear()

    def _write(self) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO records (kind, account, id, at, body) VALUES (?, ?, ?, ?, ?)",
            [(*key, at, body) for key, (at, body) in self._waiting.items()],
        )
        self._db.executemany(
            "INSERT INTO receipts (account, client_oid, wall_ms, body) VALUES (?, ?, ?, ?)",
            [(r.account, r.client_oid, r.wall_ms, msgspec.json.encode(r)) for r in self._receipts],
        )

    def accounts(self) -> list[str]:
        """Names of the accounts that there are."""
        rows = self._db.execute(
            "SELECT account FROM records WHERE kind='settings' ORDER BY account"
        )
        return [name for (name,) in rows]

    def newest(self, kind: str, account: str, of: type[R], count: int) -> list[R]:
        """The newest records of a kind, ascending by time and id."""
        rows = self._db.execute(
            "SELECT body FROM records WHERE kind=? AND account=? "
            "ORDER BY at DESC, CAST(id AS INTEGER) DESC LIMIT ?",
            (kind, account, count),
        )
        return [msgspec.json.decode(body, type=of) for (body,) in rows][::-1]

    def every(self, kind: str, account: str, of: type[R]) -> Iterator[R]:
        """All records of a kind, ascending by time and id."""
        rows = self._db.execute(
            "SELECT body FROM records WHERE kind=? AND account=? ORDER BY at, CAST(id AS INTEGER)",
            (kind, account),
        )
        return (msgspec.json.decode(body, type=of) for (body,) in rows)

    def one(self, kind: str, account: str, key: str | int, of: type[R]) -> R | None:
        """A record, if there is one."""
        row = self._db.execute(
            "SELECT body FROM records WHERE kind=? AND account=? AND id=?",
            (kind, account, str(key)),
        ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=of)

    def receipts(self, account: str | None = None) -> Iterator[Receipt]:
        """All receipts in the order of arrival, of one account or of all."""
        where: tuple[str, tuple[Any, ...]] = ("", ())
        if account is not None:
            where = (" WHERE account=?", (account,))
        rows = self._db.execute(f"SELECT body FROM receipts{where[0]} ORDER BY rowid", where[1])  # noqa: S608
        return (msgspec.json.decode(body, type=Receipt) for (body,) in rows)

    def close(self) -> None:
        self._db.close()
