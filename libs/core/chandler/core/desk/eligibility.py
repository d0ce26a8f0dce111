"""May an agent act on a signal? Checks in DESIGN.md §8's order: the first that fails says why not.

Each check looks at one thing and returns a line for people where it fails, or "".
"""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import NamedTuple

from chandler.core.desk.config import Desk, ResolvedAgent
from chandler.core.desk.sizing import Order
from chandler.core.desk.state import AgentState, available, day_of, is_on, opening, slots
from chandler.core.events import Signal
from chandler.core.granularity import DAY_MS, MINUTE_MS, utc
from chandler.core.trading.events import Direction, Quote, Seen, Switch
from chandler.core.trading.matching import impact_percent, last_of
from chandler.core.trading.modes import Leg, beyond, protects
from chandler.core.trading.money import (
    PERCENT,
    AmountError,
    from_float,
    minus,
    plus,
    shown,
    times,
)
from chandler.core.trading.paper import available as paper_available
from chandler.core.trading.position import margin
from chandler.core.trading.terms import Terms

FUTURE_MS_MAX = MINUTE_MS  # a signal may be so far ahead of its place; venue's clock at 1x
EXTERNAL = "external"  # what pause and resume call every source that is no engine
WAY_MS_MAX = 10_000  # of wall time, from a close to the desk
FRESH_MS_MAX = DAY_MS  # no signal is acted on for longer; venue's clock at 1x


class Look(NamedTuple):
    """All that the checks look at."""

    desk: Desk
    agent: ResolvedAgent
    state: AgentState
    others: tuple[AgentState, ...]  # the other agents of a live account
    signal: Signal
    side: Direction  # of the position that is to be opened, added to, or closed
    seen: Seen
    at: int
    terms: Terms | None
    price: Decimal | None  # the touch
    forced: bool = False  # by a person: needs no engine and no strength
    reversing: bool = False  # the open position is closed before
    notional: Decimal | None = None  # of a forced entry, quote coin; None: as the agent sizes it
    legs: tuple[Leg, ...] = ()  # what the trading mode planned
    fault: str = ""  # of that plan
    order: Order | None = None  # what the legs come to
    quote: Quote | None = None


class Rule(NamedTuple):
    """A check, and the reason of the refusal where it fails."""

    reason: str
    check: Callable[[Look], str]
    closes: bool = False  # also asked before a flat or an opposite signal closes a position
    adds: bool = False  # also asked before an add that the watch wants


def fresh_until(signal: Signal, desk: Desk) -> int:
    """The last time at which the signal is acted on, ms.

    Paper money takes signals at their own time, but for late ones. Live ones arrive: what the way
    here may take of wall time is longer on an accelerated clock.
    """
    fresh_ms = min(signal.expires_ms - signal.close_ms, FRESH_MS_MAX)
    way_ms = round((max(1.0, desk.pace) - 1.0) * WAY_MS_MAX) if desk.kind == "live" else 0
    return signal.close_ms + fresh_ms + way_ms


def not_processed(look: Look) -> str:
    return "it was acted on before" if look.signal.id in look.state.processed else ""


def agent_active(look: Look) -> str:
    return "" if look.agent.config.enabled else "the agent is not enabled in the profile"


def switched_on(switch: Switch, *sides: Direction) -> Callable[[Look], str]:
    """The check of one switch, which holds for these sides."""

    def check(look: Look) -> str:
        default, symbol = bool(getattr(look.agent.config, switch)), look.signal.symbol
        if look.side not in sides or is_on(look.state, switch, symbol, default=default):
            return ""
        return f"{switch} is off for {symbol} or the agent: turn it on first"

    return check


def account_works(look: Look) -> str:
    return look.state.fault


def account_agrees(look: Look) -> str:
    return look.state.blocked.reason if look.state.blocked else ""


def side_allowed(look: Look) -> str:
    sides = look.agent.config.sides
    return "" if look.side in sides else f"{look.side}: expected {' or '.join(sides)}"


def engine_followed(look: Look) -> str:
    source, followed = look.signal.source, look.agent.config.engines
    external = source not in look.desk.engines and not look.forced
    if source in look.state.paused or (external and EXTERNAL in look.state.paused):
        return f"{source} is paused for the agent"
    if look.forced or not followed or look.agent.name in look.signal.agents:
        return ""
    return "" if source in followed else f"{source}: it follows {' '.join(followed)}"


def symbol_followed(look: Look) -> str:
    symbols = look.agent.config.symbols
    if not symbols or look.signal.symbol in symbols:
        return ""
    return f"{look.signal.symbol}: it trades {' '.join(symbols)}"


def symbol_known(look: Look) -> str:
    if look.terms is not None:
        return ""
    return f"{look.signal.symbol[:40]}: no instrument of that name is known, or it makes no sense"


def symbol_opens(look: Look) -> str:
    assert look.terms is not None
    assert look.seen.instrument is not None
    if look.terms.opens:
        return ""
    return f"{look.signal.symbol} is {look.seen.instrument.status!r} at the venue: expected normal"


