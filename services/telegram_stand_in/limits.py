"""How much a bot may write: in all, to a chat, to a group; more is 429 with retry_after."""

import math
from collections import OrderedDict, deque

import msgspec

CHATS_MAX = 1_000  # whose last messages are remembered
MINUTE_S = 60.0


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the real one has them; 0 switches one off."""

    all_per_second: int = 30
    chat_per_second: float = 1.0  # in the long run
    chat_burst: int = 5  # messages at once, from then on chat_per_second
    group_per_minute: int = 20


OFF = Limits(all_per_second=0, chat_per_second=0.0, group_per_minute=0)


class Throttle:
    """Counts what is written; times are seconds that never go back."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all: deque[float] = deque()
        self._chats: OrderedDict[int, deque[float]] = OrderedDict()

    def wait_s(self, chat: int, now: float) -> int:
        """0, and the message is counted; or the whole seconds until it may be tried again."""
        limits, said = self.limits, self._chats.setdefault(chat, deque())
        self._chats.move_to_end(chat)
        if len(self._chats) > CHATS_MAX:
            self._chats.popitem(last=False)
        while self._all and self._all[0] <= now - 1.0:
            self._all.popleft()
        while said and said[0] <= now - MINUTE_S:
            said.popleft()
        free = max(self._free_at(said, now), self._group_free_at(chat, said, now))
        if limits.all_per_second and len(self._all) >= limits.all_per_second:
            free = max(free, self._all[-limits.all_per_second] + 1.0)
        if free > now:
            return max(math.ceil(free - now), 1)
        self._all.append(now)
        said.append(now)
        return 0

    def _free_at(self, said: deque[float], now: float) -> float:
        """When the chat's burst has a place again: it fills at `chat_per_second`."""
        rate, burst = self.limits.chat_per_second, self.limits.chat_burst
        if not rate:
            return now
        used, last = 0.0, said[0] if said else now
        for at in said:
            used = max(used - (at - last) * rate, 0.0) + 1.0
            last = at
        left = used - (now - last) * rate
        return now + (left + 1.0 - burst) / rate if left + 1.0 > burst else now

    def _group_free_at(self, chat: int, said: deque[float], now: float) -> float:
        most = self.limits.group_per_minute
        if chat >= 0 or not most or len(said) < most:
            return now
        return said[-most] + MINUTE_S
