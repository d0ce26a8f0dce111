"""What is said of each symbol: notes, pumps, steps, the last day; and what could not be read.

For services that show it whole; the others don't follow these topics. Bounded by the symbols.
"""

from collections import deque
from typing import NamedTuple

from chandler.core.events import CandleSealed, DeadLetter, Instrument, MatrixRow, Symbol
from chandler.core.granularity import DAY_MS, Granularity
from chandler.core.trading.events import PumpState
from chandler.streams.reader import Record

SCANNED = ("matrix", "pumps", "instruments", "candles.1H", "dead-letters")
SYMBOLS_MAX = 2_000  # of which something is kept
LETTERS_KEPT = 500
HOURS = 24
HOUR = Granularity("1H")


class Noted(NamedTuple):
    """One engine's notes of a symbol, of its newest close."""

    granularity: Granularity  # the engine's base
    close_ms: int
    notes: dict[str, float]  # by evaluator
    absent: dict[str, str]  # evaluator → why there is no note
    verdict: str


class Letter(NamedTuple):
    """A dead letter, and where it stands."""

    offset: int
    written_ms: int
    letter: DeadLetter


class Scanned:
    """The newest of each symbol."""

    def __init__(self) -> None:
        self.notes: dict[Symbol, dict[str, Noted]] = {}  # by engine
        self.pumps: dict[Symbol, PumpState] = {}
        self.instruments: dict[Symbol, Instrument] = {}
        self.letters: deque[Letter] = deque(maxlen=LETTERS_KEPT)  # the newest last
        self._hours: dict[Symbol, deque[tuple[int, float]]] = {}  # open time and price

    def take(self, record: Record) -> None:
        """Takes in a record; of an event that no answer is about nothing."""
        match record.event:
            case MatrixRow() as row:
                self._row(row)
            case PumpState() as state:
                if state.symbol in self.pumps or len(self.pumps) < SYMBOLS_MAX:
                    self.pumps[state.symbol] = state
            case Instrument() as instrument:
                if instrument.symbol in self.instruments or len(self.instruments) < SYMBOLS_MAX:
                    self.instruments[instrument.symbol] = instrument
            case CandleSealed() as candle if candle.granularity == HOUR:
                self._hour(candle)
            case DeadLetter() as letter:
                self.letters.append(Letter(record.offset, record.timestamp_ms, letter))

    def day_open(self, symbol: Symbol, now_ms: int) -> float | None:
        """The price at which the last 24 hours began; None where that hour is not known."""
        begin_ms = now_ms - DAY_MS
        known = self._hours.get(symbol, ())
        opened = [each for each in known if begin_ms - DAY_MS // HOURS < each[0] <= begin_ms]
        return opened[-1][1] if opened else None

    def _row(self, row: MatrixRow) -> None:
        if row.symbol not in self.notes and len(self.notes) >= SYMBOLS_MAX:
            return
        engines = self.notes.setdefault(row.symbol, {})
        for engine, verdict in row.verdicts.items():
            known = engines.get(engine)
            if known is None or row.close_ms >= known.close_ms:
                engines[engine] = Noted(
                    row.granularity,
                    row.close_ms,
                    row.notes.get(engine, {}),
                    row.absent.get(engine, {}),
                    verdict,
                )

    def _hour(self, candle: CandleSealed) -> None:
        if candle.symbol not in self._hours and len(self._hours) >= SYMBOLS_MAX:
            return
        hours = self._hours.setdefault(candle.symbol, deque(maxlen=HOURS + 2))
        hours.append((candle.open_ms, candle.open))
