"""Balances and refusals, which the executor publishes beside its orders."""

from typing import Any

from chandler.core.trading.events import BalanceChanged, Refusal
from chandler.core.trading.money import ZERO, plus
from services.ledger.fold.placed import Placed, place
from services.ledger.fold.rows import Rows
from services.ledger.fold.trips import take_balance_change
from services.ledger.tables import balance_changes, balances, refusals

_KIND = {"start": "start", "transfer": "transfers"}


def take_balance(rows: Rows, record: Placed, event: BalanceChanged) -> None:
    """A change of an agent's balance. The balance is the sum of its changes: order is no matter."""
    money = dict.fromkeys(("start", "transfers", "earned", "balance"), ZERO)
    row: dict[str, Any] = rows.get(balances, event.agent) or {
        "agent": event.agent,
        "account": event.account,
        **money,
        "changes": 0,
        "changed_ms": 0,
    }
    column = _KIND.get(event.kind, "earned")
    rows.put(
        balances,
        row
        | {
            column: plus(row[column], event.change),
            "balance": plus(row["balance"], event.change),
            "changes": row["changes"] + 1,
            "changed_ms": max(row["changed_ms"], event.at),
        },
    )
    if column == "earned":
        take_balance_change(rows, event.agent, event.at, event.change)
    names = ("account", "agent", "symbol", "kind", "change", "balance", "cause", "at")
    rows.add(balance_changes, {**place(record), **{name: getattr(event, name) for name in names}})


def take_refusal(rows: Rows, record: Placed, event: Refusal) -> None:
    """An order that was not made."""
    names = ("account", "agent", "symbol", "side", "cause", "source", "reason", "detail", "seq")
    row = {name: getattr(event, name) for name in (*names, "at")}
    rows.add(refusals, {**place(record), **row})
