"""The recorded rows of indicators.* and of matrix against those that are recomputed.

Knows nothing of Kafka: each topic's records come in their order, and are taken as far as the
recomputed rows have come.
"""

from collections.abc import Collection, Iterator, Mapping

from chandler.core.events import Event, IndicatorRow, MatrixRow
from chandler.core.granularity import DAY_MS
from chandler.replay.audit.pairing import Excuse, Following, Made, Pairing, Sides
from chandler.replay.audit.verdict import (
    EVER,
    FOR_EVER_MS,
    NOT_COMPARED,
    Bounds,
    Checked,
    Read,
    of_inputs,
)

SLACK_MS = DAY_MS  # how much older than a partition's first record another one of it may be
OTHER_CONFIG = "other configuration"
OTHER_CODE = "other code"
MATRIX = "matrix"


class Rows:
    """Compares one partition's rows; recompute tells it what is recomputed.

    `records`: each topic's, matrix among them. `configs`: hashes under which today's rows are.
    """

    def __init__(
        self,
        records: Mapping[str, Iterator[Read]],
        *,
        code: str,
        configs: Collection[str],
        bounds: Bounds = EVER,
    ) -> None:
        self._code = code
        self._configs = frozenset(configs)
        self._records = {topic: Following(each) for topic, each in records.items()}
        self._pairings = {
            topic: Pairing(
                topic,
                bounds=bounds,
                floor_ms=_floor(following.head),
                explain=self._explain,
                cause=_cause,
            )
            for topic, following in self._records.items()
        }

    def row(self, row: IndicatorRow) -> None:
        """An indicator row that is recomputed."""
        self._made(f"indicators.{row.granularity}", row.close_ms, row)

    def evaluated(self, row: MatrixRow) -> None:
        """A row of the matrix that is recomputed."""
        self._made(MATRIX, row.close_ms, row)

    def _made(self, topic: str, at: int, row: IndicatorRow | MatrixRow) -> None:
        if topic in self._pairings:
            self._pairings[topic].recomputed(_lane(row), str(at), Made(at, row))
            self._take(topic, at)

    def _take(self, topic: str, at: int) -> None:
        for read in self._records[topic].until(at):
            event = read.event
            if isinstance(event, IndicatorRow | MatrixRow):
                self._pairings[topic].recorded(
                    _lane(event), str(event.close_ms), event.close_ms, read
                )

    def finish(self) -> list[Checked]:
        """What came of it, by topic."""
        for topic in self._records:
            self._take(topic, FOR_EVER_MS)
        return [pairing.finish() for pairing in self._pairings.values()]

    def _explain(self, sides: Sides) -> Excuse | None:
        event: Event | None = None if sides.recorded is None else sides.recorded.event
        if not isinstance(event, IndicatorRow | MatrixRow):
            return None
        if event.config not in self._configs:
            return Excuse(NOT_COMPARED, OTHER_CONFIG)
        return None if event.code == self._code else Excuse(NOT_COMPARED, OTHER_CODE)


def _lane(row: IndicatorRow | MatrixRow) -> str:
    return f"{row.symbol}|{row.granularity}"


def _floor(first: Read | None) -> int:
    if first is None:
        return FOR_EVER_MS
    event = first.event
    assert isinstance(event, IndicatorRow | MatrixRow), f"not a row: {event}"
    return event.close_ms - SLACK_MS


def _cause(sides: Sides) -> str:
    read = sides.recorded
    made = None if sides.made is None else sides.made.event
    if read is None or made is None:
        return ""
    if isinstance(read.event, IndicatorRow) and isinstance(made, IndicatorRow):
        differs = of_inputs([read.event.candle], [made.candle], read.made_from)
        return differs or f"{read.made_from} is the same candle: one before it differs"
    if isinstance(read.event, MatrixRow) and isinstance(made, MatrixRow):
        differs = of_inputs(read.event.inputs, made.inputs)
        return differs or f"its candles are the same, it was made from {read.made_from}"
    return ""
