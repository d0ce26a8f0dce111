"""The market's fold on faust: rows of closes in a table, a view of each window at each close."""

from collections.abc import Iterable
from typing import Any

from chandler.core.events import CandleMissing, CandleSealed, Event, Symbol
from chandler.core.market.windows import Market, Row, next_row, slot
from chandler.core.stage import Output
from chandler.streams.faust_worker import Step


class MarketFold:
    """Keeps each symbol's last day of rows; the table holds them under symbol|slot."""

    def __init__(self) -> None:
        self.market = Market()

    def restore(self, rows: Iterable[tuple[str, Any]]) -> None:
        """Takes in the table as it was left."""
        for key, value in rows:
            self.market.put(Symbol(key.rpartition("|")[0]), Row(*value))

    def take(self, event: Event) -> Step:
        """A candle's row, and the views of a close that is due with it."""
        assert isinstance(event, CandleSealed | CandleMissing)
        row = next_row(self.market.newest(event.symbol), event)
        if row is None:
            return Step()
        self.market.put(event.symbol, row)
        close_ms = self.market.due()
        views = self.market.show(close_ms) if close_ms is not None else []
        return Step(
            rows=[(f"{event.symbol}|{slot(row.close_ms)}", list(row))],
            outputs=[Output("market", view.window, view) for view in views],
        )
