"""The reckoning after a chaos run: intents on our side against orders as the venue counted them.

Knows nothing of Kafka or HTTP: it takes order events, and what the venue tells of itself.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from chandler.core.events import Event
from chandler.core.trading.events import (
    BalanceChanged,
    OrderExpired,
    OrderFilled,
    OrderRequested,
)
from chandler.core.trading.money import ZERO, minus, plus, total

SHOWN_MAX = 10  # faults that are spelled out


class VenueTruth(NamedTuple):
    """What the venue itself knows, over all accounts that we trade on."""

    received: Mapping[str, int]  # clientOid → how often a request to place it was taken in
    taken: frozenset[str]  # clientOids of orders that came to be
    trades: Mapping[str, Decimal]  # trade id → size, of all fills
    wallets: Mapping[str, tuple[Decimal, Decimal]]  # account → what it began with, and has


class Reckoning(NamedTuple):
    """All is well: intents = orders + expired, and nothing else but zeros."""

    intents: int
    orders: int  # that the venue counted
    expired: int
    lost: int  # intents without any end, and fills that we don't have
    duplicated: int  # orders or fills that are there twice, and orders that nobody intended
    unresolved: int
    difference: Decimal  # between the wallets and our books
    faults: list[str]

    @property
    def well(self) -> bool:
        """Whether every promise holds."""
        broken = self.lost or self.duplicated or self.unresolved or self.difference
        return bool(self.intents) and not broken and self.intents == self.orders + self.expired


class _Ours:
    """What the topics say of the accounts."""

    def __init__(self, orders: Iterable[Event], accounts: Sequence[str]) -> None:
        self.requested: Counter[str] = Counter()
        self.expired: Counter[str] = Counter()
        self.fills: dict[str, Decimal] = {}
        self.filled: Counter[str] = Counter()
        self.changed: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        for event in orders:
            if getattr(event, "account", None) in accounts:
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, OrderRequested):
            self.requested[event.id] += 1
        elif isinstance(event, OrderExpired):
            self.expired[event.id] += 1
        elif isinstance(event, OrderFilled):
            self.filled[event.trade] += 1
            self.fills[event.trade] = event.size
        elif isinstance(event, BalanceChanged) and event.kind != "start":
            self.changed[event.account] = plus(self.changed[event.account], event.change)

    def lost(self, truth: VenueTruth) -> list[str]:
        """Intents without any end, and fills that are not as the venue has them."""
        nowhere = set(self.requested) - set(truth.received) - set(self.expired)
        unseen = set(truth.trades) - set(self.fills)
        others = {
            trade: size
            for trade, size in truth.trades.items()
            if self.fills.get(trade, size) != size
        }
        return [
            *(f"intent {one} has no end: not at the venue, not expired" for one in sorted(nowhere)),
            *(f"fill {trade} of the venue is not in our topics" for trade in sorted(unseen)),
            *(
                f"fill {trade} is {self.fills[trade]}, the venue has {size}"
                for trade, size in sorted(others.items())
            ),
        ]

    def duplicated(self, truth: VenueTruth) -> list[str]:
        """Whatever is there twice, or was never intended."""
        made_up = set(truth.received) - set(self.requested)
        not_there = set(self.fills) - set(truth.trades)
        return [
            *_twice(truth.received, "the venue was asked {count} times for {one}"),
            *(f"order {one} of the venue was never intended" for one in sorted(made_up)),
            *_twice(self.requested, "intent {one} is there {count} times"),
            *_twice(self.filled, "fill {one} is there {count} times"),
            *(f"fill {trade} is none of the venue's" for trade in sorted(not_there)),
            *(
                f"{one} expired and is an order of the venue"
                for one in sorted(truth.taken & set(self.expired))
            ),
        ]


def _twice(counts: Mapping[str, int], line: str) -> list[str]:
    return [line.format(one=one, count=n) for one, n in sorted(counts.items()) if n > 1]


def reckon(
    orders: Iterable[Event], truth: VenueTruth, accounts: Sequence[str], unresolved: int
) -> Reckoning:
    """Compares. `accounts`: those on the venue; paper ones are left out."""
    ours = _Ours(orders, accounts)
    lost, duplicated = ours.lost(truth), ours.duplicated(truth)
    differences = []
    for account in accounts:
        began, has = truth.wallets[account]
        off = minus(minus(has, began), ours.changed[account])
        if off:
            differences.append((abs(off), f"{account}: the venue's wallet is {off} off our books"))
    return Reckoning(
        intents=len(ours.requested),
        orders=len(set(truth.received) - set(ours.expired)),
        expired=len(ours.expired),
        lost=len(lost),
        duplicated=len(duplicated),
        unresolved=unresolved,
        difference=total(amount for amount, _ in differences),
        faults=[*lost, *duplicated, *(line for _, line in differences)][:SHOWN_MAX],
    )
