"""What the notifier's loop takes in, one item after another."""

import asyncio
from typing import NamedTuple

from chandler.core.events import InfraEvent
from chandler.core.notices.inputs import Confirmed, Rejected, Unsent
from chandler.core.trading.events import NoticeAsked
from chandler.streams.reader import Record as Read
from services.notifier.talk import Asked, Decided, Reply


class Prepared(NamedTuple):
    """Something that was asked, with all that has to be fetched for it."""

    asked: Asked
    decided: Decided
    done: "asyncio.Future[None]"  # it is kept
    came_ms: int = 0  # wall time at which it was asked


class Alerts(NamedTuple):
    """Notices from outside, to be published."""

    notices: list[NoticeAsked]
    done: "asyncio.Future[None]"


class Found(NamedTuple):
    """An answer that came later than what was asked was kept."""

    asked: Asked
    user: str
    reply: Reply


class Begun(NamedTuple):
    """Where partitions begin that were not read before."""

    lanes: dict[str, int]  # topic:partition → offset
    done: "asyncio.Future[None]"


class Happened(NamedTuple):
    """Something about the notifier's own connections."""

    event: InfraEvent


Item = (
    None | list[Read] | Begun | Prepared | Found | Alerts | Happened | Confirmed | Unsent | Rejected
)
