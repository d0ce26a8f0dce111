"""What a venue says of an order: taken, refused, unknown, found, not found (DESIGN.md §5.6)."""

from msgspec.structs import replace

from chandler.core.desk.closing import Why, close
from chandler.core.desk.live.inputs import AccountLost, AccountOpened, NotFound, Sent
from chandler.core.desk.requests import unclosed
from chandler.core.desk.state import AgentState, Intent, closable
from chandler.core.desk.turn import Turn
from chandler.core.trading.broker import VALID_MS, Accepted, Refused, Unknown, VenueOrder
from chandler.core.trading.events import (
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRefused,
    OrderSent,
    OrderUnknown,
)
from chandler.core.trading.money import shown

# An order that has ended is known for so long, for late fills name it; venue's clock at 1x.
DONE_KEPT_MS = 3_600_000


def on_account(turn: Turn, told: AccountOpened | AccountLost) -> None:
    """Whether the account can be traded with; said where it changes."""
    if isinstance(told, AccountLost):
        fault, text = told.reason, f"account {told.account}: {told.reason}"
    else:
        fault, text = "", f"account {told.account} is open {told.detail}".rstrip()
    for state in turn.states():
        if told.account != turn.desk.account or state.fault == fault:
            continue
        turn.put(replace(state, fault=fault, known_ms=_from(turn, state, fault)))
        level = "alarm" if fault else "info"
        turn.notice(level, state.agent, text, told.account, str(told.at), fault)


def _from(turn: Turn, state: AgentState, fault: str) -> int:
    """What was filled before an account is opened for the first time is none of ours."""
    return turn.at if state.known_ms < 0 and not fault else state.known_ms


def find(turn: Turn, order: str, venue_id: str = "") -> Intent | None:
    """The intent of that clientOid, or of the venue's id."""
    for state in turn.states():
        found = state.intents.get(order)
        if found is not None:
            return found
    if venue_id:
        for state in turn.states():
            for intent in state.intents.values():
                if intent.venue_id == venue_id:
                    return intent
    return None


def keep(turn: Turn, intent: Intent) -> None:
    """The intent as it is now; those that ended long ago are forgotten."""
    state = turn.state(intent.request.agent)
    kept_ms = round(DONE_KEPT_MS * max(1.0, turn.desk.pace))
    intents = {
        key: each
        for key, each in state.intents.items()
        if each.pending or each.done_ms + kept_ms >= turn.at
    }
    turn.put(replace(state, intents={**intents, intent.request.id: intent}))


def finish(turn: Turn, intent: Intent) -> None:
    """The order has ended."""
    keep(turn, replace(intent, phase="done", done_ms=turn.at))


def on_sent(turn: Turn, sent: Sent) -> None:
    intent = find(turn, sent.id)
    if intent is None or intent.sent or not intent.pending:
        return
    keep(turn, replace(intent, sent=True))
    made = intent.request
    turn.say(
        OrderSent(
            id=made.id, account=made.account, agent=made.agent, symbol=made.symbol, at=turn.at
        )
    )


def on_accepted(turn: Turn, reply: Accepted) -> None:
    intent = find(turn, reply.id)
    if intent is None:
        return
    if not intent.pending:
        if not intent.filled and not intent.venue_id:
            finish(turn, replace(intent, venue_id=reply.venue_id))
            _tell(turn, intent, "was given up, and the venue says now that it took it")
        return
    _taken(turn, intent, reply.venue_id)


def _taken(turn: Turn, intent: Intent, venue_id: str) -> Intent:
    """The venue knows the order; said once."""
    if intent.phase == "accepted":
        return intent
    known = replace(intent, phase="accepted", venue_id=venue_id)
    keep(turn, known)
    made = intent.request
    turn.say(
        OrderAccepted(
            id=made.id,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            venue_id=venue_id,
            at=turn.at,
        )
    )
    return known


