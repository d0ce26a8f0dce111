"""Folds the topics again into the same rows, or beside them to compare.

A topic whose oldest records have expired can't give its rows again: they are left as they are.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, Table, delete, select, update
from sqlalchemy.exc import DBAPIError

from chandler.streams.reading.placed import begins_whole, read_placed
from chandler.streams.settings import Installation
from services.ledger.digest import TableDigest, differing, digests, whole
from services.ledger.errors import LedgerError, explained
from services.ledger.fold.fold import Fold
from services.ledger.opening import open_memory, open_reader, open_writer
from services.ledger.tables import FILLED_BY, METADATA, ledger_origin
from services.ledger.writer import Places, stored


class Rebuilt(NamedTuple):
    """What a rebuild, or a comparison, found."""

    events: int
    refused: int  # that the ledger has no place for
    before: dict[str, TableDigest]  # of the tables that were folded again
    after: dict[str, TableDigest]
    left: list[str]  # topics whose rows can't be made again

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.after.values())

    @property
    def differing(self) -> list[str]:
        """Tables whose rows are others now."""
        return differing(self.before, self.after)

    @property
    def digest(self) -> str:
        return whole(self.after)


Progress = Callable[[int, int], None]  # records read, records in all


async def rebuild(installation: Installation, url: URL, progress: Progress) -> Rebuilt:
    """Drops the rows and folds the topics up to the same places, in one transaction.

    A recorder that runs waits for the end of it. LedgerError; ReadError: nothing has changed then.
    """
    topics, left = await _whole_topics(installation)
    engine = await asyncio.to_thread(open_writer, url)
    try:
        return await _rebuilt(installation, engine, topics, left, progress)
    except DBAPIError as error:
        raise explained(error, url) from None
    finally:
        engine.dispose()


async def compare(installation: Installation, url: URL, progress: Progress) -> Rebuilt:
    """The same beside the ledger, which is only read; a recorder goes on meanwhile."""
    topics, left = await _whole_topics(installation)
    tables = _tables(topics)
    reader = await asyncio.to_thread(open_reader, url)
    try:
        before, until = await asyncio.to_thread(_snapshot, reader, tables)
    except DBAPIError as error:
        raise explained(error, url) from None
    finally:
        reader.dispose()
    memory = open_memory()
    try:
        with memory.begin() as connection:
            until = {place: end for place, end in until.items() if place[0] in topics}
            events, refused = await _fold(installation, connection, until, progress)
            after = digests(connection, tables)
    finally:
        memory.dispose()
    return Rebuilt(events, refused, before, after, left)


async def _rebuilt(
    installation: Installation,
    engine: Engine,
    topics: set[str],
    left: list[str],
    progress: Progress,
) -> Rebuilt:
    tables = _tables(topics)
    connection = await asyncio.to_thread(engine.connect)
    try:
        until, before = await asyncio.to_thread(_dropped, connection, tables)
        until = {place: end for place, end in until.items() if place[0] in topics}
        events, refused = await _fold(installation, connection, until, progress)
        after = await asyncio.to_thread(digests, connection, tables)
        await asyncio.to_thread(connection.commit)
    except BaseException:
        await asyncio.to_thread(connection.rollback)
        raise
    finally:
        connection.close()
    return Rebuilt(events, refused, before, after, left)


def _dropped(connection: Connection, tables: list[Table]) -> tuple[Places, dict[str, TableDigest]]:
    connection.execute(select(ledger_origin).with_for_update())
    connection.execute(update(ledger_origin).values(rebuilt=ledger_origin.c.rebuilt + 1))
    before = digests(connection, tables)
    for table in reversed(METADATA.sorted_tables):
        if table in tables:
            connection.execute(delete(table))
    return stored(connection), before


def _snapshot(engine: Engine, tables: list[Table]) -> tuple[dict[str, TableDigest], Places]:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            return digests(connection, tables), stored(connection)


async def _fold(
    installation: Installation, connection: Connection, until: Places, progress: Progress
) -> tuple[int, int]:
    fold = Fold()
    events = refused = 0
    reached = dict.fromkeys(until, 0)
    total = sum(until.values())
    async for batch in read_placed(installation, until):
        refused += len(await asyncio.to_thread(fold.take, connection, batch.records))
        fold.rows.settle()
        events += len(batch.records)
        reached |= batch.following
        progress(sum(reached.values()), total)
    return events, refused


async def _whole_topics(installation: Installation) -> tuple[set[str], list[str]]:
    """The topics whose rows can be made again, and those that have lost records by age."""
    every = [topic for group in FILLED_BY for topic in group]
    found = await begins_whole(installation, every)
    absent = [topic for topic in every if topic not in found]
    if absent:
        raise LedgerError(f"topic {absent[0]} is not on this cluster: run ./chandler up first")
    topics = {topic for group in FILLED_BY if all(found[t] for t in group) for topic in group}
    return topics, sorted(set(every) - topics)


def _tables(topics: set[str]) -> list[Table]:
    return [
        table for group, tables in FILLED_BY.items() if set(group) <= topics for table in tables
    ]
