"""What `bench desk` feeds the executor with: candles' tickers and instruments, watermarks."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from benchmarks.stream import History
from chandler.core.events import Event, Instrument, MatrixRow, Signal, Symbol, Ticker
from chandler.core.granularity import DAY_MS, MINUTE_MS, Granularity, interval_ms
from chandler.core.trading.events import ExitsOut, TickersOut
from chandler.exchanges.bitget.symbols import instrument
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.exchanges.simulator.instruments import Quotes, number
from chandler.exchanges.simulator.market import start_ms
from chandler.streams.writing import EVERY, Record

FIVE = Granularity("5m")
FIVE_MS = interval_ms(FIVE)
FAR_MS = 400 * DAY_MS  # nobody watches here: all exits up to there are out


class Feed:
    """The market of the simulator with the same symbols, close by close, at its own times."""

    def __init__(self, symbols: int, before: int) -> None:
        """Begins `before` closes ahead of where the simulator's clock starts."""
        self.history = History(symbols)
        market = self.history.market
        begin = start_ms(SimulatorConfig(symbols=symbols), market.recording)
        first = (begin - market.recording.origin_ms) // FIVE_MS + 1 - before
        self.history.next = dict.fromkeys(range(symbols), first)
        self.symbols = market.symbols
        self._quotes = Quotes(market)

    def close_ms(self, index: int) -> int:
        """The end of the symbol's next 5m candle."""
        return self.history.origin_ms + (self.history.next[index] + 1) * FIVE_MS

    def instruments(self) -> list[Record]:
        """The contracts as the simulator states them."""
        return [
            Record("instruments", symbol, self._instrument(index))
            for index, symbol in enumerate(self.symbols)
        ]

    def _instrument(self, index: int) -> Instrument:
        return instrument(self._quotes.contract(index), self.history.origin_ms)

    def ticker(self, index: int, at: int) -> Record:
        """The symbol's price at `at`."""
        symbol = self.symbols[index]
        price = self.history.market.last_price(index, at)
        bid, ask = self._quotes.touch(index, price)
        ticker = Ticker(
            symbol=Symbol(symbol),
            at=at,
            last=number(price),
            bid=bid,
            ask=ask,
            mark=number(price),
            minute_open_ms=at - at % MINUTE_MS,
            minute_volume=0.0,
        )
        return Record("tickers", symbol, ticker)

    def tickers(self, indexes: Iterable[int], at: int) -> list[Record]:
        """Prices of many, and that all up to there are out."""
        said = TickersOut(shard=0, shards=1, at=at)
        return [
            *(self.ticker(index, at) for index in indexes),
            Record("tickers", "@out", said, partition=EVERY),
        ]

    def no_exits(self, partitions: int) -> list[Record]:
        """Nobody watches positions."""
        at = self.history.origin_ms + FAR_MS
        return [
            Record("exits", "@out", ExitsOut(partition=number, at=at), partition=number)
            for number in range(partitions)
        ]


def silent(symbols: Sequence[str], close_ms: int, engine: str) -> list[Record]:
    """Matrix rows of a close that gave no signal."""
    rows = [replace(_row(Symbol(each), close_ms, engine), verdicts={}) for each in symbols]
    return [Record("matrix", row.symbol, row) for row in rows]


def wishes(symbols: Sequence[str], close_ms: int, engine: str) -> list[Record]:
    """A signal of each symbol, and the matrix row that it stands in."""
    records = []
    for symbol in symbols:
        events: tuple[tuple[str, Event], ...] = (
            ("signals", _signal(Symbol(symbol), close_ms, engine)),
            ("matrix", _row(Symbol(symbol), close_ms, engine)),
        )
        records += [Record(topic, symbol, event) for topic, event in events]
    return records


def _signal(symbol: Symbol, close_ms: int, engine: str) -> Signal:
    return Signal(
        id=f"{symbol}{close_ms}",
        symbol=symbol,
        side="long",
        strength=1.0,
        source=engine,
        granularity=FIVE,
        close_ms=close_ms,
        expires_ms=close_ms + FIVE_MS,
        reason="benchmark",
        inputs=[],
        config="",
        code="",
    )


def _row(symbol: Symbol, close_ms: int, engine: str) -> MatrixRow:
    return MatrixRow(
        symbol=symbol,
        granularity=FIVE,
        close_ms=close_ms,
        notes={},
        absent={},
        verdicts={engine: "long"},
        inputs=[],
        config="",
        code="",
    )
