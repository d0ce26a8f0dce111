"""Writes events and the offsets that they came from in one transaction: each is there once.

Synchronous: the caller gives it a thread. Knows nothing of Kafka.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, select, update
from sqlalchemy.exc import DBAPIError

from services.ledger.address import shown
from services.ledger.errors import LedgerError, explained
from services.ledger.fold.fold import Fold
from services.ledger.fold.placed import Placed, Refused
from services.ledger.fold.rows import Rows
from services.ledger.opening import open_writer
from services.ledger.tables import ledger_offsets, ledger_origin

Places = dict[tuple[str, int], int]  # (topic, partition) → offset of the next record to take


class Taken(NamedTuple):
    """What became of a batch."""

    untold: list[Refused]  # no place in the ledger for these; if there are any, nothing was done
    rows: int  # written


class LedgerWriter:
    """The one that writes a ledger; a second one is refused, whichever comes later."""

    def __init__(self, url: URL, origin: str) -> None:
        """Opens the ledger. `origin`: cluster and prefix that the offsets belong to."""
        self.url = url
        self._engine: Engine = open_writer(url)
        self._origin = origin
        self._fold = Fold()
        self._rebuilt = -1
        self._places: Places = {}

    def places(self) -> Places:
        """Where reading goes on, by topic and partition; LedgerError: it is of another Kafka."""
        try:
            with self._engine.begin() as connection:
                self._rebuilt = self._own(connection)
                self._places = stored(connection)
        except DBAPIError as error:
            raise explained(error, self.url) from None
        self._fold.rows.forget()
        return dict(self._places)

    def take(
        self,
        records: Sequence[Placed],
        following: Mapping[tuple[str, int], int],
        told: Container[tuple[str, int, int]] = (),
    ) -> Taken:
        """Rows and places in one transaction. LedgerAwayError: nothing happened, try it again.

        Records that the ledger has no place for are given back, and nothing else happens, until
        they are in `told` (topic, partition, offset): so their dead letters are out before.
        """
        before = self._fold.written
        try:
            with self._engine.begin() as connection:
                self._fence(connection)
                untold = [
                    each
                    for each in self._fold.take(connection, records)
                    if _place(each.record) not in told
                ]
                if untold:
                    connection.rollback()
                    self._fold.rows.forget()
                    self._fold.written = before
                    return Taken(untold, 0)
                _store(connection, self._places, following)
        except DBAPIError as error:
            self._fold.rows.forget()
            self._fold.written = before
            raise explained(error, self.url) from None
        except BaseException:
            self._fold.rows.forget()
            raise
        self._places |= following
        self._fold.rows.settle()
        return Taken([], self._fold.written - before)

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()

    def _own(self, connection: Connection) -> int:
        """Locks the ledger for this transaction; checks whose it is. How often it was rebuilt."""
        row = connection.execute(select(ledger_origin).with_for_update()).mappings().one()
        if not row["origin"]:
            connection.execute(update(ledger_origin).values(origin=self._origin))
        elif row["origin"] != self._origin:
            raise LedgerError(
                f"the ledger {shown(self.url)} was filled from Kafka {row['origin']}, this is "
                f"{self._origin}: name another with CHANDLER_LEDGER, or move it away"
            )
        return int(row["rebuilt"])

    def _fence(self, connection: Connection) -> None:
        rebuilt = self._own(connection)
        if rebuilt != self._rebuilt:
            self._fold.rows.forget()
            self._rebuilt = rebuilt
        if stored(connection) != self._places:
            raise LedgerError(
                f"another recorder writes the ledger {shown(self.url)}: end one of them, or name "
                "another with CHANDLER_LEDGER"
            )


def stored(connection: Connection) -> Places:
    """The places that the ledger holds."""
    columns = (ledger_offsets.c.topic, ledger_offsets.c.kafka_partition)
    found = connection.execute(select(*columns, ledger_offsets.c.next_offset))
    return {(topic, partition): following for topic, partition, following in found}


def _store(
    connection: Connection, before: Places, following: Mapping[tuple[str, int], int]
) -> None:
    rows = Rows(connection)
    for (topic, partition), offset in following.items():
        if before.get((topic, partition)) != offset:
            row = {"topic": topic, "kafka_partition": partition, "next_offset": offset}
            rows.put(ledger_offsets, row)
    rows.flush()


def _place(record: Placed) -> tuple[str, int, int]:
    return (record.topic, record.partition, record.offset)
