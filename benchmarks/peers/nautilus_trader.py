"""nautilus_trader: all symbols in one BacktestEngine, event by event.

python -m benchmarks.peers.nautilus_trader FILE

A strategy for each symbol. Averages are nautilus' own compiled ones; they would start from the
first value, so they are given the mean of the first n values as the first one, and RSI is put
together from two of its Wilder averages. Its rounding is another one (a × new + (1 - a) × old).

Bars carry the time of their close. An order that is made on a bar is filled at once, at that
bar's close, which is the moment of the next candle's open but not its price: entries are the same,
PnL differs a little. With a delay it would be filled at the next close instead. Bars have a
volume in which 100 quote coin are nothing, for nautilus takes it as depth and slips beyond it.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage, WilderMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, CurrencyType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.task import (
    CASH,
    FAST,
    FEE,
    INTERVAL_MS,
    QUOTE,
    RSI,
    RSI_MAX,
    SLOW,
    Candles,
    Found,
    measure,
)

VENUE = Venue("FILE")
DEPTH = 1e12  # base coin
SIZE_PRECISION = 8
PRICE_PRECISION_MAX = 16


class CrossConfig(StrategyConfig):
    instrument_id: InstrumentId
    bar_type: BarType


class Seeded:
    """An average of nautilus that starts from the mean of its first values."""

    def __init__(self, average: ExponentialMovingAverage | WilderMovingAverage) -> None:
        self.average = average
        self.first: list[float] = []
        self.ready = False

    def update(self, value: float) -> None:
        if self.ready:
            self.average.update_raw(value)
            return
        self.first.append(value)
        if len(self.first) == self.average.period:
            self.average.update_raw(sum(self.first) / len(self.first))
            self.ready = True


class Cross(Strategy):
    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.fast = Seeded(ExponentialMovingAverage(FAST))
        self.slow = Seeded(ExponentialMovingAverage(SLOW))
        self.gain = Seeded(WilderMovingAverage(RSI))
        self.loss = Seeded(WilderMovingAverage(RSI))
        self.before: tuple[float, float] | None = None  # EMA 12 and 26 of the candle before
        self.close: float | None = None

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        close = bar.close.as_double()
        self.fast.update(close)
        self.slow.update(close)
        if self.close is not None:
            change = close - self.close
            self.gain.update(change if change > 0 else 0.0)
            self.loss.update(-change if change < 0 else 0.0)
        self.close = close
        if not self.slow.ready:
            return
        fast, slow = self.fast.average.value, self.slow.average.value
        before, self.before = self.before, (fast, slow)
        if before is None:
            return
        if before[0] <= before[1] and fast > slow:
            if self.strength() < RSI_MAX and self.portfolio.is_flat(self.config.instrument_id):
                self.enter(close)
        elif before[0] >= before[1] and fast < slow:
            self.close_all_positions(self.config.instrument_id)

    def strength(self) -> float:
        gain, loss = self.gain.average.value, self.loss.average.value
        return 100.0 * gain / (gain + loss) if gain + loss else 0.0

    def enter(self, close: float) -> None:
        self.submit_order(
            self.order_factory.market(
                instrument_id=self.config.instrument_id,
                order_side=OrderSide.BUY,
                quantity=self.instrument.make_qty(QUOTE / close),
            )
        )


@dataclass(frozen=True)
class Market:
    """Instruments, and the bars of all of them by time."""

    instruments: list[tuple[CryptoPerpetual, BarType]]
    bars: list[Bar]


def instrument(symbol: str, precision: int) -> CryptoPerpetual:
    base = Currency(symbol.removesuffix("USDT"), 8, 0, symbol, CurrencyType.CRYPTO)
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(symbol), VENUE),
        raw_symbol=Symbol(symbol),
        base_currency=base,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=precision,
        size_precision=SIZE_PRECISION,
        price_increment=Price(10.0**-precision, precision),
        size_increment=Quantity(10.0**-SIZE_PRECISION, SIZE_PRECISION),
        maker_fee=Decimal(str(FEE)),
        taker_fee=Decimal(str(FEE)),
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def prepare(candles: Candles) -> Market:
    """Prices have as many decimals as the symbol's have in the file."""
    instruments, bars = [], []
    for symbol, frame in candles.items():
        prices = frame[["open", "high", "low", "close"]]
        digits = range(PRICE_PRECISION_MAX + 1)
        precision = next(n for n in digits if np.array_equal(prices.round(n), prices))
        made = instrument(symbol, precision)
        bar_type = BarType.from_str(f"{made.id}-5-MINUTE-LAST-EXTERNAL")
        closed = pd.to_datetime(frame["open_time"] + INTERVAL_MS, unit="ms", utc=True)
        timed = prices.set_index(pd.DatetimeIndex(closed))
        instruments.append((made, bar_type))
        bars.extend(BarDataWrangler(bar_type, made).process(timed, default_volume=DEPTH))
    bars.sort(key=lambda bar: bar.ts_init)
    return Market(instruments, bars)


def run(market: Market) -> Found:
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    start = Money(CASH * len(market.instruments), USDT)
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [start], base_currency=USDT)
    for each, bar_type in market.instruments:
        engine.add_instrument(each)
        tag = each.raw_symbol.value
        engine.add_strategy(
            Cross(CrossConfig(instrument_id=each.id, bar_type=bar_type, order_id_tag=tag))
        )
    engine.add_data(market.bars)
    engine.run()
    entries = [
        (order.instrument_id.symbol.value, order.ts_last // 1_000_000)
        for order in engine.cache.orders()
        if order.side == OrderSide.BUY and order.is_closed
    ]
    balance = engine.portfolio.account(VENUE).balance_total(USDT)
    unrealised = engine.portfolio.unrealized_pnls(VENUE).get(USDT)
    pnl = balance.as_double() - start.as_double()
    engine.dispose()
    return Found(entries=lambda: entries, pnl=pnl + (unrealised.as_double() if unrealised else 0))


if __name__ == "__main__":
    measure("nautilus_trader", "nautilus_trader", prepare, run)
