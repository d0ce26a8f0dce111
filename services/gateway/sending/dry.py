"""What agents would make of a signal: the desk's own fold over what is known of it here.

The states are copies: nothing of it is kept, nothing is said to anybody.
"""

from chandler.core.desk.config import Desk
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.events import Signal, Symbol
from chandler.core.trading.events import OrderRequested, Refusal, Seen
from services.following.views import Views
from services.gateway.shapes.signals import EligibilityOut

UNKNOWN = "not_known"  # the reason where only the executor can tell
DEPTH = "impact"  # the last check: all others hold
LIVE = "what the venue's depth is, and whether the venue takes the order (live agents)"
LATER = "what happens between now and the moment at which the executor takes it"


def eligibility(
    desks: tuple[Desk, ...], views: Views, signal: Signal, agents: list[str]
) -> list[EligibilityOut]:
    """Of these agents, in order."""
    states = views.desk.states()
    seen = Seen(
        ticker=views.desk.ticker(Symbol(signal.symbol)),
        guard=views.scanned.pumps.get(signal.symbol),
        instrument=views.scanned.instruments.get(signal.symbol),
    )
    found: dict[str, EligibilityOut] = {}
    for desk in desks:
        found.update(_of_shard(desk, states, signal, seen))
    nothing = "the desk has not begun with it yet: start the executor"
    return [
        found.get(name, EligibilityOut(agent=name, eligible=False, reason=UNKNOWN, detail=nothing))
        for name in agents
    ]


def unknown(desks: tuple[Desk, ...], agents: list[str]) -> list[str]:
    """What can't be known of these agents' answers."""
    live = any(desk.kind == "live" and name in desk.agents for desk in desks for name in agents)
    return [LIVE, LATER] if live else [LATER]


def _of_shard(
    desk: Desk, states: dict[str, AgentState], signal: Signal, seen: Seen
) -> dict[str, EligibilityOut]:
    known = {name: states[name] for name in desk.agents if name in states}
    if len(known) < len(desk.agents):
        return {}
    at = max(signal.close_ms, seen.ticker.at if seen.ticker is not None else 0)
    found: dict[str, EligibilityOut] = {}
    for output in take(desk, known, signal, seen, at=at, seq=0).outputs:
        event = output.event
        if isinstance(event, OrderRequested) and event.cause == signal.id:
            found[event.agent] = EligibilityOut(agent=event.agent, eligible=True)
        elif isinstance(event, Refusal) and desk.kind == "live" and event.reason == DEPTH:
            found[event.agent] = EligibilityOut(agent=event.agent, eligible=True, detail=LIVE)
        elif isinstance(event, Refusal) and event.agent not in found:
            found[event.agent] = EligibilityOut(
                agent=event.agent, eligible=False, reason=event.reason, detail=event.detail
            )
    return found
