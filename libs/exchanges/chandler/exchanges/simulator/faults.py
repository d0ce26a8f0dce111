"""Faults on demand: what goes wrong between a venue and its clients, and how often.

One line of text describes them: "cut=20s,drop=5%,silence=60s/10s,missing=0.1%".
"""

import hashlib
import random
import re

import msgspec

from chandler.exchanges.simulator.config import SimulatorError

KNOWN = "cut=20s drop=5% duplicate=5% reorder=1% late=2% silence=60s/10s storm429=30s/5s missing=1%"
_SHARES = ("drop", "duplicate", "reorder", "late", "missing")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


class Spell(msgspec.Struct, frozen=True):
    """Something that lasts `length_s` at the end of each `every_s`, both in wall seconds."""

    every_s: float
    length_s: float

    def covers(self, elapsed_s: float) -> bool:
        """Whether it is on, `elapsed_s` after the beginning."""
        return elapsed_s % self.every_s >= self.every_s - self.length_s


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Shares are probabilities per frame from 0 to 1; nothing set: nothing goes wrong."""

    cut_s: float = 0.0  # each connection is cut after so many wall seconds; 0: never
    drop: float = 0.0  # a pushed frame is lost
    duplicate: float = 0.0  # a pushed frame comes twice
    reorder: float = 0.0  # a pushed frame comes after the next one
    late: float = 0.0  # a candle's last update comes after the first row of the next candle
    missing: float = 0.0  # the venue itself has no 5m candle for a slot; longer ones are whole
    silence: Spell | None = None  # the socket stays open and nothing comes
    storm429: Spell | None = None  # every REST request is answered with 429

    @property
    def frames(self) -> bool:
        """Whether pushed frames are touched."""
        return bool(self.drop or self.duplicate or self.reorder or self.late)


def parse_faults(text: str) -> Faults:
    """The faults that `text` describes; SimulatorError says in one line what it can't read."""
    values: dict[str, float | Spell] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in {word.split("=")[0] for word in KNOWN.split()}:
            raise SimulatorError(f"fault {part!r} isn't known: expected some of {KNOWN}")
        field = "cut_s" if name == "cut" else name
        if field in values:
            raise SimulatorError(f"fault {name!r} is there twice: keep one")
        values[field] = _value(name, value)
    return msgspec.convert(values, Faults)


def _value(name: str, text: str) -> float | Spell:
    if name in _SHARES:
        match = _PERCENT.fullmatch(text)
        if match is None or float(match[1]) > 100:
            raise SimulatorError(f"fault {name}={text}: expected a percentage, as in {name}=5%")
        return float(match[1]) / 100
    if name == "cut":
        return _duration(name, text)
    every, slash, length = text.partition("/")
    if not slash:
        raise SimulatorError(f"fault {name}={text}: expected every/length, as in {name}=60s/10s")
    spell = Spell(_duration(name, every), _duration(name, length))
    if spell.length_s >= spell.every_s:
        raise SimulatorError(f"fault {name}={text}: the length must be shorter than the interval")
    return spell


def _duration(name: str, text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise SimulatorError(f"fault {name}={text}: expected a duration, as in 20s, 500ms or 2m")
    return float(match[1]) * _SECONDS[match[2]]


def share(seed: int, *parts: str | int) -> float:
    """A number in [0, 1) that the parts alone decide."""
    text = "|".join(map(str, (seed, *parts))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


def is_missing(seed: int, symbol: str, open_ms: int, missing: float) -> bool:
    """Whether the fault `missing` takes this symbol's 5m slot: tests can tell which ones."""
    return missing > 0 and share(seed, "missing", symbol, open_ms) < missing


class FrameFaults:
    """What happens to the frames of one connection, by its own seeded sequence."""

    def __init__(self, faults: Faults, seed: int, connection: int) -> None:
        self.faults = faults
        self._random = random.Random(f"{seed}|frames|{connection}")
        self._held: bytes | None = None

    def pass_on(self, frame: bytes) -> list[bytes]:
        """What goes out in place of `frame`."""
        draw = self._random.random
        out = [] if draw() < self.faults.drop else [frame]
        if out and draw() < self.faults.duplicate:
            out.append(frame)
        if self._held is not None and out:
            out.append(self._held)
            self._held = None
        elif len(out) == 1 and draw() < self.faults.reorder:
            self._held = frame
            return []
        return out

    def is_late(self) -> bool:
        """Whether a candle's last update, this one, comes late."""
        return self._random.random() < self.faults.late