def strength_possible(look: Look) -> str:
    strength = look.signal.strength
    return "" if 0.0 < strength <= 1.0 else f"strength {strength:g}: expected above 0, at most 1"


def strength_enough(look: Look) -> str:
    least = look.agent.config.strength_min
    if look.forced or look.signal.strength >= least:
        return ""
    return f"strength {look.signal.strength:g}: expected at least {least:g}"


def not_from_future(look: Look) -> str:
    ahead_ms = look.signal.close_ms - look.at
    if ahead_ms <= FUTURE_MS_MAX * max(1.0, look.desk.pace):
        return ""
    return f"it is {ahead_ms} ms ahead of {utc(look.at)}: the desk is behind, or a clock is wrong"


def signal_fresh(look: Look) -> str:
    until, begun_ms = fresh_until(look.signal, look.desk), look.state.begun_ms
    if look.forced:
        return ""
    if look.signal.close_ms < begun_ms:  # whether it was there in time is chance: never acted on
        return f"it is of {utc(look.signal.close_ms)}, and the agent began {utc(begun_ms)}"
    if look.at <= until:
        return ""
    return f"it was good until {utc(until)}, and it is {utc(look.at)}"


def guard_asked(look: Look) -> bool:
    """Whether the pump guard has a say: for shorts, for longs where a crash blocks them."""
    guard = look.desk.guard
    return guard.enabled and (look.side == "short" or guard.mirror)


def guard_fresh(look: Look) -> str:
    if not guard_asked(look):
        return ""
    if look.seen.guard is None:
        return f"the pump guard has said nothing of {look.signal.symbol} yet"
    age_ms = look.at - look.seen.guard.at
    if age_ms <= look.desk.guard.age_ms_max:
        return ""
    return f"the pump guard is {age_ms} ms behind: expected at most {look.desk.guard.age_ms_max}"


def no_short_in_a_pump(look: Look) -> str:
    return _blocked(look, "short", "is pumped")


def no_long_in_a_crash(look: Look) -> str:
    return _blocked(look, "long", "crashes")


def _blocked(look: Look, side: Direction, how: str) -> str:
    guard = look.seen.guard
    if look.side != side or not guard_asked(look) or guard is None or not guard.blocks(side):
        return ""
    return f"{look.signal.symbol} {how} since {utc(guard.since_ms)} by {guard.change:.1%}"


def price_fresh(look: Look) -> str:
    ticker = look.seen.ticker
    if ticker is None or look.price is None or last_of(ticker) is None:
        return f"{look.signal.symbol} has no price"
    age_ms = look.at - ticker.at
    if age_ms <= look.desk.price_age_ms_max:
        return ""
    return f"the newest price is {age_ms} ms old: expected at most {look.desk.price_age_ms_max}"


def stop_protects(look: Look) -> str:
    return _level_fault(look, look.signal.stop, protects, "stop")


def targets_beyond(look: Look) -> str:
    for target in look.signal.targets:
        if fault := _level_fault(look, target, beyond, "target"):
            return fault
    return ""


def _level_fault(
    look: Look,
    level: float | None,
    holds: Callable[[Direction, Decimal, Decimal], bool],
    what: str,
) -> str:
    assert look.price is not None
    if level is None:
        return ""
    try:
        if level > 0 and holds(look.side, look.price, from_float(level)):
            return ""
    except AmountError as error:
        return f"{what}: {error}"
    above = (look.side == "long") == (what == "target")
    expected = f"{'above' if above else 'below'} {shown(look.price)}"
    return f"{what} {level:g} for a {look.side}: expected {expected}"


def position_free(look: Look) -> str:
    symbol = look.signal.symbol
    if opening(look.state, symbol):
        return f"an order that opens or adds in {symbol} is on its way"
    holding = look.state.holdings.get(symbol)
    if holding is None or look.reversing:
        return ""
    size = f"{shown(holding.position.size)} {holding.position.side}"
    if holding.position.side != look.side:
        return f"it holds {size}, and on_opposite is {look.agent.config.on_opposite}"
    if holding.closing:
        return f"it holds {size}, which is being closed"
    return "" if look.legs else f"it holds {size}, and its trading mode does not add"


def mode_plans(look: Look) -> str:
    if look.fault:
        return look.fault
    return "" if look.legs else f"trading mode {look.agent.mode.name} makes no order of it"


def symbol_untaken(look: Look) -> str:
    symbol = look.signal.symbol
    for other in look.others:
        if symbol in slots(other):
            return f"{symbol} belongs to {other.agent} on account {look.state.account}"
    if any(each.foreign.get(symbol) for each in (look.state, *look.others)):
        return f"account {look.state.account} holds {symbol} that is no agent's"
    return ""


def positions_left(look: Look) -> str:
    used, most = slots(look.state), look.agent.config.positions_max
    if look.signal.symbol in used or len(used) < most:
        return ""
    return f"{len(used)} positions: expected fewer than {most}"


