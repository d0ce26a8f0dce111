"""A stage: a pure fold over events, `step(state, event) -> (state, outputs)`.

Knows nothing of Kafka. Whatever runs it (the exact loop, a test, a backtest) keeps the state.
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from chandler.core.events import Event

S = TypeVar("S")


class Output(NamedTuple):
    """An event on its way to a topic."""

    topic: str
    key: str
    event: Event


class Stage(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """A fold and what is needed to run it. One state for each key."""

    name: str
    state_type: type[S]  # a msgspec-encodable type; floats survive JSON exactly
    key: Callable[[Event], str]  # which state an event belongs to
    start: Callable[[str], S]  # the state of a key that was never seen
    step: Callable[[S, Event], tuple[S, Sequence[Output]]]
    # What the states depend on beside the inputs. Where it differs from the kept states', they are
    # folded anew from the first record on, without publishing again what is out. "": never.
    fingerprint: str = ""


class HoleError(Exception):
    """An input skipped a slot: the runner must stop and rewind, never go on."""
