"""A venue in a table: what it would say over the socket and over REST at any time."""

from chandler.core.granularity import Granularity, interval_ms, slot_open
from chandler.core.ingest.lane import Answer, Ask, Row

M5, M15, H1 = Granularity("5m"), Granularity("15m"), Granularity("1H")
ALL = (M5, M15, H1)
BEGIN = 1_700_002_800_000 - 1_700_002_800_000 % 3_600_000  # a full hour


class Table:
    """Final rows of every slot but the missing ones; a bar that forms has less volume."""

    def __init__(self, missing: frozenset[tuple[Granularity, int]] = frozenset()) -> None:
        self.missing = missing  # (granularity, open_ms)

    def final(self, granularity: Granularity, open_ms: int) -> Row | None:
        if (granularity, open_ms) in self.missing:
            return None
        price = 100.0 + open_ms // 300_000 % 97
        volume = float(interval_ms(granularity))
        return (open_ms, price, price + 2, price - 2, price + 1, volume, volume * price)

    def at(self, granularity: Granularity, now: int) -> Row | None:
        """The forming row."""
        row = self.final(granularity, slot_open(now, granularity))
        if row is None:
            return None
        return (*row[:5], float(now - row[0] + 1), row[6])

    def finished(self, granularity: Granularity, since: int, now: int) -> list[Row]:
        interval = interval_ms(granularity)
        opens = range(slot_open(since, granularity), now - interval + 1, interval)
        return [row for each in opens if (row := self.final(granularity, each)) is not None]

    def answer(self, ask: Ask, now: int) -> Answer:
        """History: the newest finished rows up to the ask's end."""
        since = ask.first_ms - 10 * interval_ms(ask.granularity)
        rows = [row for row in self.finished(ask.granularity, since, now) if row[0] <= ask.last_ms]
        return Answer(ask, rows[-ask.limit :], now, forming=False)

    def recent(self, ask: Ask, now: int) -> Answer:
        """Recent candles with the one that forms."""
        since = ask.first_ms - 10 * interval_ms(ask.granularity)
        rows = self.finished(ask.granularity, since, now)
        forming = self.at(ask.granularity, now)
        return Answer(ask, [*rows, forming] if forming else rows, now, forming=forming is not None)
