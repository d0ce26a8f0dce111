"""What a backtest of a paper session gives otherwise than the session did (DESIGN.md, P4).

A fill differs where any field does, where it was not computed, or was not recorded. What an input
explains that came late, or was not waited for, is counted by that cause.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.events import Event
from chandler.core.trading.events import BalanceChanged, FundingPaid, OrderFilled
from chandler.core.trading.money import ZERO, minus, plus

LATE_RATE = "late FundingRate"
SHOWN_MAX = 5  # differences that are spelled out

Key = tuple[str, str]  # order and trade


class Late(NamedTuple):
    """An input that the desk decided later than its place, or went on without."""

    agents: frozenset[str]  # who acted on it, or refused it for more than not following it
    at: int
    cause: str  # "late Signal", "window matrix"


class Shard(NamedTuple):
    """What a paper shard recorded: the session it took part in, by its clock."""

    agents: frozenset[str]
    begin_ms: int  # where its agents began: they act on nothing that is older
    out_ms: int  # the last one


class Difference(NamedTuple):
    """What `--diff paper` prints. All is well: fills, and none that differs unexplained."""

    fills: int  # recorded or computed, each once
    differing: int
    explained: dict[str, int]  # cause → fills, or payments of funding
    pnl_difference: Decimal  # Σ over agents of |recorded - computed| balance
    balances: dict[str, tuple[Decimal, Decimal]]  # agent → recorded, computed, where they differ
    lines: list[str]  # the first few, for people

    @property
    def well(self) -> bool:
        unexplained = bool(self.pnl_difference) and not self.explained
        return self.fills > 0 and not self.differing and not unexplained

    @property
    def line(self) -> str:
        explained = sum(self.explained.values())
        causes = "".join(f" {name.replace(' ', '_')}={n}" for name, n in self.explained.items())
        difference = self.pnl_difference.normalize() if self.pnl_difference else ZERO
        return (
            f"fills={self.fills} differing={self.differing} explained={explained} "
            f"pnl_difference={difference:f}{causes}"
        )


def compare(
    recorded: Iterable[Event],
    computed: Iterable[Event],
    shards: Mapping[int, Shard],
    late: Sequence[Late],
) -> Difference:
    """Both: events of topic orders, each agent's in its order."""
    recorded, computed = list(recorded), list(computed)
    home = {agent: number for number, shard in shards.items() for agent in shard.agents}
    until = {agent: shards[number].out_ms for agent, number in home.items()}
    late = [*late, *_late_rates(recorded, computed, until, late)]
    ours, our_balances = _sorted(computed, until)
    theirs, their_balances = _sorted(recorded, until)
    explained: Counter[str] = Counter()
    lines: list[str] = []
    differing = 0
    for key in sorted(theirs.keys() | ours.keys(), key=lambda each: _place(each, theirs, ours)):
        one, other = theirs.get(key), ours.get(key)
        if one == other:
            continue
        known = one or other
        assert known is not None
        cause = _cause(late, known.agent, known.at)
        if cause:
            explained[cause] += 1
        else:
            differing += 1
        if len(lines) < SHOWN_MAX:
            lines.append(f"{_named(known)}: {_said(one, other)}{cause and f' ({cause})'}")
    for each in late:
        if each.cause == LATE_RATE:
            explained[LATE_RATE] += 1
    balances = {
        agent: (their_balances.get(agent, ZERO), our_balances.get(agent, ZERO))
        for agent in their_balances.keys() | our_balances.keys()
    }
    return Difference(
        fills=len(theirs.keys() | ours.keys()),
        differing=differing,
        explained=dict(explained),
        pnl_difference=plus(ZERO, *(abs(minus(*pair)) for pair in balances.values())),
        balances={agent: pair for agent, pair in sorted(balances.items()) if pair[0] != pair[1]},
        lines=lines,
    )


def _late_rates(
    recorded: Iterable[Event],
    computed: Iterable[Event],
    until: Mapping[str, int],
    known: Sequence[Late],
) -> list[Late]:
    """Funding that was paid at another rate or ticker, or by one of the two alone.

    Nobody waits for rates: the session may have come to know one long after it was seen. Where
    something else explains what the agent does, its positions are others, and so are payments.
    """
    theirs, ours = _rates(recorded, until), _rates(computed, until)
    late = []
    for key in theirs.keys() | ours.keys():
        one, other = theirs.get(key), ours.get(key)
        if one is None or other is None or (one.rate, one.at) != (other.rate, other.at):
            paid = one or other
            assert paid is not None
            if _cause(known, paid.agent, paid.at):
                continue
            late.append(Late(frozenset({paid.agent}), paid.at, LATE_RATE))
    return late


def _rates(events: Iterable[Event], until: Mapping[str, int]) -> dict[tuple[str, int], FundingPaid]:
    return {
        (each.position, each.settled_ms): each
        for each in events
        if isinstance(each, FundingPaid) and each.at <= until.get(each.agent, -1)
    }


def _sorted(
    events: Iterable[Event], until: Mapping[str, int]
) -> tuple[dict[Key, OrderFilled], dict[str, Decimal]]:
    """Fills by their key, and each agent's balance, as far as its shard's orders are out.

    A balance is the sum of its changes: which of two at one time is told last says nothing.
    """
    fills: dict[Key, OrderFilled] = {}
    balances: dict[str, Decimal] = {}
    for event in events:
        if not isinstance(event, OrderFilled | BalanceChanged):
            continue
        if event.at > until.get(event.agent, -1):
            continue
        if isinstance(event, OrderFilled):
            fills[event.id, event.trade] = event
        else:
            balances[event.agent] = plus(balances.get(event.agent, ZERO), event.change)
    return fills, balances


def _place(
    key: Key, theirs: Mapping[Key, OrderFilled], ours: Mapping[Key, OrderFilled]
) -> tuple[int, str, str]:
    fill = theirs.get(key) or ours[key]
    return (fill.at, fill.agent, fill.symbol)


def _cause(late: Sequence[Late], agent: str, at: int) -> str:
    """The newest late input of the agent up to a time; "" if there was none.

    A balance that differs once sizes all that follows, so there is no end to what it explains.
    """
    found = [each for each in late if agent in each.agents and each.at <= at]
    return max(found, key=lambda each: each.at).cause if found else ""


def _named(fill: OrderFilled) -> str:
    return f"{fill.agent} {fill.symbol} {fill.leg} at {fill.at}"


def _said(recorded: OrderFilled | None, computed: OrderFilled | None) -> str:
    if computed is None:
        return "recorded, and not computed"
    if recorded is None:
        return "computed, and not recorded"
    one, other = msgspec.to_builtins(recorded), msgspec.to_builtins(computed)
    field = next(name for name in one if one[name] != other[name])
    return f"{field} is {one[field]!r}, computed {other[field]!r}"
