"""One health of several stages in one process: as ready as the least ready of them."""

from typing import Any

from chandler.streams.telemetry.health import Health


class Part:
    """What one stage reports of itself."""

    ready: bool
    state: str
    lag: int
    age_s: float

    def __init__(self, parts: "Parts") -> None:
        vars(self).update(ready=False, state="starting", lag=0, age_s=0.0, _parts=parts)

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)[name] = value
        vars(self)["_parts"].tell()


class Parts:
    """All stages of a service."""

    def __init__(self, whole: Health) -> None:
        self._whole = whole
        self._parts: list[Part] = []

    def one(self) -> Part:
        """The health of another stage."""
        part = Part(self)
        self._parts.append(part)
        return part

    def tell(self) -> None:
        """Says of the whole what its parts say."""
        parts = self._parts
        self._whole.ready = all(part.ready for part in parts)
        self._whole.state = next((part.state for part in parts if not part.ready), parts[0].state)
        self._whole.lag = sum(part.lag for part in parts)
        # The oldest that has something before it: a part without inputs is old, and not behind.
        waiting = [part.age_s for part in parts if part.lag] or [part.age_s for part in parts]
        self._whole.age_s = max(waiting)
