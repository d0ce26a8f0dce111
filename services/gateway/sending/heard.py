"""What became of signals and commands, as the topics tell it: bounded, the newest are kept."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeVar

from chandler.core.events import Event, Signal, event_at
from chandler.core.trading.events import Answer, Command, OrderRequested, Refusal
from chandler.streams.reader import Record

CAUSES_KEPT = 20_000  # signals whose outcomes are known
AGENTS_MAX = 200  # of one signal
COMMANDS_KEPT = 2_000
ANSWERS_MAX = 64  # of one command: each shard of the desk gives one
SIGNALS_KEPT = 5_000  # from outside

V = TypeVar("V")


class Placed(NamedTuple):
    """A signal, and where it stands: TOPIC:PARTITION:OFFSET."""

    signal: Signal
    place: str


class Outcome(NamedTuple):
    """What an agent made of a signal."""

    agent: str
    outcome: Literal["waiting", "order", "refused"]
    order: str = ""  # id of the first order
    reason: str = ""  # of a refusal
    detail: str = ""


class Heard:
    """Takes records of `orders`, `commands`, `answers` and `signals.external` in."""

    def __init__(self, engines: Iterable[str]) -> None:
        self._engines = frozenset(engines)  # whose signals are not ours
        self._outcomes: dict[str, dict[str, Outcome]] = {}  # by signal, by agent
        self._commands: dict[str, Command] = {}
        self._answers: dict[str, list[Answer]] = {}
        self._signals: dict[str, Placed] = {}
        self.clock_ms = 0  # how far the desk has come; 0: unknown

    def take(self, record: Record) -> None:
        event = record.event
        if event is None:
            return
        if record.topic == "orders":
            self._order(event)
        elif isinstance(event, Command):
            self._commands[event.id] = event
            _bound(self._commands, COMMANDS_KEPT)
        elif isinstance(event, Answer):
            answers = self._answers.setdefault(event.command, [])
            if event not in answers and len(answers) < ANSWERS_MAX:
                answers.append(event)
            _bound(self._answers, COMMANDS_KEPT)
        elif isinstance(event, Signal):
            place = f"{record.topic}:{record.partition}:{record.offset}"
            self._signals[event.id] = Placed(event, place)
            _bound(self._signals, SIGNALS_KEPT)

    def signal(self, id_: str) -> Placed | None:
        return self._signals.get(id_)

    def outcomes(self, signal: str) -> dict[str, Outcome]:
        """By agent; who is not among them has not answered."""
        return self._outcomes.get(signal, {})

    def command(self, id_: str) -> Command | None:
        return self._commands.get(id_)

    def commands(self) -> list[Command]:
        """The newest first."""
        return list(reversed(self._commands.values()))

    def answers(self, id_: str) -> list[Answer]:
        return self._answers.get(id_, [])

    def _order(self, event: Event) -> None:
        self.clock_ms = max(self.clock_ms, event_at(event))
        if isinstance(event, OrderRequested) and event.source not in self._engines:
            outcome = Outcome(event.agent, "order", order=event.id)
            self._outcome(event.cause, outcome, first=event.action == "open")
        elif isinstance(event, Refusal) and event.source not in self._engines:
            outcome = Outcome(event.agent, "refused", reason=event.reason, detail=event.detail)
            self._outcome(event.cause, outcome)

    def _outcome(self, cause: str, outcome: Outcome, *, first: bool = False) -> None:
        """`first`: it stands for what came of the signal, whatever else did."""
        agents = self._outcomes.setdefault(cause, {})
        known = agents.get(outcome.agent)
        if known is None and len(agents) >= AGENTS_MAX:
            return
        if known is None or known.outcome == "refused" or first:
            agents[outcome.agent] = outcome
        _bound(self._outcomes, CAUSES_KEPT)


def _bound(kept: dict[str, V], most: int) -> None:
    """Lets the oldest go."""
    while len(kept) > most:
        del kept[next(iter(kept))]
