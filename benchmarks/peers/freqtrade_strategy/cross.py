"""The work as a strategy of freqtrade, which looks for it in a folder."""

from typing import Any, ClassVar

import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy

from benchmarks.peers.task import FAST, RSI, RSI_MAX, SLOW


class Cross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    startup_candle_count = 0
    stoploss = -0.9999
    minimal_roi: ClassVar = {"0": 1e9}
    use_exit_signal = True
    process_only_new_candles = True

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: Any) -> pd.DataFrame:
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=FAST)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=SLOW)
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=RSI)
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: Any) -> pd.DataFrame:
        fast, slow = dataframe["fast"], dataframe["slow"]
        crossed = (fast.shift(1) <= slow.shift(1)) & (fast > slow)
        dataframe.loc[crossed & (dataframe["rsi"] < RSI_MAX), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: Any) -> pd.DataFrame:
        fast, slow = dataframe["fast"], dataframe["slow"]
        dataframe.loc[(fast.shift(1) >= slow.shift(1)) & (fast < slow), "exit_long"] = 1
        return dataframe
