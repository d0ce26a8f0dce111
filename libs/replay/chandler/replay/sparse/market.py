"""What decisions see of the market at a time: prices, instruments, funding, guards."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from chandler.core.events import FundingRate, Instrument, Symbol, Ticker
from chandler.core.trading.events import PumpState, Seen
from chandler.core.watermarks.seen import IN_FORCE_AFTER_MS
from chandler.replay.sparse.guard import Guarded
from chandler.replay.sparse.prices import Prices
from chandler.replay.sparse.watch import NEVER

T = TypeVar("T", Instrument, FundingRate)


class History(Generic[T]):
    """One symbol's records of a topic, by the time from which they hold: `after_ms` after seen."""

    def __init__(self, records: Sequence[T], *, early: bool, after_ms: int = 0) -> None:
        self.early = early
        self.records: list[T] = sorted(records, key=lambda each: each.seen_at)
        self._ats: list[int] = [each.seen_at + after_ms for each in self.records]

    def at(self, at: int) -> T | None:
        """The one in force; None before the first, unless that counts early."""
        found = bisect_right(self._ats, at)
        if found:
            return self.records[found - 1]
        return self.records[0] if self.records and self.early else None

    def changes_after(self, at: int) -> int:
        """When the next one comes into force."""
        found = max(int(self.early), bisect_right(self._ats, at))
        return self._ats[found] if found < len(self._ats) else NEVER


class Guards(Protocol):
    """The pump guard's states."""

    def state(self, at: int) -> PumpState | None: ...


class Market:
    """All symbols. `guard`: makes a symbol's guard when it is asked for first; None: there is none.

    `early`: whether an instrument's or a rate's first record holds before its own time, too, as
    where history is older than what is known of them.
    """

    def __init__(
        self,
        prices: Mapping[Symbol, Prices],
        instruments: Mapping[Symbol, Sequence[Instrument]],
        funding: Mapping[Symbol, Sequence[FundingRate]],
        guard: Callable[[Symbol], Guarded] | None,
        *,
        early: bool = True,
    ) -> None:
        self.prices = prices
        self.instruments = {
            each: History(records, early=early) for each, records in instruments.items()
        }
        self.funding = {
            each: History(records, early=early, after_ms=IN_FORCE_AFTER_MS)
            for each, records in funding.items()
        }
        self._guard = guard
        self._guards: dict[Symbol, Guards] = {}

    def seen(self, symbol: Symbol, at: int, *, guarded: bool) -> Seen:
        """What the desk sees of a symbol at a time that is no ticker's."""
        prices = self.prices.get(symbol)
        row = -1 if prices is None else prices.row_at(at)
        return Seen(
            ticker=prices.tickers.ticker(row) if prices is not None and row >= 0 else None,
            guard=self._guarded(symbol, at) if guarded else None,
            instrument=self.instrument(symbol, at),
        )

    def met(self, ticker: Ticker) -> Seen:
        """What it sees at a ticker."""
        rates = self.funding.get(ticker.symbol)
        return Seen(
            ticker=ticker,
            instrument=self.instrument(ticker.symbol, ticker.at),
            funding=rates.at(ticker.at) if rates is not None else None,
        )

    def instrument(self, symbol: Symbol, at: int) -> Instrument | None:
        """The symbol's in force."""
        kept = self.instruments.get(symbol)
        return kept.at(at) if kept is not None else None

    def _guarded(self, symbol: Symbol, at: int) -> PumpState | None:
        if self._guard is None or symbol not in self.prices:
            return None
        if symbol not in self._guards:
            self._guards[symbol] = self._guard(symbol)
        return self._guards[symbol].state(at)

    def changes_after(self, symbol: Symbol, at: int) -> int:
        """When the symbol's instrument or funding rate changes next."""
        return min(
            kept[symbol].changes_after(at) if symbol in kept else NEVER
            for kept in (self.instruments, self.funding)
        )
