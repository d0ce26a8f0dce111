"""What the venue says of an instrument: contract, ticker, depth, funding; and its number format."""

import math
import random
from decimal import Decimal
from typing import Any, NamedTuple

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.resample import Bar
from chandler.exchanges.simulator.market import Market
from chandler.exchanges.simulator.recording import SLOT_MS

FUNDING_H = 8
FUNDING_MS = FUNDING_H * HOUR_MS
HOUR_SLOTS = HOUR_MS // SLOT_MS
DAY_SLOTS = DAY_MS // SLOT_MS
DEPTH_LEVELS_MAX = 100
MAKER_FEE, TAKER_FEE = "0.0002", "0.0006"
KEEP_MARGIN = {"BTCUSDT": "0.004"}  # of the first tier, fraction of a position's value
KEEP_MARGIN_DEFAULT = "0.01"


def keep_margin_rate(symbol: str) -> str:
    """Margin that has to stay, fraction of a position's value."""
    return KEEP_MARGIN.get(symbol, KEEP_MARGIN_DEFAULT)


def number(value: float) -> str:
    """Decimal digits that read back as the same double; never an exponent."""
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def row_text(bar: Bar) -> str:
    """A candle as the socket sends it: eight strings, the last two equal for USDT-M."""
    quote = number(bar.quote_volume)
    return (
        f'["{bar.open_ms}","{number(bar.open)}","{number(bar.high)}","{number(bar.low)}",'
        f'"{number(bar.close)}","{number(bar.volume)}","{quote}","{quote}"]'
    )


def row_strings(bar: Bar) -> list[str]:
    """A candle as REST answers it: seven strings."""
    return [str(bar.open_ms), *map(number, bar[1:])]


class Day(NamedTuple):
    """The 24 hours before a slot."""

    open: float
    high: float
    low: float
    base_volume: float
    quote_volume: float
    open_utc: float  # price at 00:00 UTC


