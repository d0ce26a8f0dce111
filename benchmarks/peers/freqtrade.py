"""freqtrade: its Backtesting, over all pairs by time, with candles from memory.

python -m benchmarks.peers.freqtrade FILE

It fills at the next candle's open by itself. `startup_candle_count` is 0, for it would cut off
candles that others trade on. On the last candle it enters nothing, so that it can lack one entry a
symbol there. A stop and a ROI that are never reached stand for none. Markets are made from the
file: nothing is asked of an exchange. Its own loaders and reports aren't part of the run.
"""

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.history import get_timerange
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting

from benchmarks.peers.task import (
    CASH,
    FEE,
    QUOTE,
    Candles,
    Found,
    measure,
)

VENUE = "bitget"
STEP = 1e-10  # of prices and amounts: finer than any; a finer one makes it refuse the market


@dataclass(frozen=True)
class Ready:
    backtesting: Backtesting
    frames: dict[str, pd.DataFrame]  # by pair
    folder: tempfile.TemporaryDirectory[str]  # empty; goes when this goes


def pair(symbol: str) -> str:
    return f"{symbol.removesuffix('USDT')}/USDT"


def market(symbol: str) -> dict[str, Any]:
    """A spot market, in ccxt's words."""
    return {
        "id": symbol,
        "symbol": pair(symbol),
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "type": "spot",
        "spot": True,
        "active": True,
        "taker": FEE,
        "maker": FEE,
        "precision": {"price": STEP, "amount": STEP},
        "limits": {"amount": {}, "price": {}, "cost": {}},
        "info": {},
    }


def configuration(symbols: list[str], folder: Path) -> dict[str, Any]:
    return {
        "runmode": RunMode.BACKTEST,
        "dry_run": True,
        "dry_run_wallet": CASH * len(symbols),
        "stake_currency": "USDT",
        "stake_amount": QUOTE,
        "tradable_balance_ratio": 1.0,
        "max_open_trades": -1,
        "timeframe": "5m",
        "trading_mode": "spot",
        "margin_mode": "",
        "fee": FEE,
        "strategy": "Cross",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategy"),
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"name": VENUE, "pair_whitelist": [pair(each) for each in symbols]},
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "user_data_dir": folder,
        "datadir": folder,
        "exportdirectory": folder,
        "export": "none",
        "original_config": {},
    }


def prepare(candles: Candles) -> Ready:
    symbols = [*candles]
    folder = tempfile.TemporaryDirectory()
    made = configuration(symbols, Path(folder.name))
    exchange = Exchange(made, validate=False)
    exchange._api_async.set_markets([market(each) for each in symbols])
    exchange._api.set_markets_from_exchange(exchange._api_async)
    exchange._markets = exchange._api_async.markets
    exchange._last_markets_refresh = int(time.time() * 1_000)
    frames = {pair(each): frame(candles[each]) for each in symbols}
    return Ready(Backtesting(made, exchange), frames, folder)


def frame(candles: pd.DataFrame) -> pd.DataFrame:
    dates = pd.to_datetime(candles["open_time"], unit="ms", utc=True)
    return candles.assign(date=dates)[["date", "open", "high", "low", "close", "volume"]]


def run(ready: Ready) -> Found:
    backtesting = ready.backtesting
    backtesting._set_strategy(backtesting.strategylist[0])
    began = time.perf_counter()
    processed = backtesting.strategy.advise_all_indicators(ready.frames)
    seconds = time.perf_counter() - began
    start, end = get_timerange(processed)
    trades = backtesting.backtest(processed=processed, start_date=start, end_date=end)["results"]
    return Found(
        entries=lambda: [
            (name.replace("/", ""), int(at.timestamp() * 1_000))
            for name, at in zip(trades["pair"], trades["open_date"], strict=True)
        ],
        pnl=float(trades["profit_abs"].sum()),
        seconds_indicators=seconds,
    )


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    measure("freqtrade", "freqtrade", prepare, run)
