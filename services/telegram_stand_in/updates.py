"""Updates that wait for a bot: fetched by long polling or pushed, once each unless asked for more.

Only one poll may be open: a second ends the first with 409, as the real one does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from services.telegram_stand_in.refusals import conflict

PENDING_MAX = 10_000  # the oldest are forgotten, as after a day
POLL_S_MAX = 50
LIMIT_MAX = 100
# Kinds that are sent only where they are asked for.
ASKED_FOR = {"chat_member", "message_reaction", "message_reaction_count"}
ANOTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"
Update = dict[str, Any]


class Updates:
    """The queue of one bot."""

    def __init__(self, first: int, again_every: Callable[[], int]) -> None:
        """`first`: the first update's id; every n-th comes twice where `again_every` gives n."""
        self._first = self._next = first
        self._again_every = again_every
        self._pending: deque[Update] = deque()
        self._again: deque[Update] = deque()  # confirmed, and sent once more
        self._poll: asyncio.Future[str] | None = None
        self._bell = asyncio.Event()
        self.allowed: list[str] = []  # kinds; none: all but ASKED_FOR
        self.made = self.forgotten = self.repeated = 0
        self.opened = asyncio.Event()  # set while a poll waits

    @property
    def next(self) -> int:
        """The number that the next update gets."""
        return self._next

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, kind: str, body: dict[str, Any]) -> int | None:
        """Makes an update, and gives its id; None where the bot doesn't want its kind."""
        if kind not in self.allowed if self.allowed else kind in ASKED_FOR:
            return None
        number = self._next
        self._next += 1
        self.made += 1
        self._pending.append({"update_id": number, kind: body})
        if len(self._pending) > PENDING_MAX:
            self._pending.popleft()
            self.forgotten += 1
        self._wake("update")
        self._bell.set()
        return number

    async def fetch(self, offset: int, limit: int, timeout_s: int) -> list[Update]:
        """What has not been confirmed, oldest first; waits up to `timeout_s` for the first one.

        `offset` confirms all below it; a negative one leaves only so many of the newest.
        """
        self._wake("other")
        self._poll = mine = asyncio.get_running_loop().create_future()
        self.opened.set()
        try:
            self._confirm(offset)
            found = self._take(limit)
            if not found and timeout_s > 0:
                await asyncio.wait([mine], timeout=min(timeout_s, POLL_S_MAX))
                if mine.done() and mine.result() == "other":
                    raise conflict(ANOTHER)
                found = self._take(limit)
            return found
        finally:
            if self._poll is mine:
                self._poll = None
                self.opened.clear()

    def end(self) -> None:
        """An open poll gets what there is: nothing."""
        self._wake("end")

    def clear(self) -> None:
        """Forgets what waits."""
        self._pending.clear()
        self._again.clear()

    async def first(self) -> Update:
        """The oldest update, once there is one; it stays until it is confirmed."""
        while not (self._again or self._pending):
            self._bell.clear()
            await self._bell.wait()
        return (self._again or self._pending)[0]

    def pushed(self, update: Update) -> None:
        """The bot has taken it."""
        if self._again and self._again[0] is update:
            self._again.popleft()
        elif self._pending and self._pending[0] is update:
            self._confirm(update["update_id"] + 1)

    def _confirm(self, offset: int) -> None:
        below = offset
        if offset < 0:
            below = max((each["update_id"] for each in self._pending), default=0) + 1 + offset
        every = self._again_every()
        while self._pending and self._pending[0]["update_id"] < below:
            update = self._pending.popleft()
            if every and (update["update_id"] - self._first + 1) % every == 0:
                self._again.append(update)
                self.repeated += 1

    def _take(self, limit: int) -> list[Update]:
        limit = limit if 1 <= limit <= LIMIT_MAX else LIMIT_MAX
        found = [self._again.popleft() for _ in range(min(limit, len(self._again)))]
        return found + list(self._pending)[: limit - len(found)]

    def _wake(self, why: str) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(why)
