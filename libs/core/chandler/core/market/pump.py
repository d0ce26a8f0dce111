"""Pumps: the fold from tickers and sealed 1m candles to whether a symbol is pumped, and since when.

A tick is judged by the candles up to its minute, whichever of the two comes first: it waits in the
state for the candle that closes at its time rounded down to the minute.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Literal, NamedTuple

import msgspec

from chandler.core.events import (
    Candle,
    CandleMissing,
    CandleSealed,
    DeadLetter,
    Event,
    Symbol,
    Ticker,
)
from chandler.core.granularity import MINUTE_MS, Granularity, utc
from chandler.core.indicators.compute import check
from chandler.core.market.surge import (
    ENDED,
    HEARTBEAT,
    QUIET,
    STARTED,
    Guard,
    Hold,
    Settings,
    Window,
    fall_of,
    judge,
    rise_of,
    settings_of,
    window,
)
from chandler.core.stage import HoleError, Output, Stage
from chandler.core.trading.agents import PumpConfig
from chandler.core.trading.events import PumpState, TickersOut

NAME = "pump_guard"
MINUTE = Granularity("1m")
Kind = Literal["started", "ended", "heartbeat"]
KINDS: dict[int, Kind] = {HEARTBEAT: "heartbeat", STARTED: "started", ENDED: "ended"}
BOUNDARY_MS = 5 * MINUTE_MS
# Causes of dead letters: a tick whose candle did not come, and one that has no window either.
BLIND, NOT_JUDGED = "judged without its candle", "not judged"
WAITING_MAX = 256  # ticks that wait for a candle: for 25 s; then the oldest is judged without
AHEAD_MINUTES_MAX = 360  # candles that are kept for ticks still to come


class Prices(NamedTuple):
    """Of one minute."""

    low: float
    high: float
    close: float


class Tick(NamedTuple):
    """What counts of a ticker."""

    at: int
    price: float
    volume: float  # of the forming minute so far


class PumpSeries(msgspec.Struct, frozen=True):
    """What is known of one symbol."""

    close_ms: int = -1  # of the newest minute taken in; -1 before the first candle
    hash: str = ""  # of that candle
    prices: tuple[Prices, ...] = ()  # by minute; the last one closes at close_ms
    volumes: tuple[float, ...] = ()  # likewise, further back
    ticks: tuple[Tick, ...] = ()  # that wait for their candle
    at: int = -1  # of the newest record: up to there all is decided
    up: Hold = Hold()
    down: Hold = Hold()
    blind: bool = False  # the newest tick was judged without its candle


class _Fold(msgspec.Struct, frozen=True):
    settings: Settings


def stage(
    config: PumpConfig,
    *,
    heartbeat_ms: int,
    boundary_ms: int = BOUNDARY_MS,
) -> Stage[PumpSeries]:
    """The stage over `tickers` and `candles.1m`, keyed by symbol; it writes to `pumps`.

    `heartbeat_ms`: event time after which a symbol's state is said again; it is also said at each
    multiple of `boundary_ms`, exactly there. TickersOut changes nothing: it is for those who wait
    for tickers.
    """
    fold = _Fold(settings_of(config, heartbeat_ms, boundary_ms))

    def step(state: PumpSeries, event: Event) -> tuple[PumpSeries, Sequence[Output]]:
        if isinstance(event, Ticker):
            return _take_ticker(fold, state, event)
        if isinstance(event, TickersOut):
            return state, ()
        assert isinstance(event, (CandleSealed, CandleMissing)), f"not an input: {event}"
        return _take_candle(fold, state, event)

    return Stage(
        name=NAME, state_type=PumpSeries, key=_key, start=lambda _: PumpSeries(), step=step
    )


def _key(event: Event) -> str:
    if isinstance(event, TickersOut):
        return ""
    assert isinstance(event, (Ticker, CandleSealed, CandleMissing)), f"not an input: {event}"
    return event.symbol


def _take_ticker(
    fold: _Fold, state: PumpSeries, ticker: Ticker
) -> tuple[PumpSeries, Sequence[Output]]:
    if ticker.at <= state.at:
        return state, ()
    try:
        price = float(ticker.last)
    except ValueError:
        price = 0.0
    if not (isfinite(price) and price > 0.0):
        detail = f"last {ticker.last[:40]!r}, expected a positive price"
        return state, (_letter("impossible ticker", "tickers", ticker.symbol, ticker.at, detail),)
    # A forming candle of another minute is sealed already, or not the tick's.
    forming = ticker.minute_open_ms == _minute(ticker.at) and isfinite(ticker.minute_volume)
    volume = max(0.0, ticker.minute_volume) if forming else 0.0
    tick = Tick(ticker.at, price, volume)
    return _settle(fold, ticker.symbol, state, (*state.ticks, tick))


def _take_candle(
    fold: _Fold, state: PumpSeries, candle: Candle
) -> tuple[PumpSeries, Sequence[Output]]:
    topic, symbol, close_ms = f"candles.{MINUTE}", candle.symbol, candle.close_ms
    if candle.granularity != MINUTE:
        return state, ()
    if state.close_ms >= 0 and close_ms <= state.close_ms:
        if close_ms == state.close_ms and candle.hash != state.hash:
            detail = "a second candle for the slot, with other values; the first one stands"
            return state, (_letter("candle differs", topic, symbol, close_ms, detail),)
        return state, ()
    expected = state.close_ms + MINUTE_MS
    if state.close_ms >= 0 and close_ms != expected:
        raise HoleError(
            f"{symbol} {MINUTE}: candle of {utc(close_ms)} follows that of "
            f"{utc(state.close_ms)}: expected {utc(expected)}, look for what is missing in {topic}"
        )
    letters: list[Output] = []
    minute: tuple[Prices, float] | None = None
    if isinstance(candle, CandleSealed):
        try:
            check(candle.open, candle.high, candle.low, candle.close, candle.volume)
            minute = Prices(candle.low, candle.high, candle.close), candle.volume
        except ValueError as error:
            letters.append(_letter("impossible candle", topic, symbol, close_ms, str(error)))
    if minute is None and state.close_ms < 0:
        return state, letters  # nothing to begin with
    after, outputs = _settle(fold, symbol, _grown(fold, state, candle, minute), state.ticks)
    return after, (*letters, *outputs)


def _grown(
    fold: _Fold, state: PumpSeries, candle: Candle, minute: tuple[Prices, float] | None
) -> PumpSeries:
    """The series with one more minute: without a candle nothing was traded in it."""
    prices, volume = minute or (Prices(*[state.prices[-1].close] * 3), 0.0)
    grown = msgspec.structs.replace(
        state,
        close_ms=candle.close_ms,
        hash=candle.hash,
        prices=(*state.prices, prices),
        volumes=(*state.volumes, volume),
    )
    return _trimmed(fold, grown)


def _trimmed(fold: _Fold, state: PumpSeries) -> PumpSeries:
    """Without the minutes that no tick after `at` needs."""
    settings = fold.settings
    ahead = (
        (state.close_ms - _minute(state.at)) // MINUTE_MS if state.at >= 0 else len(state.prices)
    )
    ahead = min(max(ahead, 0), AHEAD_MINUTES_MAX)
    return msgspec.structs.replace(
        state,
        prices=state.prices[-(settings.window_min + ahead) :],
        volumes=state.volumes[-(settings.window_min - 1 + settings.usual_min + ahead) :],
    )


def _settle(
    fold: _Fold, symbol: Symbol, state: PumpSeries, ticks: tuple[Tick, ...]
) -> tuple[PumpSeries, Sequence[Output]]:
    """Judges the ticks that need wait no more, in their order."""
    outputs: list[Output] = []
    done = 0
    for tick in ticks:
        waits = state.close_ms < _minute(tick.at)
        if waits and len(ticks) - done <= WAITING_MAX:
            break
        done += 1
        if waits and state.close_ms < 0:
            continue  # there is nothing yet to judge it by
        behind_ms = _minute(tick.at) - state.close_ms
        near = behind_ms < fold.settings.window_min * MINUTE_MS
        if waits and not state.blind:
            outputs.append(_blind(symbol, tick.at, behind_ms, near=near))
        if waits != state.blind:
            state = msgspec.structs.replace(state, blind=waits)
        if waits and not near:
            continue
        state, records = _judge(fold, symbol, state, tick)
        outputs += [Output("pumps", symbol, record) for record in records]
    left = ticks[done:]
    if left != state.ticks:
        state = msgspec.structs.replace(state, ticks=left)
    return state, outputs


def _blind(symbol: Symbol, at: int, behind_ms: int, *, near: bool) -> Output:
    """Said once, until a tick has its candle again: without a window none is judged at all."""
    cause = BLIND if near else NOT_JUDGED
    detail = (
        f"{WAITING_MAX} ticks wait for the 1m candle of {utc(_minute(at))}, the newest is "
        f"{behind_ms // MINUTE_MS} min older: see what keeps candles.{MINUTE}"
    )
    return _letter(cause, "tickers", symbol, at, detail)


def _judge(
    fold: _Fold, symbol: Symbol, state: PumpSeries, tick: Tick
) -> tuple[PumpSeries, Sequence[PumpState]]:
    """One tick, by the candles up to its minute."""
    before = window_before(fold.settings, state, tick.at)
    if tick.at <= state.at or before is None:
        return state, ()
    guard = Guard(state.at, state.up, state.down)
    boundary = tick.at - tick.at % fold.settings.boundary_ms
    made = judge(fold.settings, guard, before, tick.at, boundary, tick.price, tick.volume)
    records = []
    if made.boundary_ms >= 0:
        records.append(_at_boundary(fold, symbol, guard, state, made.boundary_ms))
    if made.kind == QUIET and made.guard == guard:
        return state, ()
    if made.kind != QUIET:
        records.append(record_of(symbol, made.guard, KINDS[made.kind], before, tick))
    after = msgspec.structs.replace(state, at=made.guard.at, up=made.guard.up, down=made.guard.down)
    return (_trimmed(fold, after) if after.at != state.at else after), records


def window_before(settings: Settings, state: PumpSeries, at: int) -> Window | None:
    """The sealed minutes up to that of `at`; None where no such minute is known."""
    beyond = max(0, state.close_ms - _minute(at)) // MINUTE_MS  # minutes of its future
    end = len(state.prices) - beyond
    if end <= 0:
        return None
    prices = state.prices
    first = max(0, end - settings.window_min)
    low, high, close = zip(*prices[first:end], strict=True)
    ends = len(state.volumes) - beyond
    return window(settings, low, high, close, end - first, state.volumes, ends)


def _at_boundary(
    fold: _Fold, symbol: Symbol, guard: Guard, state: PumpSeries, close_ms: int
) -> PumpState:
    """What was true at a close that lies between two ticks, by its candle's last price."""
    before = window_before(fold.settings, state, close_ms)
    assert before is not None, "a symbol that has a record has minutes up to it"
    return record_of(
        symbol, guard._replace(at=close_ms), "heartbeat", before, Tick(close_ms, before.close, 0.0)
    )


def record_of(symbol: Symbol, guard: Guard, kind: Kind, before: Window, tick: Tick) -> PumpState:
    """The guard's state as it is published."""
    up, down = guard.up.since_ms, guard.down.since_ms
    traded = before.volume + tick.volume
    falls = down and not up
    return PumpState(
        symbol=symbol,
        at=guard.at,
        kind=kind,
        pump="up" if up else "down" if down else "none",
        since_ms=up or down,
        change=fall_of(before, tick.price) if falls else rise_of(before, tick.price),
        volume_ratio=traded / before.usual if before.usual > 0.0 else 0.0,
        both=bool(up and down),
    )


def _minute(at_ms: int) -> int:
    """The close of the newest minute that is over."""
    return at_ms - at_ms % MINUTE_MS


def _letter(cause: str, topic: str, symbol: Symbol, at: int, detail: str) -> Output:
    letter = DeadLetter(
        source=NAME, cause=cause, detail=f"{symbol} {utc(at)}: {detail}", topic=topic
    )
    return Output("dead-letters", NAME, letter)
