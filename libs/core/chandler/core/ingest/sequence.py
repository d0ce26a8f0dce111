"""One symbol's candles of all granularities, in the one order in which they go out.

By close, the longest granularity first: a close's higher candles stand before its base candle.
Each slot goes out exactly once, as CandleSealed or CandleMissing, none is stepped over. State is
changed in place, for speed. Knows nothing of clocks, sockets and topics.
"""

from collections.abc import Mapping
from typing import NamedTuple

from chandler.core.events import Candle, CandleCorrected, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, by_length
from chandler.core.ingest.lane import (
    FRESH_MS,
    Answer,
    Ask,
    Lane,
    Row,
    Source,
    Taken,
    Verdict,
)
from chandler.core.ingest.trust import Trust

CAUSES = {
    Taken.DIFFERS: "differs from the sealed candle",
    Taken.REPEATED: "repeated frame",
    Taken.DISORDERED: "out of order",
}
FUTURE = "from the future"


class Ready(NamedTuple):
    """A candle that may go out now, and who said so."""

    candle: Candle
    source: Source


class Fault(NamedTuple):
    """Something about the input that isn't right; nothing else stops."""

    cause: str  # short and stable: a metric's label
    detail: str  # one line


class Push(NamedTuple):
    """Rows of one lane as the socket brought them."""

    granularity: Granularity
    rows: list[Row]
    ts: int  # venue's time of the push, ms
    snapshot: bool


class Sequence:
    """All lanes of one symbol. `starts`: the first slot of each granularity to go out."""

    def __init__(
        self,
        symbol: Symbol,
        starts: Mapping[Granularity, int],
        *,
        fresh_ms: int = FRESH_MS,
        ahead_ms: int = 0,
        patient: bool = False,
    ) -> None:
        self.symbol = symbol
        longest_first = reversed(by_length(set(starts)))
        self.lanes = {each: Lane(each, starts[each], fresh_ms, patient) for each in longest_first}
        self._ahead_ms = ahead_ms  # what our idea of the venue's clock may be wrong by
        self.stirred = True  # something may be ready or to be asked for; whoever looks clears it

    # Input

    def take(self, push: Push, now: int, trust: Trust) -> list[Fault]:
        """Takes rows of the socket, tells `trust` what it sees; returns what was wrong.

        `now`: venue's time, ms.
        """
        lane = self.lanes[push.granularity]
        latest = now + max(lane.interval, self._ahead_ms)
        faults: list[Fault] = []
        if push.snapshot:
            rows = [row for row in push.rows if row[0] <= latest]
            faults += [self._fault(FUTURE, lane, row) for row in push.rows if row[0] > latest]
            lane.take_snapshot(rows, push.ts, final=trust.final)
            self.stirred = True
            return faults
        for row in push.rows:
            if row[0] > latest:
                faults.append(self._fault(FUTURE, lane, row))
                continue
            taken = lane.take(row, push.ts, trust.trusted)
            if taken == Taken.FORMING:
                continue
            self.stirred = True
            if taken == Taken.ROLLED:
                trust.rolled(row[0])
            elif taken != Taken.KNOWN:
                trust.lost()
                if taken in CAUSES:
                    faults.append(self._fault(CAUSES[taken], lane, row))
        return faults

    def _fault(self, cause: str, lane: Lane, row: Row) -> Fault:
        return Fault(cause, f"{self.symbol} {lane.granularity} {row[0]}: {row[1:]}")

    def answer(self, answer: Answer) -> list[CandleCorrected]:
        """Takes what REST said; returns where it contradicts what is out."""
        granularity = answer.ask.granularity
        return [
            self._corrected(granularity, row, verdict, answer.asked_at)
            for row, verdict in self.lanes[granularity].answer(answer)
        ]

    def _corrected(
        self, granularity: Granularity, row: Row, verdict: Verdict, seen_at: int
    ) -> CandleCorrected:
        return CandleCorrected(
            symbol=self.symbol,
            granularity=granularity,
            open_ms=row[0],
            sealed_hash=self._candle(granularity, row[0], verdict.row).hash,
            open=row[1],
            high=row[2],
            low=row[3],
            close=row[4],
            volume=row[5],
            quote_volume=row[6],
            seen_at=seen_at,
        )

    # Output

    def asks(self, now: int) -> list[Ask]:
        """What REST has to confirm or fill, the oldest close first: one ask for each lane."""
        found = [ask for lane in self.lanes.values() if (ask := lane.ask(now)) is not None]
        return sorted(found, key=lambda ask: ask.first_ms + self.lanes[ask.granularity].interval)

    def checks(self, now: int) -> list[Ask]:
        """What is out by the socket's word and REST has not confirmed yet."""
        return [ask for lane in self.lanes.values() if (ask := lane.check(now)) is not None]

    def ready(self, most: int) -> list[Ready]:
        """The next candles to go out, in order; the same ones until `sent` is told."""
        cursors = {granularity: lane.cursor for granularity, lane in self.lanes.items()}
        found: list[Ready] = []
        while len(found) < most:
            # Lanes are longest first, and min keeps the first of equals.
            lane = min(
                self.lanes.values(), key=lambda each: cursors[each.granularity] + each.interval
            )
            open_ms = cursors[lane.granularity]
            verdict = lane.verdict(open_ms)
            if verdict is None:
                break
            candle = self._candle(lane.granularity, open_ms, verdict.row)
            found.append(Ready(candle, verdict.source))
            cursors[lane.granularity] = open_ms + lane.interval
        return found

    def behind_ms(self, now: int) -> int:
        """How long ago the oldest slot closed that isn't out; negative while none has."""
        return max(now - lane.cursor - lane.interval for lane in self.lanes.values())

    def sent(self, newest: Mapping[Granularity, int]) -> None:
        """Candles up to these open times are out: after a commit, or read back from the topic.

        ValueError if less is out than this sequence was told before.
        """
        for granularity, open_ms in newest.items():
            lane = self.lanes.get(granularity)
            if lane is None:
                continue
            cursor = open_ms + lane.interval
            if cursor < lane.cursor:
                raise ValueError(
                    f"{self.symbol} {granularity}: candles.last says {open_ms}, expected at least "
                    f"{lane.cursor - lane.interval}: the topic lost what was committed"
                )
            lane.advance(cursor)

    def _candle(self, granularity: Granularity, open_ms: int, row: Row | None) -> Candle:
        if row is None:
            return CandleMissing(symbol=self.symbol, granularity=granularity, open_ms=open_ms)
        _, opened, high, low, close, volume, quote_volume = row
        return CandleSealed(
            symbol=self.symbol,
            granularity=granularity,
            open_ms=open_ms,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=quote_volume,
        )
