"""What is kept of topics for answers, each bounded. Records of a partition come in their order."""

from collections import deque
from itertools import chain

from chandler.core.events import (
    CandlesOut,
    InfraEvent,
    Instrument,
    LogLine,
    MarketView,
    Signal,
)
from chandler.streams.reader import Record

SIGNALS_KEPT = 500
LINES_KEPT = 200  # of each service's log
SERVICES_MAX = 100  # whose lines and events are kept
WINDOWS_MAX = 20
CRASHES_KEPT = 100


class Lately:
    """What the market, the engines and the services said lately."""

    def __init__(self) -> None:
        self.windows: dict[str, MarketView] = {}
        self.symbols: set[str] = set()  # that ingest follows
        self.close_ms = 0  # the newest close of any candle that is out
        self.closes: dict[tuple[str, str], int] = {}  # of each symbol and granularity
        self.infra: dict[str, InfraEvent] = {}  # the newest of each service
        self.crashes: deque[InfraEvent] = deque(maxlen=CRASHES_KEPT)
        self._signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self._lines: dict[str, deque[LogLine]] = {}

    def take(self, record: Record) -> None:
        """Takes in a record; of an event that no answer is about nothing."""
        match record.event:
            case MarketView() as view:
                if view.window in self.windows or len(self.windows) < WINDOWS_MAX:
                    self.windows[view.window] = view
            case CandlesOut() as out:
                self.symbols.add(out.symbol)
                self.close_ms = max(self.close_ms, out.at)
                self.closes[out.symbol, out.granularity] = out.at
            case Instrument() as instrument:
                self.symbols.add(instrument.symbol)
            case Signal() as signal:
                self._signals.append(signal)
            case LogLine() as line:
                self._line(line)
            case InfraEvent() as event:
                self._infra(event)

    @property
    def newest_ms(self) -> int:
        """The newest event time; 0: unknown."""
        return max(self.close_ms, *(each.at for each in self.windows.values()), 0)

    def signals(self) -> list[Signal]:
        """The newest first."""
        return sorted(self._signals, key=lambda each: (-each.close_ms, -each.strength, each.id))

    def lines(self, services: frozenset[str]) -> list[LogLine]:
        """What these services logged, in order of time; of all services where none is named."""
        wanted = services or frozenset(self._lines)
        found = chain.from_iterable(self._lines.get(each, ()) for each in wanted)
        return sorted(found, key=lambda each: each.at)

    def _line(self, line: LogLine) -> None:
        if line.service not in self._lines and len(self._lines) >= SERVICES_MAX:
            return
        self._lines.setdefault(line.service, deque(maxlen=LINES_KEPT)).append(line)

    def _infra(self, event: InfraEvent) -> None:
        if event.kind == "crashed":
            self.crashes.append(event)
        known = self.infra.get(event.service)
        if known is None and len(self.infra) >= SERVICES_MAX:
            return
        if known is None or event.at >= known.at:
            self.infra[event.service] = event
