"""What goes wrong on demand between a bot and Telegram: seeded, the same in each run."""

import asyncio
import hashlib
from collections import Counter
from typing import Annotated, Literal, get_args

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Kind = Literal["", "down", "silence", "storm", "server_error", "lost_reply", "slow"]
KINDS = tuple(kind for kind in get_args(Kind) if kind)  # what can happen to a request


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares are of the requests to `methods`; nothing set: nothing goes wrong."""

    down: bool = False  # each connection is closed without a word; nothing was taken
    silence: bool = False  # requests are taken from the wire and never answered
    storm_s: Annotated[int, msgspec.Meta(ge=0)] = 0  # 429 with this retry_after, in seconds
    server_error: Share = 0.0  # answered with `server_code`; nothing was taken
    server_code: Literal[500, 502, 503, 504] = 502
    lost_reply: Share = 0.0  # carried out, then the connection is closed
    slow: Share = 0.0  # carried out, answered `slow_s` later
    slow_s: Annotated[float, msgspec.Meta(ge=0.0, le=600.0)] = 1.0
    duplicate_every: Annotated[int, msgspec.Meta(ge=0)] = 0  # each n-th update comes twice
    methods: tuple[str, ...] = ()  # only these; none: all
    most: Annotated[int, msgspec.Meta(ge=0)] = 0  # so many faults, then none; 0: no end
    seed: int = 1


class Weather:
    """The faults in force: which of them meets a request."""

    def __init__(self, faults: Faults) -> None:
        self._changed = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """These from now on; requests that were left unanswered are closed."""
        self.faults = faults
        self._methods = {method.lower() for method in faults.methods}
        self._requests: Counter[str] = Counter()
        self._happened = 0
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns when other faults are set."""
        await self._changed.wait()

    def meets(self, method: str) -> Kind:
        """What happens to the next request for `method`; it is counted."""
        if self._methods and method.lower() not in self._methods:
            return ""
        kind = self._kind(method.lower())
        if not kind or (self.faults.most and self._happened >= self.faults.most):
            return ""
        self._happened += 1
        self.counts[kind] += 1
        return kind

    def duplicate_every(self) -> int:
        """Each n-th update comes twice; 0: none."""
        return self.faults.duplicate_every

    def _kind(self, method: str) -> Kind:
        faults = self.faults
        if faults.down:
            return "down"
        if faults.silence:
            return "silence"
        if faults.storm_s:
            return "storm"
        # By the method's own count: how requests of other methods fall between changes nothing.
        self._requests[method] += 1
        number, below = self._requests[method], 0.0
        place = chance(f"{faults.seed}:{method}:{number}")
        shares: tuple[tuple[Kind, float], ...] = (
            ("server_error", faults.server_error),
            ("lost_reply", faults.lost_reply),
            ("slow", faults.slow),
        )
        for kind, share in shares:
            below += share
            if place < below:
                return kind
        return ""


def chance(text: str) -> float:
    """A number from 0 up to 1 that depends on `text` alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
