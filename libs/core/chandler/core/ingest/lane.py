"""One symbol's candles of one granularity: which slots are decided, and which need REST.

A slot is decided once, by a final row or by the venue's lack of one, and never again. The state
is changed in place, for speed (thousands of rows a second); it is reached through its methods
only. Knows nothing of clocks: the venue's time is an argument, in ms.
"""

from typing import Literal, NamedTuple

from chandler.core.granularity import Granularity, interval_ms

GRACE_MS = 15_000  # after the close REST's row is final (bitget-api §1.4: final by +15 s)
FRESH_MS = 2_000  # before the close: an older last update leaves a traded bar in doubt
PAGE_MAX = 200  # rows in one answer of REST
ASK_SLOTS_MAX = PAGE_MAX - 2  # two more rows are asked for: what lies around the slots
SEALED_MAX = ASK_SLOTS_MAX  # slots of which the published row is remembered
DENIALS_MIN = 3  # REST's answers without a row that the socket did show, before it is believed

# open_ms, open, high, low, close, base volume, quote volume
Row = tuple[int, float, float, float, float, float, float]
Source = Literal["ws", "rest"]


class Verdict(NamedTuple):
    """What a slot holds, for ever."""

    row: Row | None  # None: the venue has no candle for it
    source: Source
    checked: bool  # REST has shown it too


