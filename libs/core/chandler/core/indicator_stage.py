"""Indicators: the fold from sealed candles to one row of indicator values per candle.

A missing slot leaves the values as they are and is passed on as a row that says so.
"""

from collections.abc import Mapping, Sequence

import msgspec

from chandler.core.decision import CLOSE
from chandler.core.events import (
    Candle,
    CandleMissing,
    CandleSealed,
    DeadLetter,
    Event,
    IndicatorRow,
    InputRef,
)
from chandler.core.granularity import Granularity, interval_ms, utc
from chandler.core.hashing import canonical, digest
from chandler.core.indicators.compute import Series, advance, start, values
from chandler.core.indicators.spec import Indicator
from chandler.core.notes import one_line
from chandler.core.stage import HoleError, Output, Stage

NAME = "indicators"


class SeriesState(msgspec.Struct, frozen=True):
    """What is known of one symbol's candles of one granularity."""

    close_ms: int  # of the newest slot taken in; -1 before the first
    hash: str  # of that candle
    series: Series


class _Fold(msgspec.Struct, frozen=True):
    wanted: Mapping[Granularity, Sequence[Indicator]]
    config: Mapping[Granularity, str]  # hash of the indicator list
    code: str


def config_text(indicators: Sequence[Indicator]) -> str:
    """The canonical text of what is computed on one granularity; its hash is in each row."""
    return canonical([indicator.key for indicator in indicators])


def stage(wanted: Mapping[Granularity, Sequence[Indicator]], *, code: str) -> Stage[SeriesState]:
    """The stage over candles.*, keyed by symbol|granularity; it writes to indicators.<granularity>.

    Candles of other granularities than `wanted` are passed by.
    """
    config = {each: digest(config_text(indicators)) for each, indicators in wanted.items()}
    fold = _Fold(wanted, config, code)

    def start_of(key: str) -> SeriesState:
        granularity = Granularity(key.rpartition("|")[2])
        return SeriesState(-1, "", start(wanted.get(granularity, ())))

    def step(state: SeriesState, event: Event) -> tuple[SeriesState, Sequence[Output]]:
        assert isinstance(event, (CandleSealed, CandleMissing)), f"not a candle: {event}"
        return _step(fold, state, event)

    return Stage(
        name=NAME,
        state_type=SeriesState,
        key=_key,
        start=start_of,
        step=step,
        fingerprint=digest(canonical(config), _shapes(wanted)),
    )


def _shapes(wanted: Mapping[Granularity, Sequence[Indicator]]) -> str:
    """What the indicators' states look like: those of another shape can't be gone on with."""
    found = {one.key: repr(one.start) for indicators in wanted.values() for one in indicators}
    return canonical(found)


def _key(event: Event) -> str:
    assert isinstance(event, (CandleSealed, CandleMissing)), f"not a candle: {event}"
    return f"{event.symbol}|{event.granularity}"


def _step(fold: _Fold, state: SeriesState, candle: Candle) -> tuple[SeriesState, Sequence[Output]]:
    if candle.granularity not in fold.wanted:
        return state, ()
    if state.close_ms >= 0 and candle.close_ms <= state.close_ms:
        if candle.close_ms == state.close_ms and candle.hash != state.hash:
            detail = "a second candle for the slot, with other values; the first one stands"
            return state, (_letter("candle differs", candle, detail),)
        return state, ()
    expected = state.close_ms + interval_ms(candle.granularity)
    if state.close_ms >= 0 and candle.close_ms != expected:
        raise HoleError(
            f"{candle.symbol} {candle.granularity}: candle of {utc(candle.close_ms)} follows that "
            f"of {utc(state.close_ms)}: expected {utc(expected)}, "
            f"look for what is missing in candles.{candle.granularity}"
        )
    if isinstance(candle, CandleMissing):
        return _after(fold, state.series, candle, {})
    faults: dict[str, str] = {}

    def on_fault(one: Indicator, error: BaseException) -> None:
        faults.setdefault(one.key, one_line(error))

    indicators = fold.wanted[candle.granularity]
    try:
        series = advance(indicators, state.series, candle, on_fault)
    except ValueError as error:
        # Nothing of it goes into the indicators: the slot counts as one without a candle.
        after, outputs = _after(fold, state.series, candle, {})
        return after, (_letter("impossible candle", candle, str(error)), *outputs)
    found = {CLOSE: candle.close, **values(indicators, series, on_fault)}
    after, outputs = _after(fold, series, candle, found)
    letters = [
        _letter("indicator failed", candle, f"{said}; the others go on", f"{key} ")
        for key, said in faults.items()
    ]
    return after, (*letters, *outputs)


def _after(
    fold: _Fold, series: Series, candle: Candle, found: dict[str, float]
) -> tuple[SeriesState, Sequence[Output]]:
    """The state and the row after a slot; `found` is empty where the slot is missing."""
    row = IndicatorRow(
        symbol=candle.symbol,
        granularity=candle.granularity,
        close_ms=candle.close_ms,
        values=found,
        candle=InputRef(
            symbol=candle.symbol,
            granularity=candle.granularity,
            close_ms=candle.close_ms,
            hash=candle.hash,
        ),
        missing=not found,
        config=fold.config[candle.granularity],
        code=fold.code,
    )
    output = Output(f"indicators.{candle.granularity}", candle.symbol, row)
    return SeriesState(candle.close_ms, row.candle.hash, series), (output,)


def _letter(cause: str, candle: Candle, detail: str, who: str = "") -> Output:
    letter = DeadLetter(
        source=NAME,
        cause=cause,
        detail=f"{who}{candle.symbol} {candle.granularity} {utc(candle.close_ms)}: {detail}",
        topic=f"candles.{candle.granularity}",
    )
    return Output("dead-letters", NAME, letter)
