"""The recorded states of the pump guard against those that its stage makes again.

Knows nothing of Kafka. A tick is judged by the candles up to its minute, whichever came first: so
each symbol's candles and ticks are folded by time. Where the guard gave up waiting for a candle (a
dead letter says so), where ticks came before a symbol's first candle, or where older ticks are
gone, a difference is explained until both sides are seen to be in the same state again.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from chandler.core.events import CandleMissing, CandleSealed, Symbol, Ticker
from chandler.core.granularity import MINUTE_MS
from chandler.core.market.pump import MINUTE
from chandler.core.stage import HoleError, Stage
from chandler.core.trading.events import PumpState
from chandler.replay.audit.pairing import (
    Excuse,
    Following,
    Made,
    Pairing,
    Sides,
    at_of,
    of_places,
)
from chandler.replay.audit.verdict import (
    EVER,
    EXPLAINED,
    FOR_EVER_MS,
    NOT_COMPARED,
    Bounds,
    Checked,
    Difference,
    Read,
)

TOPIC = "pumps"
CANDLES = f"candles.{MINUTE}"
BLIND = "ticks judged without their candle, as a dead letter says"
EARLY = "ticks that came before the symbol's first candle"
GONE = "older tickers are gone"
OTHER = "other code or configuration"
HOLED = "a hole in its candles"


class Guarding(NamedTuple):
    """What is known of how the guard ran. Times of the venue, but `since_ms`."""

    stage: Stage[Any]  # today's
    boundary_ms: int
    ahead_ms: int  # by which candles may lie ahead of ticks
    since_ms: int = 0  # Kafka's time from which on code and configuration were today's
    whole: bool = True  # topic tickers has all its records
    blind: Mapping[str, Sequence[int]] = {}  # symbol → event times of its dead letters


class _Doubt:
    """Symbols of which the state may be another than the recorded one, and why."""

    def __init__(self, guarding: Guarding) -> None:
        self._guarding = guarding
        self._doubts: dict[str, Excuse] = {}
        self._certain: set[str] = set()
        self._blind_ms: dict[str, int] = {}  # of the newest letter that counts
        self._letters = {symbol: deque(sorted(ats)) for symbol, ats in guarding.blind.items()}

    def recorded(self, read: Read, symbol: str) -> None:
        if read.written_ms < self._guarding.since_ms:
            self._doubts[symbol] = Excuse(NOT_COMPARED, OTHER)

    def of(self, symbol: str, at: int) -> Excuse | None:
        letters = self._letters.get(symbol)
        while letters and letters[0] - self._guarding.boundary_ms <= at:
            self._blind_ms[symbol] = letters.popleft()
            self._doubts.setdefault(symbol, Excuse(EXPLAINED, BLIND))
        if symbol in self._doubts:
            return self._doubts[symbol]
        if not self._guarding.whole and symbol not in self._certain:
            return Excuse(NOT_COMPARED, GONE)
        return None

    def equal(self, read: Read, made: Made) -> None:
        """Both sides said the same; outside a pump nothing else is kept of the past.

        What a candle let out, or the tick itself, was judged with its candle.
        """
        state = read.event
        assert isinstance(state, PumpState), f"not a state of the guard: {state}"
        doubt = self.of(state.symbol, state.at)
        seeing = read.made_from in ("", made.made_from) or read.made_from.startswith(CANDLES)
        calm = state.pump == "none" and not state.both
        if state.at <= self._blind_ms.get(state.symbol, -1):
            return
        if not (seeing and calm) or read.written_ms < self._guarding.since_ms:
            return
        self._certain.add(state.symbol)
        if doubt is not None:
            self._doubts.pop(state.symbol, None)

    def early(self, symbol: str) -> None:
        """Its first tick came before any candle: the guard keeps only some of such ticks."""
        self._doubts.setdefault(symbol, Excuse(EXPLAINED, EARLY))

    def broken(self, symbol: str) -> None:
        self._doubts[symbol] = Excuse(NOT_COMPARED, HOLED)


class _Folding:
    """The guard's stage over one partition."""

    def __init__(self, stage: Stage[Any], pairing: Pairing, doubt: _Doubt) -> None:
        self._stage = stage
        self._pairing = pairing
        self._doubt = doubt
        self._states: dict[str, Any] = {}
        self._broken: set[str] = set()

    def take(self, symbol: Symbol, read: Read) -> None:
        if symbol in self._broken:
            return
        state = self._states.get(symbol)
        if state is None:
            state = self._stage.start(symbol)
        try:
            self._states[symbol], outputs = self._stage.step(state, read.event)
        except HoleError as error:
            self._hole(symbol, read, str(error))
            return
        for output in outputs:
            if isinstance(output.event, PumpState):
                at = output.event.at
                self._pairing.recomputed(symbol, str(at), Made(at, output.event, read.place))

    def _hole(self, symbol: Symbol, read: Read, said: str) -> None:
        self._broken.add(symbol)
        self._doubt.broken(symbol)
        at = getattr(read.event, "at", -1)
        self._pairing.checked.wrong(
            Difference(topic=TOPIC, at=at, symbol=symbol, what=said, cause=read.place)
        )


