"""A channel: one async function that brings a message to where somebody reads it.

@channel(version="1.0")
async def my_chat(message: Send, address: str, picture: bytes | None) -> Outcome: ...

Its name then stands in [users.NAME] channel = "my_chat", and `address` is the user's.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from chandler.core.evaluator import PluginError
from chandler.core.notices.inputs import Send
from chandler.core.notices.routing import TELEGRAM


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message."""

    what: Literal["arrived", "later", "never"]
    reason: str = ""  # one line, where it did not arrive
    retry_after_ms: int = 0  # of "later", as the other side says; 0: it said nothing
    perhaps: bool = False  # of "later": it may have arrived, no reply came


ARRIVED = Outcome(what="arrived")
Bring = Callable[[Send, str, bytes | None], Awaitable[Outcome]]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A function with its name. What it raises is taken for "later", perhaps arrived."""

    name: str
    version: str
    bring: Bring


def channel(*, version: str) -> Callable[[Bring], Channel]:
    """Makes a channel of an async function; PluginError where it is none."""

    def decorate(function: Bring) -> Channel:
        name = getattr(function, "__name__", "")
        if not inspect.iscoroutinefunction(function):
            raise PluginError(f"channel {name}: expected an async function that returns an Outcome")
        if name == TELEGRAM:
            raise PluginError(f"channel {name}: that name is taken, rename the function")
        return Channel(name=name, version=version, bring=function)

    return decorate