class Ask(NamedTuple):
    """Slots of one lane that REST is to confirm or fill, the oldest first."""

    granularity: Granularity
    first_ms: int  # open time of the first slot
    last_ms: int  # open time of the last one; at most ASK_SLOTS_MAX slots in all

    @property
    def limit(self) -> int:
        """Rows to ask for, so that the answer reaches beyond the first slot."""
        return min(PAGE_MAX, (self.last_ms - self.first_ms) // interval_ms(self.granularity) + 3)


class Answer(NamedTuple):
    """What REST said to an ask."""

    ask: Ask
    rows: list[Row]  # in any order; may reach beyond the ask
    asked_at: int  # venue's time just before the request, ms
    forming: bool  # the newest row may still be forming (the endpoint `candles`)


class Taken:
    """What a row over the socket was, as `Lane.take` says."""

    FORMING = 0  # the bar that is forming
    ROLLED = 1  # the first row of a newer bar: the one before it is over
    LATE = 2  # a bar that is over, still undecided: its values count
    KNOWN = 3  # a slot that is out, with the values that are out
    DIFFERS = 4  # a slot that is out, with other values
    REPEATED = 5  # the same frame again
    DISORDERED = 6  # older than a frame that came before it


class Lane:
    """Slots of one granularity from `cursor` on, which is the next one to go out."""

    __slots__ = (
        "_decided_ms",
        "_denials",
        "_forming",
        "_fresh_ms",
        "_held_until",
        "_patient",
        "_rows",
        "_suspects",
        "_ts",
        "_verdicts",
        "cursor",
        "granularity",
        "interval",
        "newest_ms",
        "sealed",
    )

    def __init__(
        self,
        granularity: Granularity,
        cursor: int,
        fresh_ms: int = FRESH_MS,
        patient: bool = False,
    ) -> None:
        self.granularity = granularity
        self._patient = patient  # REST is asked when its answer is final, not before
        self._fresh_ms = fresh_ms
        self.interval = interval_ms(granularity)
        self.cursor = cursor
        self.newest_ms = -1  # open time of the newest bar that the socket showed
        self._forming: Row | None = None
        self._ts = -1  # venue's time of the newest push
        self._rows: dict[int, Row] = {}  # the socket's newest rows of bars that are over
        self._verdicts: dict[int, Verdict] = {}
        self._decided_ms = cursor  # every slot before it is
        self._denials: dict[int, int] = {}
        self._held_until = 0  # REST showed another row than the socket, too early to be final
        self.sealed: dict[int, Verdict] = {}  # the newest that are out
        self._suspects: dict[int, None] = {}  # slots that are out and that REST has to confirm

    @property
    def forming(self) -> Row | None:
        """The newest bar's row, as the socket last showed it."""
        return self._forming

    # The socket

    def take(self, row: Row, ts: int, trusted: bool) -> int:
        """Takes a row of an update; says which of `Taken` it was.

        `trusted`: a bar that is over is sealed with the socket's last row, unless it is in doubt.
        """
        open_ms = row[0]
        if open_ms == self.newest_ms:
            if ts > self._ts:
                self._ts = ts
                self._forming = row
                return Taken.FORMING
            if ts == self._ts and row == self._forming:
                return Taken.REPEATED
            if ts < self._ts:
                return Taken.DISORDERED
            self._forming = row
            return Taken.FORMING
        if open_ms > self.newest_ms:
            self._roll(row, ts, trusted)
            return Taken.ROLLED
        return self._take_old(row, ts)

    def _roll(self, row: Row, ts: int, trusted: bool) -> None:
        over, last_ts = self._forming, self._ts
        self.newest_ms = row[0]
        self._forming = row
        self._ts = max(ts, last_ts)
        if over is None or over[0] < self.cursor:
            return
        if over[0] in self._verdicts:  # its close was known before this row came
            self._compare(over, self._verdicts[over[0]])
            return
        self._rows[over[0]] = over
        # A bar without trades has no updates; its row is flat and stays what it was.
        fresh = over[5] == 0.0 or over[0] + self.interval - last_ts <= self._fresh_ms
        if trusted and fresh:
            self._decide(over[0], Verdict(over, "ws", checked=False))

    def _take_old(self, row: Row, ts: int) -> int:
        open_ms = row[0]
        if open_ms in self._verdicts:
            return self._compare(row, self._verdicts[open_ms])
        if open_ms < self.cursor:
            known = self.sealed.get(open_ms)
            return Taken.KNOWN if known is None else self._compare(row, known)
        before = self._rows.get(open_ms)
        if ts < self._ts:
            if before is None:
                self._rows[open_ms] = row
            return Taken.DISORDERED
        if before == row:
            return Taken.KNOWN
        self._rows[open_ms] = row
        return Taken.LATE

    def _compare(self, row: Row, verdict: Verdict) -> int:
        if verdict.row == row:
            return Taken.KNOWN
        if not verdict.checked:
            self._suspects[row[0]] = None
        return Taken.DIFFERS

    def take_snapshot(self, rows: list[Row], ts: int, final: bool) -> None:
        """Takes the history that follows a subscription.

        `final`: rows of bars that were over a grace before `ts` are the venue's final values.
        """
        for row in sorted(rows):
            open_ms = row[0]
            if open_ms > self.newest_ms:
                self._roll(row, ts - 1, trusted=False)
            elif open_ms == self.newest_ms and ts >= self._ts:
                self._forming = row
            if open_ms < self.cursor or open_ms in self._verdicts:
                continue
            if open_ms + self.interval + GRACE_MS <= ts:
                self._rows[open_ms] = row
                if final:
                    self._decide(open_ms, Verdict(row, "ws", checked=False))
            elif open_ms < self.newest_ms:
                self._rows.setdefault(open_ms, row)
        self._ts = max(self._ts, ts - 1)  # an update of the same moment repeats nothing

    # REST

    def ask(self, now: int) -> Ask | None:
        """The oldest slots that are over, undecided, and not to be waited for; None if none."""
        if now < self._held_until:
            return None
        first = last = -1
        slot = max(self.cursor, self._decided_ms)
        while slot in self._verdicts:
            slot += self.interval
        self._decided_ms = slot
        while self.over(slot, now) and (first < 0 or slot - first < ASK_SLOTS_MAX * self.interval):
            if slot not in self._verdicts:
                first = slot if first < 0 else first
                last = slot
            slot += self.interval
        return None if first < 0 else Ask(self.granularity, first, last)

    def over(self, open_ms: int, now: int) -> bool:
        """Whether REST may be asked about the slot: it is known to be closed."""
        if open_ms < self.newest_ms and not self._patient:
            return True
        return open_ms + self.interval + GRACE_MS <= now

    def check(self, now: int) -> Ask | None:
        """Slots that are out by the socket's word, for REST to confirm; None if none is due."""
        due = [slot for slot in self._suspects if slot + self.interval + GRACE_MS <= now]
        if not due:
            return None
        first = min(due)
        reach = first + ASK_SLOTS_MAX * self.interval
        return Ask(self.granularity, first, max(slot for slot in due if slot < reach))

    def answer(self, answer: Answer) -> list[tuple[Row, Verdict]]:
        """Takes what REST said; returns (REST's row, what is out) where the two differ."""
        rows = {row[0]: row for row in answer.rows}
        if not rows:
            return []
        newest = max(rows)
        if answer.forming:
            del rows[newest]
        differing = []
        for open_ms, row in sorted(rows.items()):
            if open_ms >= self.cursor and open_ms not in self._verdicts:
                self._judge(row, answer.asked_at)
            elif open_ms + self.interval + GRACE_MS <= answer.asked_at:
                differing += self._confirm(row)
        self._deny(answer, rows, newest)
        return differing

    def _judge(self, row: Row, asked_at: int) -> None:
        """Decides an open slot if the row is final: old enough, or both sides say the same."""
        final_ms = row[0] + self.interval + GRACE_MS
        if final_ms <= asked_at:
            self._decide(row[0], Verdict(row, "rest", checked=True))
        elif self._rows.get(row[0]) == row:
            self._decide(row[0], Verdict(row, "rest", checked=False))
        else:
            self._held_until = final_ms

    def _confirm(self, row: Row) -> list[tuple[Row, Verdict]]:
        open_ms = row[0]
        for known in (self._verdicts, self.sealed):
            verdict = known.get(open_ms)
            if verdict is None:
                continue
            self._suspects.pop(open_ms, None)
            if verdict.checked:
                return []
            known[open_ms] = verdict._replace(checked=True)
            return [(row, verdict)] if verdict.row != row else []
        return []

    def _deny(self, answer: Answer, rows: dict[int, Row], newest: int) -> None:
        """Slots that were asked for and are not there, though newer ones are: the venue's gap."""
        ask = answer.ask
        for slot in range(ask.first_ms, ask.last_ms + 1, self.interval):
            if slot in rows or slot >= newest or slot + self.interval + GRACE_MS > answer.asked_at:
                continue
            self._suspects.pop(slot, None)
            if slot < self.cursor or slot in self._verdicts:
                continue
            self._denials[slot] = self._denials.get(slot, 0) + 1
            if slot not in self._rows or self._denials[slot] >= DENIALS_MIN:
                self._decide(slot, Verdict(None, "rest", checked=True))

    # What is decided and what is out

    def _decide(self, open_ms: int, verdict: Verdict) -> None:
        assert open_ms >= self.cursor, f"{self.granularity} {open_ms}: it is out already"
        assert open_ms not in self._verdicts, f"{self.granularity} {open_ms}: decided twice"
        self._verdicts[open_ms] = verdict
        self._rows.pop(open_ms, None)
        self._denials.pop(open_ms, None)

    def verdict(self, open_ms: int) -> Verdict | None:
        """What the slot holds; None while it is undecided."""
        return self._verdicts.get(open_ms)

    def advance(self, cursor: int) -> None:
        """All slots before `cursor` are out."""
        assert cursor >= self.cursor, f"{self.granularity}: from {self.cursor} back to {cursor}"
        for slot in range(self.cursor, cursor, self.interval):
            self._rows.pop(slot, None)
            self._denials.pop(slot, None)
            verdict = self._verdicts.pop(slot, None)
            if verdict is None:
                continue
            self.sealed[slot] = verdict
            if not verdict.checked:
                self._suspects[slot] = None
            if len(self.sealed) > SEALED_MAX:
                oldest = next(iter(self.sealed))
                del self.sealed[oldest]
                self._suspects.pop(oldest, None)
        self.cursor = cursor