class Quotes:
    """Tickers of all symbols; what changes only with the slot is kept with it."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._days: dict[int, tuple[int, Day]] = {}
        self._tails: dict[int, tuple[tuple[int, int], str]] = {}

    def frame(self, index: int, price: float, slot: int, now_ms: int) -> str:
        """The ticker frame that the socket pushes, built from parts: there are many."""
        kept = self._tails.get(index)
        key = (_hour(index, slot), now_ms // FUNDING_MS)
        if kept is None or kept[0] != key:
            kept = self._tails[index] = (key, self._tail(index, slot))
        day = self._day(index, slot)
        symbol, text = self._market.symbols[index], number(price)
        bid, ask = self.touch(index, price)
        return (
            '{"action":"snapshot","arg":{"instType":"USDT-FUTURES","channel":"ticker",'
            f'"instId":"{symbol}"}},"data":[{{"instId":"{symbol}","lastPr":"{text}",'
            f'"bidPr":"{bid}","askPr":"{ask}","markPrice":"{text}","indexPrice":"{text}",'
            f'"high24h":"{number(max(day.high, price))}","low24h":"{number(min(day.low, price))}",'
            f'"change24h":"{number(round(price / day.open - 1, 5))}",'
            f'{kept[1]},"ts":"{now_ms}"}}],"ts":{now_ms}}}'
        )

    def ticker(self, index: int, now_ms: int) -> dict[str, Any]:
        """The ticker that REST answers."""
        price = self._market.last_price(index, now_ms)
        day = self._day(index, now_ms // SLOT_MS)
        text = number(price)
        bid, ask = self.touch(index, price)
        size = number(_depth_size(day, price))
        return {
            "symbol": self._market.symbols[index],
            "lastPr": text,
            "askPr": ask,
            "bidPr": bid,
            "bidSz": size,
            "askSz": size,
            "high24h": number(max(day.high, price)),
            "low24h": number(min(day.low, price)),
            "ts": str(now_ms),
            "change24h": number(round(price / day.open - 1, 5)),
            "baseVolume": number(day.base_volume),
            "quoteVolume": number(day.quote_volume),
            "usdtVolume": number(day.quote_volume),
            "openUtc": number(day.open_utc),
            "changeUtc24h": number(round(price / day.open_utc - 1, 5)),
            "indexPrice": text,
            "fundingRate": self.funding_rate(index, now_ms),
            "holdingAmount": number(round(day.base_volume / 10, 3)),
            "deliveryStartTime": None,
            "deliveryTime": None,
            "deliveryStatus": "",
            "open24h": number(day.open),
            "markPrice": text,
        }

    def funding_rate(self, index: int, now_ms: int) -> str:
        """The seeded rate of the interval that `now_ms` lies in."""
        interval = now_ms // FUNDING_MS
        rng = random.Random(f"{self._market.seed}|funding|{self._market.symbols[index]}|{interval}")
        return f"{min(max(rng.gauss(0.0001, 0.0001), -0.003), 0.003):.6f}"

    def funding(self, index: int, now_ms: int) -> dict[str, str]:
        """The funding rate in force and when it is settled."""
        return {
            "symbol": self._market.symbols[index],
            "fundingRate": self.funding_rate(index, now_ms),
            "fundingRateInterval": str(FUNDING_H),
            "nextUpdate": str((now_ms // FUNDING_MS + 1) * FUNDING_MS),
            "minFundingRate": "-0.003",
            "maxFundingRate": "0.003",
        }

    def depth(self, index: int, levels: int, now_ms: int) -> dict[str, Any]:
        """A seeded book around the price, as numbers; it holds still for a minute."""
        price = self._market.last_price(index, now_ms)
        size = _depth_size(self._day(index, now_ms // SLOT_MS), price)
        symbol, decimals = self._market.symbols[index], self._decimals(index)
        rng = random.Random(f"{self._market.seed}|depth|{symbol}|{now_ms // MINUTE_MS}")
        step = max(10.0**-decimals, price * 0.00005)
        sides: dict[str, list[list[float]]] = {"asks": [], "bids": []}
        for name, sign in (("asks", 1), ("bids", -1)):
            for level in range(1, min(levels, DEPTH_LEVELS_MAX) + 1):
                at = round(price + sign * step * level, decimals)
                if at > 0:
                    sides[name].append([at, round(size * rng.uniform(0.3, 1.7), 4)])
        scale = number(10.0**-decimals)
        return {**sides, "ts": str(now_ms), "scale": scale, "precision": "scale0"} | {
            "isMaxPrecision": "NO"
        }

    def contract(self, index: int) -> dict[str, Any]:
        """Steps, sizes and fees, from the price at which the recording begins."""
        market = self._market
        symbol = market.symbols[index]
        tape = market.recording.tapes[index]
        size_place = max(0, math.floor(math.log10(tape.open[tape.first])))
        size_step = format(Decimal(1).scaleb(-size_place), "f")
        removed = market.delisted.get(symbol)
        return {
            "symbol": symbol,
            "baseCoin": symbol.removesuffix("USDT"),
            "quoteCoin": "USDT",
            "buyLimitPriceRatio": "0.05",
            "sellLimitPriceRatio": "0.05",
            "feeRateUpRatio": "0.005",
            "makerFeeRate": MAKER_FEE,
            "takerFeeRate": TAKER_FEE,
            "openCostUpRatio": "0.01",
            "supportMarginCoins": ["USDT"],
            "minTradeNum": size_step,
            "priceEndStep": "1",
            "volumePlace": str(size_place),
            "pricePlace": str(tape.decimals),
            "sizeMultiplier": size_step,
            "symbolType": "perpetual",
            "minTradeUSDT": "5",
            "maxSymbolOrderNum": "200",
            "maxProductOrderNum": "400",
            "maxPositionNum": "150",
            "symbolStatus": "normal" if removed is None else "off",
            "offTime": "-1" if removed is None else str(removed),
            "limitOpenTime": "-1" if removed is None else str(removed),
            "deliveryTime": "",
            "deliveryStartTime": "",
            "deliveryPeriod": "",
            "launchTime": str(market.recording.origin_ms),
            "fundInterval": str(FUNDING_H),
            "minLever": "1",
            "maxLever": "150" if symbol == "BTCUSDT" else "50",
            "posLimit": "0.05",
            "maintainTime": "",
            "openTime": "",
            "maxMarketOrderQty": "",
            "maxOrderQty": "",
            "isRwa": "NO",
        } | market.changed.get(symbol, {})

    def level_size(self, index: int, now_ms: int) -> float:
        """Base coin on one level of the book."""
        price = self._market.last_price(index, now_ms)
        return _depth_size(self._day(index, now_ms // SLOT_MS), price)

    def _decimals(self, index: int) -> int:
        return self._market.recording.tapes[index].decimals

    def touch(self, index: int, price: float) -> tuple[str, str]:
        """Best bid and ask: the last price is the bid, the ask one step above."""
        decimals = self._decimals(index)
        return number(price), number(round(price + 10.0**-decimals, decimals))

    def _tail(self, index: int, slot: int) -> str:
        day = self._day(index, slot)
        now_ms = slot * SLOT_MS
        size = number(_depth_size(day, day.open_utc))
        return (
            f'"bidSz":"{size}","askSz":"{size}","open24h":"{number(day.open)}",'
            f'"fundingRate":"{self.funding_rate(index, now_ms)}",'
            f'"nextFundingTime":"{(now_ms // FUNDING_MS + 1) * FUNDING_MS}",'
            f'"holdingAmount":"{number(round(day.base_volume / 10, 3))}",'
            f'"baseVolume":"{number(day.base_volume)}","quoteVolume":"{number(day.quote_volume)}",'
            f'"openUtc":"{number(day.open_utc)}","symbolType":1,'
            f'"symbol":"{self._market.symbols[index]}","deliveryPrice":"0"'
        )

    def _day(self, index: int, slot: int) -> Day:
        """The candles of 24 hours, renewed every hour; not for all symbols at the same moment."""
        slot = _hour(index, slot)
        kept = self._days.get(index)
        if kept is not None and kept[0] == slot:
            return kept[1]
        market = self._market
        bars = [b for s in range(slot - DAY_SLOTS, slot) if (b := market.recorded(index, s))]
        if bars:
            midnight = slot * SLOT_MS // DAY_MS * DAY_MS
            since = next((bar.open for bar in bars if bar.open_ms >= midnight), bars[-1].close)
            day = Day(
                bars[0].open,
                max(bar.high for bar in bars),
                min(bar.low for bar in bars),
                sum(bar.volume for bar in bars),
                sum(bar.quote_volume for bar in bars),
                since,
            )
        else:
            price = market.last_price(index, slot * SLOT_MS)
            day = Day(price, price, price, 0.0, 0.0, price)
        self._days[index] = (slot, day)
        return day


def _hour(index: int, slot: int) -> int:
    return slot - (slot + index) % HOUR_SLOTS


def _depth_size(day: Day, price: float) -> float:
    """Size on one level: a 20,000th of a day's volume, at least 50 quote coins."""
    return max(round(day.base_volume / 20_000, 3), float(f"{50 / price:.3g}"))
