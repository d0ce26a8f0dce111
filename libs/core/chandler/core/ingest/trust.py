"""Whether a connection's word alone seals a candle. State is changed in place, for speed."""

from collections.abc import Iterable, Mapping
from typing import Literal

from chandler.core.granularity import Granularity, interval_ms
from chandler.core.ingest.lane import GRACE_MS

Seal = Literal["auto", "confirm", "rollover"]

CLOSES_MIN = 3  # complete ones in a row before a connection is trusted
ANSWER_S_MAX = 1.0  # wall time in which REST has to be able to confirm every symbol
CLOSES_PER_S_MAX = 100.0  # of wall time: more than that one process can't ask for and parse


def confirms_all(
    seal: Seal,
    symbols: int,
    requests_per_second: float,
    rate: float,
    granularities: Iterable[Granularity],
) -> bool:
    """Whether REST confirms every candle before it goes out.

    `rate`: how many times faster than the wall clock the venue's runs; its limits run with it.
    """
    if seal != "auto":
        return seal == "confirm"
    closes_per_s = rate * symbols * sum(1_000 / interval_ms(each) for each in granularities)
    at_once = requests_per_second * rate * ANSWER_S_MAX
    return symbols <= at_once and closes_per_s <= CLOSES_PER_S_MAX


class Trust:
    """Earned by complete closes without a sign of loss, gone with the first sign.

    A close is complete when every lane that has one then rolled over within the grace.
    """

    def __init__(self, lanes: Mapping[Granularity, int], *, always: bool, never: bool) -> None:
        self._lanes = {interval_ms(each): count for each, count in lanes.items() if count}
        self._base = min(self._lanes, default=0)
        self._always = always
        self._never = never
        self._rolled: dict[int, int] = {}  # close → lanes that rolled over
        self._judged_ms = -1  # the newest close that was judged
        self._complete = 0  # complete closes in a row
        self._spoiled = True  # a sign of loss since the last close that was judged

    @property
    def trusted(self) -> bool:
        """Whether a bar that rolls over now may go out without REST."""
        if self._always or self._never:
            return self._always
        return self._complete >= CLOSES_MIN and not self._spoiled

    @property
    def final(self) -> bool:
        """Whether the history that follows a subscription is taken without REST."""
        return not self._never

    def lost(self) -> None:
        """A sign of loss: a gap, a reconnect, a repeated or late frame, a correction."""
        self._spoiled = True
        self._complete = 0

    def rolled(self, close_ms: int) -> None:
        """A lane showed the first row of the bar that opens at `close_ms`."""
        if close_ms > self._judged_ms:
            self._rolled[close_ms] = self._rolled.get(close_ms, 0) + 1

    def lanes(self, lanes: Mapping[Granularity, int]) -> None:
        """A symbol came or went."""
        self._lanes = {interval_ms(each): count for each, count in lanes.items() if count}
        self._base = min(self._lanes, default=0)
        self.lost()

    def tick(self, now: int) -> None:
        """Judges the closes whose grace is over. `now`: venue's time, ms."""
        if not self._base:
            return
        newest = (now - GRACE_MS) // self._base * self._base
        if newest <= self._judged_ms:
            return
        if self._judged_ms < 0 or newest - self._judged_ms > 100 * self._base:
            self._judged_ms = newest - self._base
        for close_ms in range(self._judged_ms + self._base, newest + 1, self._base):
            self._judge(close_ms)
        self._judged_ms = newest
        self._rolled = {close: count for close, count in self._rolled.items() if close > newest}

    def _judge(self, close_ms: int) -> None:
        expected = sum(count for each, count in self._lanes.items() if close_ms % each == 0)
        whole = self._rolled.get(close_ms, 0) >= expected
        self._complete = self._complete + 1 if whole and not self._spoiled else 0
        self._spoiled = False