class _Minutes:
    """The partition's candles as their ticks want them."""

    def __init__(self, candles: Iterator[Read], ahead_ms: int) -> None:
        self._candles = Following(candles)
        self._ahead_ms = ahead_ms
        self._known_ms: dict[Symbol, int] = {}  # close of the symbol's newest one that was read
        self.waiting: defaultdict[Symbol, deque[Read]] = defaultdict(deque)
        self.first_ms: dict[Symbol, int] = {}  # when the symbol's first one was written

    def _keep(self, read: Read) -> None:
        if isinstance(read.event, CandleSealed | CandleMissing):
            symbol = read.event.symbol
            self.waiting[symbol].append(read)
            self.first_ms.setdefault(symbol, read.written_ms)
            self._known_ms[symbol] = read.event.close_ms

    def gather(self, until_ms: int) -> None:
        """What may have come by then."""
        for read in self._candles.until(until_ms + self._ahead_ms):
            self._keep(read)

    def before(self, ticker: Ticker) -> Iterator[Read]:
        """The symbol's up to the tick; its own, even behind others' that are far ahead."""
        self.gather(ticker.at)
        minute = ticker.at - ticker.at % MINUTE_MS
        while self._known_ms.get(ticker.symbol, minute) < minute and self._candles.head is not None:
            self._keep(self._candles.next())
        queue = self.waiting[ticker.symbol]
        while queue and at_of(queue[0].event) <= ticker.at:
            yield queue.popleft()

    def rest(self, until_ms: int) -> Iterator[tuple[Symbol, Read]]:
        """What no tick asked for."""
        self.gather(until_ms)
        for symbol, queue in self.waiting.items():
            for read in queue:
                yield symbol, read


def audit_pumps(
    candles: Iterator[Read],
    tickers: Iterator[Read],
    recorded: Iterator[Read],
    guarding: Guarding,
    *,
    bounds: Bounds = EVER,
) -> Checked:
    """One partition's `pumps` against its candles.1m and tickers, each in the topic's order."""
    doubt = _Doubt(guarding)

    def explain(sides: Sides) -> Excuse | None:
        ats = [at_of(each.event) for each in (sides.recorded, sides.made) if each is not None]
        return doubt.of(sides.lane, max(ats))

    pairing = Pairing(TOPIC, bounds=bounds, explain=explain, cause=of_places, equal=doubt.equal)
    folding = _Folding(guarding.stage, pairing, doubt)
    minutes, states = _Minutes(candles, guarding.ahead_ms), Following(recorded)
    begun: set[Symbol] = set()  # symbols with a tick
    if states.head is None:
        return pairing.finish()

    def compare(until_ms: int) -> None:
        for read in states.until(until_ms):
            if isinstance(read.event, PumpState):
                doubt.recorded(read, read.event.symbol)
                lane, at = read.event.symbol, read.event.at
                pairing.recorded(lane, str(at), at, read)

    last_ms = -1
    for read in tickers:
        if not isinstance(read.event, Ticker):
            continue
        ticker = read.event
        own = list(minutes.before(ticker))
        if ticker.symbol not in begun:
            begun.add(ticker.symbol)
            if read.written_ms < minutes.first_ms.get(ticker.symbol, FOR_EVER_MS):
                doubt.early(ticker.symbol)
        for candle in own:
            folding.take(ticker.symbol, candle)
        folding.take(ticker.symbol, read)
        if ticker.at > last_ms:
            last_ms = ticker.at
            compare(last_ms)
    for symbol, candle in minutes.rest(last_ms):
        folding.take(symbol, candle)
    compare(FOR_EVER_MS)
    return pairing.finish()
