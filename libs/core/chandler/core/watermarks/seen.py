"""The market that a decision sees: newest ticker, instrument, funding, and guard at a time.

Knows nothing of how it arrives; what is not newer changes nothing.
"""

import bisect

import msgspec

from chandler.core.events import Event, FundingRate, Instrument, Ticker
from chandler.core.trading.events import PumpState, Seen

# Nobody waits for funding rates. So that it doesn't matter to the millisecond when one arrives, it
# is in force only so long after it was seen: a rate that is late by less changes no decision.
IN_FORCE_AFTER_MS = 600_000


class MarketKept(msgspec.Struct, frozen=True):
    """A market as JSON."""

    tickers: list[Ticker] = []
    instruments: list[Instrument] = []
    guards: dict[str, list[PumpState]] = {}
    fundings: list[FundingRate] = []


class Market:
    """What was taken in so far, by symbol."""

    def __init__(self, kept: MarketKept | None = None) -> None:
        kept = kept or MarketKept()
        self.tickers: dict[str, Ticker] = {each.symbol: each for each in kept.tickers}
        self.instruments: dict[str, Instrument] = {each.symbol: each for each in kept.instruments}
        self._guards = {symbol: list(states) for symbol, states in kept.guards.items()}
        self._fundings: dict[str, list[FundingRate]] = {}
        for rate in kept.fundings:
            self._rate(rate)

    def take(self, event: Event) -> None:
        """Takes in a ticker, an instrument, a rate or a pump's state; others change nothing."""
        if isinstance(event, Ticker):
            known = self.tickers.get(event.symbol)
            if known is None or event.at > known.at:
                self.tickers[event.symbol] = event
        elif isinstance(event, Instrument):
            kept = self.instruments.get(event.symbol)
            if kept is None or event.seen_at >= kept.seen_at:
                self.instruments[event.symbol] = event
        elif isinstance(event, FundingRate):
            self._rate(event)
        elif isinstance(event, PumpState):
            self._guard(event)

    def _guard(self, state: PumpState) -> None:
        states = self._guards.setdefault(state.symbol, [])
        if not states or state.at > states[-1].at:
            states.append(state)

    def _rate(self, rate: FundingRate) -> None:
        rates = self._fundings.setdefault(rate.symbol, [])
        found = bisect.bisect_right(rates, rate.seen_at, key=lambda each: each.seen_at)
        if not found or rates[found - 1].seen_at < rate.seen_at:
            rates.insert(found, rate)

    def knows(self, symbol: str) -> bool:
        """Whether the symbol was ever heard of."""
        return symbol in self.tickers or symbol in self.instruments or symbol in self._guards

    def guarded(self) -> dict[str, int]:
        """How far each symbol's guard has come."""
        return {symbol: states[-1].at for symbol, states in self._guards.items() if states}

    def guard(self, symbol: str, at: int) -> PumpState | None:
        """The guard's newest state at or before `at`."""
        states = self._guards.get(symbol, ())
        found = bisect.bisect_right(states, at, key=lambda state: state.at)
        return states[found - 1] if found else None

    def funding(self, symbol: str, at: int) -> FundingRate | None:
        """The rate in force: the newest that was seen IN_FORCE_AFTER_MS before `at`, or earlier."""
        rates = self._fundings.get(symbol, ())
        found = bisect.bisect_right(rates, at - IN_FORCE_AFTER_MS, key=lambda each: each.seen_at)
        return rates[found - 1] if found else None

    def forget(self, at: int) -> None:
        """Drops guards' states and rates that nobody at or after `at` can see."""
        for rates in self._fundings.values():
            since = at - IN_FORCE_AFTER_MS
            found = bisect.bisect_right(rates, since, key=lambda each: each.seen_at)
            del rates[: max(0, found - 1)]
        for states in self._guards.values():
            found = bisect.bisect_right(states, at, key=lambda state: state.at)
            del states[: max(0, found - 1)]

    def seen(self, symbol: str, at: int, *, funding: bool = False) -> Seen:
        """What a decision at `at` sees of a symbol; its funding rate where that is asked for."""
        return Seen(
            ticker=self.tickers.get(symbol),
            guard=self.guard(symbol, at),
            instrument=self.instruments.get(symbol),
            funding=self.funding(symbol, at) if funding else None,
        )

    def kept(self, at: int) -> MarketKept:
        """What was taken in, but for guards' states after `at`: of those there may be any number.

        Who keeps it reads them again.
        """
        guards = {
            symbol: states[: bisect.bisect_right(states, at, key=lambda state: state.at)]
            for symbol, states in self._guards.items()
        }
        return MarketKept(
            tickers=list(self.tickers.values()),
            instruments=list(self.instruments.values()),
            guards={symbol: states for symbol, states in guards.items() if states},
            fundings=[rate for rates in self._fundings.values() for rate in rates],
        )
