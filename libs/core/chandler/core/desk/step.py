"""`take`: one input of one shard, and what comes of it. Pure; the rest of the desk is its parts."""

from collections.abc import Mapping
from typing import assert_never

from chandler.core.desk.books import involved, meet
from chandler.core.desk.closing import on_exit
from chandler.core.desk.commands import on_command
from chandler.core.desk.config import Desk
from chandler.core.desk.entries import on_signal
from chandler.core.desk.live.fills import on_fill, on_funding, take_early
from chandler.core.desk.live.inputs import (
    AccountLost,
    AccountOpened,
    Input,
    NotFound,
    Reconciled,
    Sent,
    StopGone,
    StopPlaced,
    StopRefused,
)
from chandler.core.desk.live.reconcile import on_reconciled
from chandler.core.desk.live.replies import (
    on_accepted,
    on_account,
    on_not_found,
    on_order,
    on_refused,
    on_sent,
    on_unknown,
)
from chandler.core.desk.live.stops import on_stop_gone, on_stop_placed, on_stop_refused
from chandler.core.desk.state import AgentState
from chandler.core.desk.turn import Taken, Turn
from chandler.core.events import FundingRate, Signal, Ticker
from chandler.core.trading.broker import (
    Accepted,
    Refused,
    Unknown,
    VenueFill,
    VenueFunding,
    VenueOrder,
)
from chandler.core.trading.events import Command, ExitRequested, Seen, WindowClosed

NOTHING = Taken({}, ())


def take(
    desk: Desk,
    states: Mapping[str, AgentState],
    event: Input,
    seen: Seen,
    *,
    at: int,
    seq: int,
    late: bool = False,
) -> Taken:
    """What a shard makes of an input: changed states by agent, and events in order.

    `seen`: of the event's symbol, as the shard knows it at `at`; its ticker is the newest one, and
    the event itself where that is a ticker. `at`: the input's place in the order of things, event
    time, never less than before (an exit's is its `due_ms`). `seq`: of the journal's record.
    `late` inputs are decided like any other, at the place that they are given.
    Without outputs nothing has changed: such an input needs no record.
    """
    turn = Turn(desk, states, seen, at=at, seq=seq)
    match event:
        case Ticker():
            if seen.ticker is not event and seen.ticker != event:
                turn.seen = Seen(
                    ticker=event, guard=seen.guard, instrument=seen.instrument, funding=seen.funding
                )
            _on_ticker(turn, event)
        case Signal():
            on_signal(turn, event)
        case ExitRequested():
            on_exit(turn, event)
        case Command():
            on_command(turn, event)
        case WindowClosed():
            _on_window(turn, event)
        case FundingRate():
            pass  # in force from the next ticker on, which sees it
        case _:
            _on_venue(turn, event)
            take_early(turn)
    return turn.taken()


def _on_ticker(turn: Turn, ticker: Ticker) -> None:
    for name in turn.desk.agents:
        state = turn.state(name)
        if state.paper is not None and involved(state, ticker.symbol):
            meet(turn, name, ticker)


def _on_window(turn: Turn, closed: WindowClosed) -> None:
    where = closed.symbol or f"partition {closed.partition}"
    text = (
        f"{closed.input} ({where}) was waited for {closed.waited_ms} ms: the desk went on without "
        "it, what still comes is late"
    )
    cause = (str(turn.desk.shard), closed.input, str(closed.partition), str(closed.at))
    turn.notice("warning", "", text, "window", closed.symbol, *cause)


def _on_venue(
    turn: Turn,
    event: (
        AccountOpened
        | AccountLost
        | Sent
        | Accepted
        | Refused
        | Unknown
        | VenueFill
        | VenueOrder
        | VenueFunding
        | NotFound
        | StopPlaced
        | StopRefused
        | StopGone
        | Reconciled
    ),
) -> None:
    match event:
        case AccountOpened() | AccountLost():
            on_account(turn, event)
        case Sent():
            on_sent(turn, event)
        case Accepted():
            on_accepted(turn, event)
        case Refused():
            on_refused(turn, event)
        case Unknown():
            on_unknown(turn, event)
        case VenueFill():
            on_fill(turn, event)
        case VenueOrder():
            on_order(turn, event)
        case VenueFunding():
            on_funding(turn, event)
        case NotFound():
            on_not_found(turn, event)
        case StopPlaced():
            on_stop_placed(turn, event)
        case StopRefused():
            on_stop_refused(turn, event)
        case StopGone():
            on_stop_gone(turn, event)
        case Reconciled():
            on_reconciled(turn, event)
        case _:
            assert_never(event)
