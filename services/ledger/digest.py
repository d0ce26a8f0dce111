"""A digest of the ledger's rows: the same rows give it, in any order, on any database."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from chandler.core.hashing import canonical, digest
from chandler.core.trading.money import shown
from services.ledger.tables import DERIVED

_BITS = 256


class TableDigest(NamedTuple):
    """How many rows a table has, and the sum of their hashes."""

    rows: int
    digest: str


def digests(connection: Connection, tables: Sequence[Table] = DERIVED) -> dict[str, TableDigest]:
    """Each table's digest, by its name."""
    return {table.name: _of(connection, table) for table in tables}


def whole(found: dict[str, TableDigest]) -> str:
    """One digest over all tables."""
    return digest(*(f"{name}:{each.rows}:{each.digest}" for name, each in sorted(found.items())))


def differing(one: dict[str, TableDigest], other: dict[str, TableDigest]) -> list[str]:
    """The tables whose rows aren't the same."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _of(connection: Connection, table: Table) -> TableDigest:
    total = count = 0
    found = connection.execute(select(table), execution_options={"yield_per": 5_000})
    for row in found:
        text = canonical([_plain(value) for value in row])
        total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=32).digest(), "big")
        count += 1
    return TableDigest(count, f"{total % 2**_BITS:064x}")


def _plain(value: Any) -> Any:
    return {"money": shown(value)} if isinstance(value, Decimal) else value
