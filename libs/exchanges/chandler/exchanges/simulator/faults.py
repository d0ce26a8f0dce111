"""Faults on demand: what goes wrong between a venue and its clients, and how often.

One line of text describes them: "cut=20s,drop=5%,silence=60s/10s,missing=0.1%".
"""

import hashlib
import random
import re

import msgspec

from chandler.exchanges.simulator.config import SimulatorError

KNOWN = (
    "cut=20s drop=5% duplicate=5% reorder=1% late=2% silence=60s/10s storm429=30s/5s missing=1% "
    "noreply=2% hangup=2% ambiguous=2% vanish=1% slow=5%/2s stuck=1%/35s partial=10% strange=1% "
    "lost=5% twice=5% shrink=60s/1%"
)
_FRAME_SHARES = ("drop", "duplicate", "reorder", "late", "missing")
_ORDER_SHARES = ("noreply", "hangup", "ambiguous", "vanish", "partial", "strange", "lost", "twice")
_SHARES = _FRAME_SHARES + _ORDER_SHARES
AMBIGUOUS_CODES = ("45001", "40725")
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


class Delay(msgspec.Struct, frozen=True):
    """Something that happens to a share of requests and takes so many wall seconds."""

    share: float
    length_s: float


class Shrink(msgspec.Struct, frozen=True):
    """A share of every wallet that is lost each `every_s` wall seconds."""

    every_s: float
    share: float


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
    # What happens to requests to trade.
    noreply: float = 0.0  # carried out and never answered
    hangup: float = 0.0  # carried out, then the connection is cut
    ambiguous: float = 0.0  # answered with 45001 or 40725; half of them were carried out
    vanish: float = 0.0  # an order is answered with yes, and the venue has none
    slow: Delay | None = None  # carried out, answered so much later
    stuck: Delay | None = None  # looked at so much later: on its way to the venue
    # What happens to orders, pushes and money.
    partial: float = 0.0  # an order at market is filled bit by bit
    strange: float = 0.0  # an order at market is filled at a strange price
    lost: float = 0.0  # a private push is lost
    twice: float = 0.0  # a push of a fill comes twice
    shrink: Shrink | None = None  # balances shrink by themselves

    @property
    def frames(self) -> bool:
        """Whether pushed frames are touched."""
        return bool(self.drop or self.duplicate or self.reorder or self.late)


Value = float | Spell | Delay | Shrink


def parse_faults(text: str) -> Faults:
    """The faults that `text` describes; SimulatorError says in one line what it can't read."""
    values: dict[str, Value] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in {word.split("=")[0] for word in KNOWN.split()}:
            raise SimulatorError(f"fault {part!r} isn't known: expected some of {KNOWN}")
        field = "cut_s" if name == "cut" else name
        if field in values:
            raise SimulatorError(f"fault {name!r} is there twice: keep one")
        values[field] = _value(name, value)
    return msgspec.convert(values, Faults)


def _value(name: str, text: str) -> Value:
    if name in _SHARES:
        return _percentage(name, text)
    if name == "cut":
        return _duration(name, text)
    every, slash, length = text.partition("/")
    if name in ("slow", "stuck"):
        if not slash:
            raise SimulatorError(f"fault {name}={text}: expected share/length, as in {name}=5%/2s")
        return Delay(_percentage(name, every), _duration(name, length))
    if name == "shrink":
        if not slash:
            raise SimulatorError(f"fault {name}={text}: expected every/share, as in {name}=60s/1%")
        return Shrink(_duration(name, every), _percentage(name, length))
    if not slash:
        raise SimulatorError(f"fault {name}={text}: expected every/length, as in {name}=60s/10s")
    spell = Spell(_duration(name, every), _duration(name, length))
    if spell.length_s >= spell.every_s:
        raise SimulatorError(f"fault {name}={text}: the length must be shorter than the interval")
    return spell


def _percentage(name: str, text: str) -> float:
    match = _PERCENT.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:
        raise SimulatorError(f"fault {name}={text}: expected a percentage, as in {name}=5%")
    return float(match[1]) / 100


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


class OrderFaults:
    """What happens to requests to trade, by a seeded sequence of its own."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self._random = random.Random(f"{seed}|orders")

    def stuck_s(self) -> float:
        """How long a request is on its way before the venue looks at it."""
        return self._delay(self.faults.stuck)

    def slow_s(self) -> float:
        """How long the answer is held back."""
        return self._delay(self.faults.slow)

    def outcome(self, *, places: bool) -> str:
        """ "": as it should be; or noreply, hangup, vanish, code that got in, "!code" that didn't.

        `places`: the request places an order; others don't vanish.
        """
        faults, draw = self.faults, self._random.random()
        shares = [("noreply", faults.noreply), ("hangup", faults.hangup)]
        shares.append(("ambiguous", faults.ambiguous))
        shares.append(("vanish", faults.vanish if places else 0.0))
        for name, part in shares:
            if draw < part:
                code = self._random.choice(AMBIGUOUS_CODES)
                got_in = self._random.random() < 0.5
                return name if name != "ambiguous" else code if got_in else f"!{code}"
            draw -= part
        return ""

    def happens(self, part: float) -> bool:
        """One draw."""
        return part > 0 and self._random.random() < part

    def _delay(self, delay: Delay | None) -> float:
        return delay.length_s if delay is not None and self.happens(delay.share) else 0.0
