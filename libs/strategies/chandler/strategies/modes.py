"""The trading modes that ship with Chandler. An agent's `set` changes any of their settings.

A percent of a price is of the price at which the plan is made; a profit is of the entry notional,
without leverage. 0 switches off what its comment says.
"""

from decimal import Decimal

import msgspec

from chandler.core.events import Signal
from chandler.core.positions.rules import Ladder, Rules, Stale, watch_by
from chandler.core.trading.events import Direction, ExitRequested
from chandler.core.trading.modes import (
    Leg,
    TradingMode,
    View,
    away,
    carried_out,
    price_of,
)
from chandler.core.trading.money import PERCENT, times

STEPS_MAX = 20
LEVELS_MAX = 10
Row = tuple[Decimal, Decimal]


class FixedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `fixed`."""

    signal_stop: bool = True  # the signal's stop and targets count where it has them
    stop_percent: Decimal = Decimal(2)  # otherwise; 0: no stop
    target_percent: tuple[Decimal, ...] = (Decimal(4),)  # otherwise, nearest first; (): none
    share_percent: tuple[Decimal, ...] = ()  # closed at each target; (): equal parts
    hold_min: int = 0  # closed when older and profit within the range; 0: held for ever
    hold_low_percent: Decimal = Decimal(-1)
    hold_high_percent: Decimal = Decimal(1)
    liquidation_percent: Decimal = Decimal(80)  # of the margin lost; 0: not watched


class DcaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `dca`."""

    entry_percent: Decimal = Decimal(100)  # of the agent's entry size in the first order
    steps: int = 3  # orders after the first
    step_percent: Decimal = Decimal(2)  # worse than the entry, per step
    growth: Decimal = Decimal(1)  # each step's size by the one before
    target_percent: Decimal = Decimal("1.5")  # better than the average price
    stop_percent: Decimal = Decimal(10)  # worse than the entry; 0: no stop
    hold_min: int = 0  # closed when older and profit within the range; 0: held for ever
    hold_low_percent: Decimal = Decimal(-1)
    hold_high_percent: Decimal = Decimal(1)
    liquidation_percent: Decimal = Decimal(80)  # of the margin lost; 0: not watched


class TrailingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `trailing`."""

    signal_stop: bool = True  # the signal's stop counts where it has one
    stop_percent: Decimal = Decimal(2)  # otherwise; 0: no stop before trailing begins
    # (profit %, percent closed), nearest first; what they leave is trailed.
    levels: tuple[Row, ...] = ((Decimal("1.5"), Decimal(30)), (Decimal(3), Decimal(30)))
    # (peak's profit %, distance % from the peak), nearest first.
    trail: tuple[Row, ...] = (
        (Decimal(1), Decimal(1)),
        (Decimal(3), Decimal("0.8")),
        (Decimal(6), Decimal("0.5")),
    )
    hold_min: int = 0  # closed when older and profit within the range; 0: held for ever
    hold_low_percent: Decimal = Decimal(-1)
    hold_high_percent: Decimal = Decimal(1)
    liquidation_percent: Decimal = Decimal(80)  # of the margin lost; 0: not watched


Config = FixedConfig | DcaConfig | TrailingConfig


def _stale(settings: Config) -> Stale | None:
    if not settings.hold_min:
        return None
    return Stale(
        hold_min=settings.hold_min,
        low_percent=settings.hold_low_percent,
        high_percent=settings.hold_high_percent,
    )


def _enters(cause: Signal | ExitRequested, view: View) -> Direction | None:
    """The side of an entry; None where the signal is none, or something is open already."""
    if isinstance(cause, ExitRequested) or view.position is not None or cause.side == "flat":
        return None
    return cause.side


def _stop(settings: Config, side: Direction, price: Decimal) -> Decimal | None:
    return away(side, price, -settings.stop_percent) if settings.stop_percent else None


def _plan_fixed(
    settings: FixedConfig, cause: Signal | ExitRequested, view: View
) -> tuple[Leg, ...]:
    if isinstance(cause, ExitRequested):
        return carried_out(cause)
    side = _enters(cause, view)
    if side is None:
        return ()
    stop = _stop(settings, side, view.price)
    targets = tuple(away(side, view.price, percent) for percent in settings.target_percent)
    if settings.signal_stop:
        stop = stop if cause.stop is None else price_of(cause.stop)
        targets = tuple(price_of(each) for each in cause.targets) or targets
    return (Leg(action="open", leg="entry", stop=stop, targets=targets),)


def _rules_fixed(settings: FixedConfig) -> Rules:
    return Rules(
        liquidation_percent=settings.liquidation_percent,
        shares=settings.share_percent,
        stale=_stale(settings),
    )


def _plan_dca(settings: DcaConfig, cause: Signal | ExitRequested, view: View) -> tuple[Leg, ...]:
    if isinstance(cause, ExitRequested):
        return carried_out(cause)
    side = _enters(cause, view)
    if side is None:
        return ()
    leg = Leg(
        action="open",
        leg="entry",
        share=times(settings.entry_percent, PERCENT),
        stop=_stop(settings, side, view.price),
        targets=(away(side, view.price, settings.target_percent),),
    )
    return (leg,)


def _rules_dca(settings: DcaConfig) -> Rules:
    return Rules(
        liquidation_percent=settings.liquidation_percent,
        stale=_stale(settings),
        ladder=Ladder(
            attempts=settings.steps, step_percent=settings.step_percent, growth=settings.growth
        ),
        average_percent=settings.target_percent,
    )


def _plan_trailing(
    settings: TrailingConfig, cause: Signal | ExitRequested, view: View
) -> tuple[Leg, ...]:
    if isinstance(cause, ExitRequested):
        return carried_out(cause)
    side = _enters(cause, view)
    if side is None:
        return ()
    stop = _stop(settings, side, view.price)
    if settings.signal_stop and cause.stop is not None:
        stop = price_of(cause.stop)
    targets = tuple(away(side, view.price, profit) for profit, _ in settings.levels)
    return (Leg(action="open", leg="entry", stop=stop, targets=targets),)


def _rules_trailing(settings: TrailingConfig) -> Rules:
    return Rules(
        liquidation_percent=settings.liquidation_percent,
        trail=settings.trail,
        shares=tuple(share for _, share in settings.levels),
        stale=_stale(settings),
    )


def _fault(settings: Config) -> str:
    """What is wrong with settings that all modes have."""
    checks = (
        (0 <= settings.stop_percent < 100, "stop_percent", "0 to below 100"),
        (0 <= settings.liquidation_percent <= 100, "liquidation_percent", "0 to 100"),
        (0 <= settings.hold_min <= 525_600, "hold_min", "0 to 525600 minutes"),
        (
            settings.hold_low_percent <= settings.hold_high_percent,
            "hold_low_percent",
            "at most hold_high_percent",
        ),
    )
    return _first(settings, checks)


def _first(settings: Config, checks: tuple[tuple[bool, str, str], ...]) -> str:
    for holds, name, expected in checks:
        if not holds:
            return f"{name} is {_shown(getattr(settings, name))}: expected {expected}"
    return ""


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode().replace('"', "")


def _rising(numbers: list[Decimal]) -> bool:
    return all(0 < number < 1000 for number in numbers) and numbers == sorted(set(numbers))


def _fault_fixed(settings: FixedConfig) -> str:
    targets, shares = list(settings.target_percent), settings.share_percent
    checks = (
        (
            _rising(targets) and len(targets) <= LEVELS_MAX,
            "target_percent",
            f"at most {LEVELS_MAX}, above 0 and rising",
        ),
        (
            all(share > 0 for share in shares) and sum(shares) <= 100,
            "share_percent",
            "each above 0, together at most 100",
        ),
    )
    return _fault(settings) or _first(settings, checks)


def _fault_dca(settings: DcaConfig) -> str:
    deepest = settings.steps * settings.step_percent
    checks = (
        (0 < settings.entry_percent <= 100, "entry_percent", "above 0, at most 100"),
        (0 <= settings.steps <= STEPS_MAX, "steps", f"0 to {STEPS_MAX}"),
        (settings.step_percent > 0 and deepest < 100, "step_percent", "all steps within 100"),
        (0 < settings.growth <= 10, "growth", "above 0, at most 10"),
        (0 < settings.target_percent < 1000, "target_percent", "above 0, below 1000"),
        (
            not settings.stop_percent or settings.stop_percent > deepest,
            "stop_percent",
            f"0, or beyond the last step's {_shown(deepest)}",
        ),
    )
    return _fault(settings) or _first(settings, checks)


def _fault_trailing(settings: TrailingConfig) -> str:
    shares = [share for _, share in settings.levels]
    distances = [distance for _, distance in settings.trail]
    checks = (
        (
            _rising([profit for profit, _ in settings.levels]) and len(shares) <= LEVELS_MAX,
            "levels",
            f"at most {LEVELS_MAX}, their profits above 0 and rising",
        ),
        (
            all(share > 0 for share in shares) and sum(shares) <= 100,
            "levels",
            "shares above 0, together at most 100",
        ),
        (
            _rising([profit for profit, _ in settings.trail]) and len(distances) <= LEVELS_MAX,
            "trail",
            f"at most {LEVELS_MAX}, their profits above 0 and rising",
        ),
        (all(0 < each < 100 for each in distances), "trail", "distances above 0 and below 100"),
    )
    return _fault(settings) or _first(settings, checks)


fixed = TradingMode(
    name="fixed",
    version="1.0",
    doc="One entry with a stop and targets: the signal's where it has them, else in percent.",
    config=FixedConfig,
    plan=_plan_fixed,
    watch=watch_by(_rules_fixed),
    rules=_rules_fixed,
    check=_fault_fixed,
    tunables={"stop_percent": (0.5, 8.0)},
)

dca = TradingMode(
    name="dca",
    version="1.0",
    doc="Adds at falling prices (rising ones of a short), leaves at once above the average price.",
    config=DcaConfig,
    plan=_plan_dca,
    watch=watch_by(_rules_dca),
    rules=_rules_dca,
    check=_fault_dca,
    tunables={
        "steps": (1, 6),
        "step_percent": (0.5, 5.0),
        "growth": (1.0, 2.0),
        "target_percent": (0.3, 5.0),
        "stop_percent": (3.0, 40.0),
    },
)

trailing = TradingMode(
    name="trailing",
    version="1.0",
    doc="Takes profit in levels, then trails the rest from its peak; the stop never moves back.",
    config=TrailingConfig,
    plan=_plan_trailing,
    watch=watch_by(_rules_trailing),
    rules=_rules_trailing,
    check=_fault_trailing,
    tunables={"stop_percent": (0.5, 8.0)},
)
