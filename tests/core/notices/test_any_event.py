"""Whatever comes: the fold goes on, its state can be kept, its messages can be sent."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.events import DeadLetter, InfraEvent, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.notices.gathering import Pace
from chandler.core.notices.inputs import Passed
from chandler.core.notices.outbox import State
from chandler.core.notices.text import TEXT_MAX, units
from chandler.core.trading import events as tr
from tests.core.notices.scene import NOW, Chats
from tests.core.notices.test_text import seen

TEXTS = st.one_of(st.sampled_from(["p1", "o1", "anna", "long"]), st.text(max_size=50))
NUMBERS = st.one_of(
    st.sampled_from([Decimal(1), Decimal("0.5"), Decimal(42_000), Decimal("1E+999999")]),
    st.decimals(),
)
TIMES = st.one_of(
    st.integers(1_704_448_800_000, 1_704_648_800_000), st.integers(-(2**63), 2**64 - 1)
)
KINDS: dict[Any, Any] = {
    str: TEXTS,
    Symbol: TEXTS,
    Granularity: TEXTS,
    Decimal: NUMBERS,
    int: TIMES,
    float: st.floats(),
    list[str]: st.lists(TEXTS, max_size=2),
}
EVENTS = [
    tr.OrderFilled,
    tr.OrderFilled,
    tr.OrderCancelled,
    tr.Liquidated,
    tr.PositionClosed,
    tr.FundingPaid,
    tr.Refusal,
    tr.PumpState,
    tr.NoticeAsked,
    tr.Command,
    tr.Answer,
    tr.OrdersOut,
    Signal,
    InfraEvent,
    DeadLetter,
]


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Any event of a type: fields of the types above by these, the others as they say."""
    fields = {}
    for field in msgspec.structs.fields(kind):
        if field.name in ("v", "inputs"):
            continue
        known = KINDS.get(field.type)
        if known is not None:
            fields[field.name] = known
        elif field.type is tr.PositionMarked:
            fields[field.name] = made(field.type)
        elif field.required:
            fields[field.name] = st.from_type(field.type)
        elif field.type == Decimal | None:
            fields[field.name] = st.one_of(st.none(), NUMBERS)
        elif field.type == float | None:
            fields[field.name] = st.one_of(st.none(), st.floats())
    if kind is Signal:
        fields["inputs"] = st.just([])
    return st.builds(kind, **fields)


@given(
    st.lists(st.one_of([made(kind) for kind in EVENTS]), max_size=12),
    st.sampled_from([Pace(), Pace(flood=2)]),
)
@settings(max_examples=150)
def test_any_events_make_messages_that_can_be_sent_and_a_state_that_can_be_kept(events, pace):
    chats = Chats(pace=pace, alerts_only=True)
    chats.come(*events)
    chats.now += 10_000_000
    chats.take(Passed(now=NOW + 10_000_000))

    for send in chats.sent:
        assert seen(send.html).strip()
        assert units(seen(send.html)) <= TEXT_MAX
    kept = msgspec.json.encode(chats.state)
    assert msgspec.json.encode(msgspec.json.decode(kept, type=State)) == kept
