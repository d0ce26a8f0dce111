"""The executor's metrics, and the fold of core's desk as the loop wants it."""

import logging
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from chandler.core.desk.config import Desk, may_be_followed
from chandler.core.desk.journal import record
from chandler.core.desk.live.inputs import Input
from chandler.core.desk.state import AgentState, pending
from chandler.core.desk.step import take
from chandler.core.desk.turn import Taken
from chandler.core.events import DeadLetter, Event, Signal
from chandler.core.stage import Output
from chandler.core.trading.events import (
    DeskTaken,
    OrderFilled,
    OrderRequested,
    OrderUnknown,
    Refusal,
    Seen,
    WindowClosed,
)
from chandler.streams.exact import Decided, StageObserver
from services.declaration import Metric, Metrics

PREFIX = "chandler_executor"
METRICS = (
    Metric(
        name=f"{PREFIX}_records_total", kind="counter", doc="inputs taken, with an effect or not"
    ),
    Metric(name=f"{PREFIX}_outputs_total", kind="counter", doc="events published"),
    Metric(
        name=f"{PREFIX}_transaction_seconds",
        kind="histogram",
        doc="from the first input of a transaction to its commit",
    ),
    Metric(
        name=f"{PREFIX}_dead_letters_total",
        kind="counter",
        doc="what could not be read or done",
        labels=("cause",),
        known=("undecodable",),
    ),
    Metric(name=f"{PREFIX}_restarts_total", kind="counter", doc="starts anew after an error"),
    Metric(name=f"{PREFIX}_decisions_total", kind="counter", doc="records of the journal"),
    Metric(
        name=f"{PREFIX}_refusals_total",
        kind="counter",
        doc="orders that were not made, by reason",
        labels=("reason",),
    ),
    Metric(
        name=f"{PREFIX}_intents_total",
        kind="counter",
        doc="orders that were requested",
        labels=("account",),
    ),
    Metric(name=f"{PREFIX}_fills_total", kind="counter", doc="fills booked"),
    Metric(
        name=f"{PREFIX}_open_orders",
        kind="gauge",
        doc="intents whose end is not known yet",
        labels=("shard",),
    ),
    Metric(
        name=f"{PREFIX}_unknown_total",
        kind="counter",
        doc="intents of which the venue didn't say what became of them",
        labels=("account",),
    ),
    Metric(
        name=f"{PREFIX}_unknown_orders",
        kind="gauge",
        doc="intents that the venue is being asked about",
        labels=("shard",),
    ),
    Metric(
        name=f"{PREFIX}_books_differ",
        kind="gauge",
        doc="1 while the venue's books differ from the agent's, else 0",
        labels=("agent",),
    ),
    Metric(
        name=f"{PREFIX}_clock_lag_ms",
        kind="gauge",
        doc="event time from a shard's clock to the newest ticker that it has read",
        labels=("shard",),
    ),
    Metric(
        name=f"{PREFIX}_windows_closed_total",
        kind="counter",
        doc="inputs that were waited for in vain",
        labels=("input",),
        known=("matrix", "pumps", "exits", "tickers"),
    ),
    Metric(
        name=f"{PREFIX}_late_total",
        kind="counter",
        doc="inputs that came after their place had passed",
        labels=("input",),
        known=("signals", "pumps", "exits", "tickers"),
    ),
)


class DeskFold:
    """Core's desk as the fold of one shard."""

    state_type = AgentState

    def __init__(self, desk: Desk, code: str) -> None:
        self._desk = desk
        self._code = code

    def heeds(self, event: Event) -> bool:
        """Whether an agent could act on it: a signal that nobody follows is refused later."""
        return not isinstance(event, Signal) or may_be_followed(self._desk, event)

    def take(
        self,
        states: Mapping[str, AgentState],
        event: msgspec.Struct,
        seen: Seen,
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> Taken:
        return take(self._desk, states, cast(Input, event), seen, at=at, seq=seq, late=late)

    def record(
        self,
        states: Mapping[str, AgentState],
        event: msgspec.Struct,
        seen: Seen,
        decided: Decided[AgentState],
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> DeskTaken:
        taken = cast(Taken, decided)
        given = cast(Input, event)
        return record(self._desk, taken, given, seen, at=at, seq=seq, code=self._code, late=late)


class Figures:
    """Counts what one shard reports, and says what people should know."""

    def __init__(self, shard: int, metrics: Metrics, log: logging.Logger) -> None:
        self._shard = str(shard)
        self._metrics = metrics
        self._log = log
        self._stage = StageObserver("executor", metrics, log)

    def committed(
        self,
        takes: int,
        outputs: Sequence[Output],
        states: Mapping[str, AgentState],
        seconds: float,
    ) -> None:
        self._stage.committed(takes, len(outputs), seconds)
        for state in states.values():
            differ = float(state.blocked is not None)
            self._metrics.set(f"{PREFIX}_books_differ", differ, agent=state.agent)
        if not outputs:
            return
        for account in {state.account for state in states.values()}:
            for name in ("intents", "unknown"):  # there, at 0, before the first one
                self._metrics.add(f"{PREFIX}_{name}_total", 0, account=account)
        for output in outputs:
            event = output.event
            if isinstance(event, Refusal):
                self._metrics.add(f"{PREFIX}_refusals_total", reason=event.reason)
            elif isinstance(event, OrderRequested):
                self._metrics.add(f"{PREFIX}_intents_total", account=event.account)
            elif isinstance(event, OrderFilled):
                self._metrics.add(f"{PREFIX}_fills_total")
            elif isinstance(event, OrderUnknown):
                self._metrics.add(f"{PREFIX}_unknown_total", account=event.account)
        left = [intent for state in states.values() for intent in pending(state)]
        unknown = sum(intent.phase == "unknown" for intent in left)
        self._metrics.set(f"{PREFIX}_open_orders", len(left), shard=self._shard)
        self._metrics.set(f"{PREFIX}_unknown_orders", unknown, shard=self._shard)

    def decided(self, records: int) -> None:
        self._metrics.add(f"{PREFIX}_decisions_total", records)

    def closed(self, window: WindowClosed) -> None:
        self._metrics.add(f"{PREFIX}_windows_closed_total", input=window.input)
        self._log.warning(
            "shard %s waited %d ms for %s (%s) and goes on without it: see what keeps it",
            self._shard,
            window.waited_ms,
            window.input,
            window.symbol or f"partition {window.partition}",
        )

    def late(self, topic: str) -> None:
        self._metrics.add(f"{PREFIX}_late_total", input=topic)

    def stands(self, clock: int, newest: int) -> None:
        lag = max(0, newest - clock) if clock >= 0 else 0
        self._metrics.set(f"{PREFIX}_clock_lag_ms", lag, shard=self._shard)

    def dead_letter(self, letter: DeadLetter) -> None:
        self._stage.dead_letter(letter)

    def restarted(self, cause: str) -> None:
        self._stage.restarted(cause)