def entries_left(look: Look) -> str:
    symbol, most = look.signal.symbol, look.agent.config.orders_per_symbol_day_max
    if symbol in look.state.holdings and not look.reversing:
        return ""
    made = day_of(look.state, look.at).entries.get(symbol, 0)
    return "" if made < most else f"{made} entries in {symbol} today: expected fewer than {most}"


def loss_bearable(look: Look) -> str:
    most = look.agent.config.daily_loss_max_percent
    first = day_of(look.state, look.at).balance
    lost = minus(first, look.state.balance)
    if not most or lost < times(first, most, PERCENT):
        return ""
    return f"{shown(lost)} lost today: expected less than {shown(most)} % of {shown(first)}"


def balance_enough(look: Look) -> str:
    assert look.order is not None
    state = look.state
    free = available(state) if state.paper is None else paper_available(state.paper)
    if look.reversing and (holding := state.holdings.get(look.signal.symbol)):
        free = plus(free, margin(holding.position))
    if free > 0 and look.order.margin <= free:
        return ""
    return f"margin and fee are {shown(look.order.margin)}, available are {shown(free)}"


def size_reached(look: Look) -> str:
    assert look.order is not None
    assert look.terms is not None
    least = max(look.terms.size_min, look.terms.size_step)
    for each in look.order.legs:
        if each.size < least:
            return f"size {shown(each.size)} of {each.leg.leg}: expected at least {shown(least)}"
    return ""


def notional_reached(look: Look) -> str:
    assert look.order is not None
    assert look.terms is not None
    for each in look.order.legs:
        notional = times(look.order.price, each.size)
        if notional < look.terms.notional_min:
            least = shown(look.terms.notional_min)
            return f"notional {shown(notional)} of {each.leg.leg}: expected at least {least}"
    return ""


def impact_bearable(look: Look) -> str:
    most = look.agent.config.impact_max_percent
    if not most:
        return ""
    if look.quote is None:
        return f"no quote of what the order would cost: expected an impact of at most {most} %"
    impact = impact_percent(look.quote)
    if impact <= most:
        return ""
    return f"impact {shown(impact)} % of the best price: expected at most {shown(most)} %"


# In DESIGN.md §8's order. What stands between its checks are the faults of a signal itself.
BEFORE_PLAN: tuple[Rule, ...] = (
    Rule("processed", not_processed, closes=True),
    Rule("agent_inactive", agent_active, closes=True, adds=True),
    Rule("trading_off", switched_on("trading", "long", "short"), adds=True),
    Rule("buying_off", switched_on("buying", "long"), adds=True),
    Rule("selling_off", switched_on("selling", "short"), adds=True),
    Rule("no_account", account_works, closes=True, adds=True),
    Rule("unreconciled", account_agrees, adds=True),
    Rule("side_not_allowed", side_allowed),
    Rule("engine_not_followed", engine_followed, closes=True),
    Rule("symbol_not_followed", symbol_followed, closes=True),
    Rule("unknown_symbol", symbol_known, adds=True),
    Rule("symbol_suspended", symbol_opens, adds=True),
    Rule("absurd_strength", strength_possible, closes=True),
    Rule("strength_low", strength_enough, closes=True),
    Rule("from_future", not_from_future, closes=True),
    Rule("stale", signal_fresh, closes=True),
    Rule("guard_stale", guard_fresh, adds=True),
    Rule("pump", no_short_in_a_pump, adds=True),
    Rule("crash", no_long_in_a_crash, adds=True),
    Rule("price_stale", price_fresh, adds=True),
    Rule("stop_wrong_side", stop_protects),
    Rule("target_wrong_side", targets_beyond),
)
AFTER_PLAN: tuple[Rule, ...] = (
    Rule("position_open", position_free),
    Rule("mode_declined", mode_plans),
    Rule("symbol_taken", symbol_untaken),
    Rule("positions_max", positions_left),
    Rule("day_limit", entries_left),
    Rule("daily_loss", loss_bearable, adds=True),
    Rule("balance", balance_enough, adds=True),
    Rule("size_min", size_reached, adds=True),
    Rule("notional_min", notional_reached, adds=True),
    Rule("impact", impact_bearable, adds=True),
)
_RULES = (*BEFORE_PLAN, *AFTER_PLAN)
CLOSING = frozenset(rule.reason for rule in _RULES if rule.closes)
ADDING = frozenset(rule.reason for rule in _RULES if rule.adds)
REASONS = (
    *(rule.reason for rule in _RULES),
    "unknown_agent",  # a signal for an agent that does not exist
    "nothing_to_close",  # a flat signal, an exit or a command, and nothing is open
    "position_gone",  # an exit of a position that has ended
    "closing",  # an exit of a position whose closing is under way
)


def first_fault(
    rules: tuple[Rule, ...], look: Look, only: Collection[str] | None = None
) -> tuple[str, str] | None:
    """The first check that fails, as (reason, detail); None: all hold."""
    for rule in rules:
        if (only is None or rule.reason in only) and (detail := rule.check(look)):
            return rule.reason, detail
    return None
