"""Hands each event to what makes rows of it; says which ones the ledger has no place for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from chandler.core.events import Event, InfraEvent, Signal
from chandler.core.trading import events as tr
from services.ledger.errors import is_refused
from services.ledger.fold import books, lives, others, trips
from services.ledger.fold.placed import Placed, Refused, impossible
from services.ledger.fold.rows import Key, Rows
from services.ledger.tables import commands, exits, notices, orders, positions, signals, trades

IMPOSSIBLE = "impossible for the ledger"
# They say how far a writer has come, and nothing that happened.
HEARTBEATS: tuple[type[Event], ...] = (tr.OrdersOut, tr.ExitsOut)

_Take = Callable[[Rows, Placed, Any], Refused | None]


def _without_place(take: Callable[[Rows, Any], None]) -> _Take:
    return lambda rows, _, event: take(rows, event)


_ORDER_EVENTS: tuple[type[Event], ...] = (
    tr.OrderRequested,
    tr.OrderSent,
    tr.OrderAccepted,
    tr.OrderFilled,
    tr.OrderCancelled,
    tr.OrderRefused,
    tr.OrderUnknown,
    tr.OrderExpired,
)
_POSITION_EVENTS: tuple[type[Event], ...] = (
    tr.PositionOpened,
    tr.PositionUpdated,
    tr.PositionClosed,
)
TAKES: dict[type[Event], _Take] = {
    **dict.fromkeys(_ORDER_EVENTS, lives.take_order_event),
    **dict.fromkeys(_POSITION_EVENTS, others.take_position),
    tr.FundingPaid: trips.take_funding,
    tr.Liquidated: trips.take_liquidation,
    tr.BalanceChanged: books.take_balance,
    tr.Refusal: books.take_refusal,
    Signal: others.take_signal,
    tr.ExitRequested: others.take_exit,
    tr.PumpState: others.take_pump,
    tr.Command: _without_place(others.take_command),
    tr.Answer: _without_place(others.take_answer),
    tr.NoticeAsked: others.take_notice,
    InfraEvent: others.take_infra,
}


class Fold:
    """Makes rows of events, in the caller's transaction. Use one for one ledger."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.written = 0  # rows

    def take(self, connection: Connection, records: Sequence[Placed]) -> list[Refused]:
        """All records, in their order; those that no row can be made of, one by one.

        Nothing of a refused record is in the ledger. Other database errors are the caller's.
        """
        self.rows.use(connection)
        attempt = connection.begin_nested()
        try:
            refused = self._all(records)
        except (ArithmeticError, ValueError, AssertionError, StatementError) as error:
            self.rows.forget()
            if isinstance(error, DBAPIError) and not is_refused(error):
                raise  # the whole transaction has gone, perhaps: there is nothing to go back to
            attempt.rollback()
            if len(records) == 1:
                return [Refused(records[0], IMPOSSIBLE, _said(records[0], error))]
            return [one for record in records for one in self.take(connection, [record])]
        attempt.commit()
        return refused

    def _all(self, records: Sequence[Placed]) -> list[Refused]:
        refused: list[Refused] = []
        able = []
        for record in records:
            fault = impossible(record.event)
            if fault:
                said = f"{record.topic}: {type(record.event).__name__}: {fault}"
                refused.append(Refused(record, IMPOSSIBLE, said))
            elif type(record.event) not in HEARTBEATS:
                able.append(record)
        self._load(able)
        for record in able:
            verdict = TAKES[type(record.event)](self.rows, record, record.event)
            if verdict is not None:
                refused.append(verdict)
        self.written += self.rows.flush()
        return refused

    def _load(self, records: Iterable[Placed]) -> None:
        """The rows that these events will ask for, at once."""
        wanted: dict[Any, list[Key]] = {}
        for record in records:
            event: Any = record.event
            if type(event) in _ORDER_EVENTS:
                wanted.setdefault(orders, []).append((event.id,))
            if isinstance(event, tr.OrderFilled | tr.FundingPaid | tr.Liquidated):
                wanted.setdefault(trades, []).append((event.position,))
            elif type(event) in _POSITION_EVENTS:
                wanted.setdefault(positions, []).append((event.position.id,))
            elif isinstance(event, Signal):
                wanted.setdefault(signals, []).append((record.topic, event.id))
            elif isinstance(event, tr.ExitRequested):
                wanted.setdefault(exits, []).append((event.id,))
            elif isinstance(event, tr.NoticeAsked):
                wanted.setdefault(notices, []).append((event.id,))
            elif isinstance(event, tr.Command | tr.Answer):
                key = event.id if isinstance(event, tr.Command) else event.command
                wanted.setdefault(commands, []).append((key,))
        for table, keys in wanted.items():
            self.rows.load(table, keys)


def _said(record: Placed, error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    kind = type(record.event).__name__
    text = " ".join(str(original).split()) or type(original).__name__
    return f"{record.topic}: {kind}: {text[:300]}"


def raw_of(record: Placed) -> bytes:
    """The event's bytes, for a dead letter."""
    return record.raw or msgspec.json.encode(record.event)
