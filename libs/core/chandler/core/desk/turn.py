"""One take under way: the states that changed so far, and what the desk says.

Lives for one call of `take` and is seen by nothing else.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.desk.config import Desk, ResolvedAgent
from chandler.core.desk.state import AgentState, Day
from chandler.core.events import Event, Symbol
from chandler.core.granularity import DAY_MS
from chandler.core.hashing import digest
from chandler.core.stage import Output
from chandler.core.trading.events import (
    Answer,
    BalanceChanged,
    NoticeAsked,
    Refusal,
    Seen,
)
from chandler.core.trading.limits import limited
from chandler.core.trading.paper import open_account

BY = "executor"
UNCHECKED = "the account was not opened yet"


class Taken(NamedTuple):
    """What came of an input: the changed states and the events, in order."""

    states: dict[str, AgentState]
    outputs: tuple[Output, ...]


class Turn:
    """What changes while an input is taken."""

    def __init__(
        self, desk: Desk, states: Mapping[str, AgentState], seen: Seen, *, at: int, seq: int
    ) -> None:
        self.desk = desk
        self.seen = seen
        self.at = at
        self.seq = seq
        self.outputs: list[Output] = []
        self.changed: dict[str, AgentState] = {}
        self.kept = False  # what changed is to be kept though nothing is said
        self._states = states
        for name, agent in desk.agents.items():
            if name not in states:
                self._start(agent)

    def taken(self) -> Taken:
        """The result; nothing said or kept means that nothing changed."""
        if not (self.outputs or self.kept):
            return Taken({}, ())
        return Taken(self.changed, tuple(self.outputs))

    def state(self, agent: str) -> AgentState:
        """The agent's state as it stands in this take."""
        return self.changed.get(agent) or self._states[agent]

    def agent(self, name: str) -> ResolvedAgent:
        """The agent with the limits that were set on it."""
        agent, limits = self.desk.agents[name], self.state(name).limits
        return replace(agent, config=limited(agent.config, limits)) if limits else agent

    def states(self) -> list[AgentState]:
        """Of all agents of the shard, by name."""
        return [self.state(name) for name in self.desk.agents]

    def put(self, state: AgentState) -> None:
        """The agent's next state."""
        self.changed[state.agent] = state

    def say(self, event: Event, key: str = "") -> None:
        """An event for its topic: orders by default."""
        if isinstance(event, Answer):
            self.outputs.append(Output("answers", event.command, event))
        elif isinstance(event, NoticeAsked):
            self.outputs.append(Output("notices", event.agent, event))
        else:
            symbol = str(getattr(event, "symbol", ""))
            self.outputs.append(Output("orders", symbol or key, event))

    def notice(self, level: str, agent: str, text: str, *cause: str) -> None:
        """Tells people; `cause` makes the notice's id."""
        assert level in ("info", "warning", "alarm")
        self.say(
            NoticeAsked(
                id=digest("notice", agent, *cause),
                level=level,  # type: ignore[arg-type]
                agent=agent,
                text=text,
                at=self.at,
            )
        )

    def refuse(
        self,
        state: AgentState,
        symbol: Symbol,
        side: str,
        cause: str,
        source: str,
        reason: str,
        detail: str,
    ) -> None:
        """An order that is not made."""
        self.say(
            Refusal(
                agent=state.agent,
                account=state.account,
                symbol=symbol,
                side=side,  # type: ignore[arg-type]
                cause=cause,
                source=source,
                reason=reason,
                detail=detail,
                seq=self.seq,
                at=self.at,
            ),
            state.agent,
        )

    def _start(self, agent: ResolvedAgent) -> None:
        paper = agent.kind == "paper"
        start = agent.config.balance
        state = AgentState(
            agent=agent.name,
            account=agent.account,
            start=start,
            begun_ms=self.at,
            day=Day(start_ms=self.at - self.at % DAY_MS, balance=start),
            paper=open_account(start) if paper else None,
            fault="" if paper else UNCHECKED,
        )
        self.put(state)
        self.say(
            BalanceChanged(
                account=agent.account,
                agent=agent.name,
                kind="start",
                change=start,
                balance=start,
                cause="",
                at=self.at,
            ),
            agent.name,
        )
