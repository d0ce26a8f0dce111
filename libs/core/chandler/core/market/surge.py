"""What a pump is, as arithmetic on one tick and the sealed minutes before it.

Functions of the compiled subset: live they run interpreted (see pump.py), in a backtest compiled.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chandler.core.granularity import MINUTE_MS
from chandler.core.trading.agents import PumpConfig

UNKNOWN = -1.0  # a usual volume that nothing is known of
QUIET, HEARTBEAT, STARTED, ENDED = 0, 1, 2, 3  # what a tick makes the guard say


class Settings(NamedTuple):
    """What the guard judges by."""

    rise_percent: float
    calm_percent: float
    volume_ratio: float
    window_min: int
    usual_min: int
    cool_down_ms: int
    mirror: bool
    heartbeat_ms: int
    boundary_ms: int


class Window(NamedTuple):
    """The sealed minutes before a tick."""

    low: float  # with the close before them
    high: float
    close: float  # of the newest one
    volume: float  # base coin
    usual: float  # volume of as many minutes before the window; UNKNOWN: nothing known


class Hold(NamedTuple):
    """One machine with hysteresis: a pump, or a crash."""

    since_ms: int = 0  # when it started; 0: it is off
    calm_ms: int = 0  # since when it is calm; 0: it is not


class Guard(NamedTuple):
    """Both machines, and the time of the newest record."""

    at: int  # up to there all is decided; -1: nothing yet
    up: Hold
    down: Hold


class Judged(NamedTuple):
    """What a tick made of the guard."""

    guard: Guard
    boundary_ms: int  # a heartbeat is due there, before the tick; -1: none
    kind: int  # what is said at the tick: QUIET, HEARTBEAT, STARTED, ENDED


def settings_of(config: PumpConfig, heartbeat_ms: int, boundary_ms: int) -> Settings:
    """The numbers of a configuration."""
    return Settings(
        rise_percent=config.rise_percent,
        calm_percent=config.calm_percent,
        volume_ratio=config.volume_ratio,
        window_min=config.window_min,
        usual_min=config.usual_min,
        cool_down_ms=config.cool_down_min * MINUTE_MS,
        mirror=config.mirror,
        heartbeat_ms=heartbeat_ms,
        boundary_ms=boundary_ms,
    )


def window(
    settings: Settings,
    low: Sequence[float],
    high: Sequence[float],
    close: Sequence[float],
    end: int,
    volume: Sequence[float],
    volume_end: int,
) -> Window:
    """The window of a tick up to whose minute there are `end` minutes of prices, at least one.

    Volumes reach further back: `volume_end` of them. With the forming minute the window is never
    longer than `window_min`; prices begin with the close before it.
    """
    sealed = settings.window_min - 1
    first = end - sealed if end > sealed else 0
    before = close[first - 1] if first > 0 else close[0]
    bottom = before
    top = before
    for i in range(first, end):
        bottom = low[i] if low[i] < bottom else bottom
        top = high[i] if high[i] > top else top
    begins = volume_end - sealed if volume_end > sealed else 0
    within = 0.0
    for i in range(begins, volume_end):
        within += volume[i]
    start = begins - settings.usual_min if begins > settings.usual_min else 0
    usual = UNKNOWN
    if begins > start:
        total = 0.0
        for i in range(start, begins):
            total += volume[i]
        usual = total / (begins - start) * settings.window_min
    return Window(bottom, top, close[end - 1], within, usual)


def rise_of(window: Window, price: float) -> float:
    """From the window's lowest price, fraction."""
    return price / (window.low if window.low < price else price) - 1.0


def fall_of(window: Window, price: float) -> float:
    """From the window's highest price, fraction, 0 or less."""
    return price / (window.high if window.high > price else price) - 1.0


def judge(
    settings: Settings,
    guard: Guard,
    window: Window,
    at: int,
    boundary_ms: int,
    price: float,
    volume: float,
) -> Judged:
    """One tick, newer than the guard, with the volume of its forming minute.

    `boundary_ms`: the newest multiple of the settings' boundary at or before `at`.
    """
    crossed = 0 <= guard.at < boundary_ms < at
    told = boundary_ms if crossed else guard.at
    traded = window.volume + volume
    usual = window.usual
    busy = (
        settings.volume_ratio <= 0.0
        or usual < 0.0  # too new for a usual volume: the price alone counts
        or traded >= settings.volume_ratio * usual > 0.0
        or usual <= 0.0 < traded
    )
    up = hold(settings, guard.up, 100.0 * rise_of(window, price), at, busy)
    down = Hold(0, 0)
    if settings.mirror:
        down = hold(settings, guard.down, -100.0 * fall_of(window, price), at, busy)
    kind = QUIET
    if (guard.up.since_ms == 0 and up.since_ms != 0) or (
        guard.down.since_ms == 0 and down.since_ms != 0
    ):
        kind = STARTED
    elif (guard.up.since_ms != 0 and up.since_ms == 0) or (
        guard.down.since_ms != 0 and down.since_ms == 0
    ):
        kind = ENDED
    elif told < 0 or boundary_ms == at or at - told >= settings.heartbeat_ms:
        kind = HEARTBEAT
    return Judged(
        Guard(told if kind == QUIET else at, up, down), boundary_ms if crossed else -1, kind
    )


def hold(settings: Settings, before: Hold, percent: float, at: int, busy: bool) -> Hold:
    """One machine after a tick at which the price is `percent` away."""
    met = busy and percent >= settings.rise_percent
    if before.since_ms == 0:
        return Hold(at, 0) if met else before
    if met or percent >= settings.calm_percent:
        return Hold(before.since_ms, 0)
    calm_ms = before.calm_ms if before.calm_ms != 0 else at
    if at - calm_ms >= settings.cool_down_ms:
        return Hold(0, 0)
    return Hold(before.since_ms, calm_ms)