def on_refused(turn: Turn, reply: Refused) -> None:
    """No such order is there. Where the venue said otherwise before, it is looked up."""
    intent = find(turn, reply.id)
    if intent is None or not intent.pending:
        return
    made = intent.request
    if intent.phase == "accepted" or intent.filled:
        _tell(turn, intent, f"was accepted, and is refused now: {reply.reason}")
        return
    finish(turn, intent)
    turn.put(unclosed(turn.state(made.agent), made))
    turn.say(
        OrderRefused(
            id=made.id,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            code=reply.code,
            reason=reply.reason,
            at=turn.at,
        )
    )
    if made.reduce_only:
        _without_reversal(turn, intent)
        _tell(turn, intent, f"closes, and the venue refuses it: {reply.code} {reply.reason}")


def on_unknown(turn: Turn, reply: Unknown) -> None:
    intent = find(turn, reply.id)
    if intent is None or intent.phase != "intended":
        return
    keep(turn, replace(intent, phase="unknown"))
    made = intent.request
    turn.say(
        OrderUnknown(
            id=made.id,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            reason=reply.reason,
            at=turn.at,
        )
    )


def on_order(turn: Turn, told: VenueOrder) -> None:
    """An order as the venue pushed it, or as it was found by its clientOid."""
    intent = find(turn, told.id, told.venue_id)
    if intent is None or not intent.pending:
        return
    intent = _taken(turn, intent, told.venue_id)
    if told.state == "open":
        return
    known = replace(intent, known=told.filled)
    if intent.filled < told.filled:
        if intent.known != told.filled:
            keep(turn, known)
            _say_known(turn, known)
        return
    ended(turn, known)


def _say_known(turn: Turn, intent: Intent) -> None:
    """What changes a state is said: here that fills are still to come."""
    made, known = intent.request, intent.known
    assert known is not None
    text = f"order {made.id}: the venue filled {shown(known)}, known are {shown(intent.filled)}"
    turn.notice("info", made.agent, text, made.id, "known", str(known))


def ended(turn: Turn, intent: Intent) -> None:
    """All that was filled is known, and no more will be; said where that isn't all of it."""
    finish(turn, intent)
    made = intent.request
    if intent.filled >= made.size:
        return
    if made.reduce_only:
        turn.put(unclosed(turn.state(made.agent), made))
        _without_reversal(turn, intent)
    turn.say(
        OrderCancelled(
            id=made.id,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            filled=intent.filled,
            reason="the venue cancelled what was left",
            at=turn.at,
        )
    )


def on_not_found(turn: Turn, answer: NotFound) -> None:
    """The venue has no such order and can't take it any more: an entry expires, a close is asked
    for anew."""
    intent = find(turn, answer.id)
    if intent is None or not intent.pending:
        return
    made = intent.request
    if answer.asked_ms <= made.sent_ms + VALID_MS:
        return
    if intent.filled:
        ended(turn, intent)
        return
    finish(turn, intent)
    turn.say(
        OrderExpired(
            id=made.id, account=made.account, agent=made.agent, symbol=made.symbol, at=turn.at
        )
    )
    state = turn.state(made.agent)
    holding = state.holdings.get(made.symbol)
    if not made.reduce_only or holding is None or holding.id != made.position:
        return
    size = min(made.size, closable(state, made.symbol))
    if size > 0:
        why = Why(made.leg, made.cause, made.source, made.reason)
        close(turn, made.agent, holding, size, why, ready_ms=turn.at, retry=intent.retry + 1)


def _without_reversal(turn: Turn, intent: Intent) -> None:
    """The position stays open, so nothing follows it."""
    state = turn.state(intent.request.agent)
    if intent.request.symbol in state.reversals:
        left = {k: v for k, v in state.reversals.items() if k != intent.request.symbol}
        turn.put(replace(state, reversals=left))


def _tell(turn: Turn, intent: Intent, text: str) -> None:
    made = intent.request
    said = f"order {made.id} ({made.agent} {made.symbol} {made.leg}) {text}"
    turn.notice("alarm", made.agent, said, made.id, text)
