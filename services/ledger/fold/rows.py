"""Rows at hand: read once, changed in memory, written together before the commit.

Lives from transaction to transaction while nobody else writes the ledger; `forget` after a
rollback, and when another may have written.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from services.ledger.tables import METADATA, fills, trades

Row = dict[str, Any]
Key = tuple[Any, ...]

KEPT_MAX = 20_000  # rows in memory between two transactions
KEYS_MAX = 500  # in one question


class Rows:
    """All tables by their primary keys."""

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection
        self._held: dict[Table, dict[Key, Row | None]] = {}
        self._changed: dict[Table, dict[Key, None]] = {}
        self._added: dict[Table, list[Row]] = {}
        self._fills: dict[str, dict[str, Row]] = {}  # by order, by trade
        self._open: dict[tuple[str, str], str] = {}  # (agent, symbol) → open trade; "": none
        self._kept = 0

    def use(self, connection: Connection) -> None:
        """The transaction that follows."""
        self._connection = connection

    def forget(self) -> None:
        """Drops everything, what wasn't written too."""
        self._held.clear()
        self._changed.clear()
        self._added.clear()
        self._fills.clear()
        self._open.clear()
        self._kept = 0

    def get(self, table: Table, *key: Any) -> Row | None:
        """The row, or None if there is none; not to be changed in place."""
        held = self._held.setdefault(table, {})
        if key not in held:
            self._load(table, [key])
        return held[key]

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        """Reads many rows with few questions."""
        held = self._held.setdefault(table, {})
        missing = list(dict.fromkeys(key for key in keys if key not in held))
        for start in range(0, len(missing), KEYS_MAX):
            self._load(table, missing[start : start + KEYS_MAX])

    def put(self, table: Table, row: Row) -> None:
        """The row from now on, whole: a new one, or in place of the one with its key."""
        key = tuple(row[column.name] for column in table.primary_key)
        held = self._held.setdefault(table, {})
        self._kept += key not in held
        held[key] = row
        self._changed.setdefault(table, {})[key] = None
        if table is trades:
            where = (row["agent"], row["symbol"])
            if row["closed_ms"] is None:
                self._open[where] = row["id"]
            elif self._open.get(where) == row["id"]:
                self._open[where] = ""

    def add(self, table: Table, row: Row) -> None:
        """A row whose key is its event's place: it can't be there yet."""
        self._added.setdefault(table, []).append(row)

    def fills_of(self, order_id: str) -> dict[str, Row]:
        """An order's fills by their trade, in the order in which they came."""
        if order_id not in self._fills:
            found = self._db.execute(
                select(fills)
                .where(fills.c.order_id == order_id)
                .order_by(fills.c.kafka_partition, fills.c.kafka_offset)
            )
            self._fills[order_id] = {row["trade"]: dict(row) for row in found.mappings()}
        return self._fills[order_id]

    def open_trade(self, agent: str, symbol: str) -> Row | None:
        """The round trip that is open there: one at most."""
        if (agent, symbol) not in self._open:
            mine = (trades.c.agent == agent) & (trades.c.symbol == symbol)
            found = self._db.execute(
                select(trades.c.id).where(mine, trades.c.closed_ms.is_(None))
            ).scalar()
            self._open[agent, symbol] = found or ""
        trade = self._open[agent, symbol]
        return self.get(trades, trade) if trade else None

    def no_fills(self, order_id: str) -> None:
        """Says that the order has none, which needs no question."""
        self._fills.setdefault(order_id, {})

    def add_fill(self, row: Row) -> None:
        """A fill, or a liquidation."""
        if row["order_id"] is not None:
            self.fills_of(row["order_id"])[row["trade"]] = row
        self.add(fills, row)

    def flush(self) -> int:
        """Writes what changed; how many rows."""
        written = 0
        for table in METADATA.sorted_tables:
            changed = self._changed.pop(table, {})
            if changed:
                held = self._held[table]
                rows = [row for key in changed if (row := held[key]) is not None]
                self._db.execute(self._upsert(table), rows)
            added = self._added.pop(table, [])
            if added:
                self._db.execute(insert(table), added)
            written += len(changed) + len(added)
        return written

    def settle(self) -> None:
        """After a commit: bounds what is kept."""
        if self._kept + len(self._fills) > KEPT_MAX:
            self.forget()

    @property
    def _db(self) -> Connection:
        assert self._connection is not None, "rows are used within a transaction"
        return self._connection

    def _load(self, table: Table, keys: list[Key]) -> None:
        held = self._held.setdefault(table, {})
        columns = list(table.primary_key)
        wanted = (
            columns[0].in_([key[0] for key in keys])
            if len(columns) == 1
            else tuple_(*columns).in_(keys)
        )
        for key in keys:
            held[key] = None
        self._kept += len(keys)
        for row in self._db.execute(select(table).where(wanted)).mappings():
            held[tuple(row[column.name] for column in columns)] = dict(row)

    def _upsert(self, table: Table) -> Any:
        kind: Any = postgresql if self._db.dialect.name == "postgresql" else sqlite
        statement = kind.insert(table)
        keys = [column.name for column in table.primary_key]
        others = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
        return statement.on_conflict_do_update(index_elements=keys, set_=others)
