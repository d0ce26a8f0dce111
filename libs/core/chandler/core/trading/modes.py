"""A trading mode: how an agent turns signals into orders, and what makes it leave a position.

Two functions, each of which can be tried without a venue. `watch` (the producer: what and when)
runs in positions on every ticker; `plan` (the consumer: how) runs in the executor. Both are pure.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from chandler.core.events import Signal, Ticker
from chandler.core.trading.events import (
    Action,
    Direction,
    ExitKind,
    ExitRequested,
    PositionMarked,
)
from chandler.core.trading.money import ONE, PERCENT, AmountError, from_float, plus, positive, times

C = TypeVar("C", bound=msgspec.Struct)


class ModeError(ValueError):
    """A trading mode or its settings can't be used: the message is one line."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One order that a plan asks for. The desk sizes, rounds and may refuse it."""

    action: Action
    leg: str  # "entry", "take_profit-1", "dca-2": with the position it names the order
    # Base coin before rounding. None: `share` of the agent's entry size (open, add),
    # or `share` of all that is open (close).
    size: Decimal | None = None
    share: Decimal = ONE
    stop: Decimal | None = None  # of the position afterwards; None at an open: it has no stop
    targets: tuple[Decimal, ...] = ()  # nearest first


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that a plan sees of the agent beside its cause."""

    price: Decimal  # newest, quote coin
    at: int  # of that price
    position: PositionMarked | None = None  # the agent's open one in the symbol


class Prices(NamedTuple):
    """A ticker as money."""

    at: int
    last: Decimal
    bid: Decimal
    ask: Decimal
    mark: Decimal


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An open position as the watch sees it, up to date with the ticker that is judged."""

    position: PositionMarked  # mark, peak and unrealised are of this ticker already
    entry_size: Decimal  # of the first order's fills, base coin
    entry_cost: Decimal  # Σ price × size of them
    opened_size: Decimal  # of all fills that opened or added, base coin
    # Legs that can't fire: "flying" is asked for and not done, "done" was filled.
    legs: dict[str, Literal["flying", "done"]] = {}
    trailing: bool = False  # a trailing rule has moved the stop


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch asks for on a tick."""

    kind: ExitKind
    leg: str  # fires once in a position's life, unless the desk refuses it
    action: Literal["close", "add"] = "close"
    size: Decimal | None = None  # base coin before rounding; None: all that is open
    reason: str  # one line for people


Plan = Callable[[C, Signal | ExitRequested, View], tuple[Leg, ...]]
Watch = Callable[[C, Held, Prices], tuple[Held, Fired | None]]


class TradingMode(msgspec.Struct, Generic[C], frozen=True, kw_only=True):
    """A trading mode as a plug-in ships it.

    `plan(settings, cause, view)` is asked for an entry that the agent may make (view.position is
    None, or of the signal's side: no legs then means that the mode doesn't add) and for each exit
    of the watch. flat and opposite signals and people's closes are the agent's affair, not asked.
    A signal's stop or target on the wrong side (see `protects`) never reaches it.

    `watch(settings, held, prices)` gives the position back, with another stop where it moved, and
    what fires, if anything. It sees every ticker after the first fill, except while a close of
    all that is open is under way. Of `held` only `trailing` and the position's stop and targets
    may be changed.
    """

    name: str
    version: str
    doc: str
    config: type[C]  # its own settings: frozen, forbid_unknown_fields, a default for each field
    plan: Plan[C]
    watch: Watch[C]
    rules: Callable[[C], Any] | None = None
    check: Callable[[C], str] = lambda _: ""  # what is wrong with settings, one line; "": nothing
    tunables: dict[str, tuple[float, float]] = {}  # setting → range that an optimiser may search


def settings_of(mode: TradingMode[C], values: Mapping[str, Any]) -> C:
    """The mode's settings out of an agent's `set`; ModeError says in one line what is wrong."""
    known = [field.encode_name for field in msgspec.structs.fields(mode.config)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"nearest: {near[0]}" if near else f"there are {' '.join(known) or 'none'}"
            raise ModeError(f"trading mode {mode.name} has no setting {key!r} ({hint})")
    try:
        settings = msgspec.convert(dict(values), mode.config)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`") or "settings"
        raise ModeError(
            f"trading mode {mode.name}: {name}: {what[0].lower()}{what[1:]}, correct it"
        ) from None
    if (path := _unbounded(msgspec.to_builtins(settings, builtin_types=(Decimal,)))) is not None:
        raise ModeError(f"trading mode {mode.name}: {path} is no finite number, correct it")
    if fault := mode.check(settings):
        raise ModeError(f"trading mode {mode.name}: {fault}")
    return settings


def _unbounded(value: Any, path: str = "") -> str | None:
    """Where a number is that is not finite (TOML has inf and nan), if there is one."""
    if isinstance(value, Decimal):
        return None if value.is_finite() else path
    if isinstance(value, float):
        return None if isfinite(value) else path
    if isinstance(value, Mapping):
        inner = [(f"{path}.{key}" if path else str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(f"{path}[{place}]", each) for place, each in enumerate(value)]
    else:
        return None
    faults = (_unbounded(each, where) for where, each in inner)
    return next((fault for fault in faults if fault is not None), None)


def check_mode(mode: TradingMode[Any]) -> None:
    """ModeError says in one line what keeps a mode from being used."""
    config = mode.config
    if not (isinstance(config, type) and issubclass(config, msgspec.Struct)):
        raise ModeError(f"trading mode {mode.name}: its config is no msgspec.Struct, make it one")
    facts = config.__struct_config__
    if not (facts.frozen and facts.forbid_unknown_fields):
        raise ModeError(
            f"trading mode {mode.name}: write class {config.__name__}(msgspec.Struct, "
            "frozen=True, kw_only=True, forbid_unknown_fields=True)"
        )
    for field in msgspec.structs.fields(config):
        if field.required:
            raise ModeError(f"trading mode {mode.name}: {field.name} has no default, give it one")
    for name, (low, high) in mode.tunables.items():
        if not isinstance(getattr(config(), name, None), int | float | Decimal) or not low < high:
            raise ModeError(
                f"trading mode {mode.name}: tunable {name} from {low} to {high}: expected the name "
                "of a setting that is a number, and a range"
            )
    for function in (mode.plan, mode.watch):
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise ModeError(f"trading mode {mode.name}: expected plain functions plan and watch")
    settings_of(mode, {})


def prices_of(ticker: Ticker) -> Prices | None:
    """The ticker as money; None where a price of it is none, so that it decides nothing."""
    try:
        return Prices(
            ticker.at,
            positive(ticker.last),
            positive(ticker.bid),
            positive(ticker.ask),
            positive(ticker.mark),
        )
    except AmountError:
        return None


def price_of(number: float) -> Decimal:
    """A signal's price as money, once; AmountError where it is not finite."""
    return from_float(number)


def beyond(side: Direction, price: Decimal, level: Decimal) -> bool:
    """Whether `level` is better than `price` for a position of that side: above for a long."""
    return level > price if side == "long" else level < price


def protects(side: Direction, price: Decimal, stop: Decimal) -> bool:
    """Whether a stop is on the right side of the price: above zero, below it for a long."""
    return stop > 0 and beyond(side, stop, price)


def away(side: Direction, price: Decimal, percent: Decimal) -> Decimal:
    """`percent` better than `price` for that side (negative: worse); exact."""
    return plus(price, times(price, percent if side == "long" else -percent, PERCENT))


def carried_out(cause: ExitRequested) -> tuple[Leg, ...]:
    """The plan of most modes for an exit: what the watch asked for, nothing else."""
    return (Leg(action=cause.action, leg=cause.leg, size=cause.size),)
