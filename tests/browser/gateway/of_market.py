"""Answers about symbols, candles, notes, signals, pumps, engines."""

import itertools

from tests.browser.gateway.lists import fitting, page, whole
from tests.browser.gateway.market import AGENTS, ENGINES, MINUTE_MS, STEPS, digits, text


class OfMarket:
    """Of the market."""

    def __init__(self, market, desk, empty):
        self.market, self.desk, self.empty = market, desk, empty

    def known(self, rows):
        return whole(self.market, rows, self.empty)

    def get_symbols(self, _, query):
        rows = []
        for name in self.market.names:
            last = self.market.price[name]
            step = f"{10 ** -digits(last):.{digits(last)}f}"
            rows.append(
                {
                    "symbol": name,
                    "status": "normal",
                    "price_step": step,
                    "size_step": "0.001",
                    "size_min": "0.001",
                    "notional_min": "5",
                    "taker_fee": "0.0006",
                    "maker_fee": "0.0002",
                    "leverage_max": 50,
                    "last": text(last),
                    "bid": text(last),
                    "ask": text(last),
                    "mark": text(last),
                    "at": self.market.now_ms,
                    "change": round(last / self.market.start[name] - 1, 5),
                    "pump": self.market.pumps.get(name, "none"),
                }
            )
        return {**self.known(rows), "granularities": ["5m", "15m", "1H", "4H"]}

    def get_signals(self, name, query):
        rows = [] if self.empty else fitting(self.desk.signals, query, "symbol", "source")
        return page(rows, query)

    def pumps(self):
        return [
            {
                "type": "PumpState",
                "v": 1,
                "symbol": name,
                "pump": pump,
                "kind": "started",
                "since_ms": self.market.now_ms - 17 * MINUTE_MS,
                "change": 0.082 if pump == "up" else -0.064,
                "volume_ratio": 6.2,
                "at": self.market.now_ms,
                "both": False,
            }
            for name, pump in self.market.pumps.items()
        ]

    def get_pumps(self, _, query):
        return self.known(self.pumps())

    def get_matrix(self, _, query):
        names = [query["symbol"]] if query.get("symbol") else None
        return self.known(self.market.matrix(names))

    def get_candles(self, _, query):
        granularity, symbol = query["granularity"], query["symbol"]
        if symbol not in self.market.price:
            return None
        limit = int(query.get("limit", 200))
        assert limit <= 500
        rows = self.market.candles(symbol, granularity, int(query.get("before_ms") or 0), limit)
        names = ("open_ms", "open", "high", "low", "close", "volume")
        items = [dict(zip(names, row, strict=True)) | {"quote_volume": 1.0} for row in rows]
        return {
            "symbol": symbol,
            "granularity": granularity,
            "items": items,
            "before_ms": items[0]["open_ms"],
        }

    def get_indicators(self, _, query):
        granularity, symbol = query["granularity"], query["symbol"]
        if symbol not in self.market.price:
            return None
        limit = int(query.get("limit", 200))
        assert limit <= 500
        rows = self.market.candles(
            symbol, granularity, int(query.get("before_ms") or 0), limit + 60
        )
        closes = [row[4] for row in rows]
        found = []
        for at in range(60, len(rows)):
            recent, long = closes[at - 20 : at + 1], closes[at - 50 : at + 1]
            mean = sum(recent) / len(recent)
            deviation = (sum((each - mean) ** 2 for each in recent) / len(recent)) ** 0.5
            gains = [max(0, one - other) for other, one in itertools.pairwise(recent)]
            losses = [max(0, other - one) for other, one in itertools.pairwise(recent)]
            rsi = 100 * sum(gains) / ((sum(gains) + sum(losses)) or 1)
            values = {
                "ema(20)": mean,
                "ema(50)": sum(long) / len(long),
                "bbands(20,2).upper": mean + 2 * deviation,
                "bbands(20,2).lower": mean - 2 * deviation,
                "rsi(14)": rsi,
                "macd(12,26,9).histogram": mean - sum(long) / len(long),
            }
            found.append(
                {"close_ms": rows[at][0] + STEPS[granularity] * MINUTE_MS, "values": values}
            )
        return {"symbol": symbol, "granularity": granularity, "items": found, "before_ms": 0}

    def get_engines(self, _, query):
        rows = []
        for name, (granularity, evaluators, threshold) in ENGINES.items():
            follow = [
                agent
                for agent, (_, _, engines, _) in AGENTS.items()
                if not engines or name in engines
            ]
            shown = [
                {
                    "name": each,
                    "version": "1.0",
                    "weight": 2.0 - at,
                    "required": at == 0,
                    "tunables": {"oversold": 30.0},
                    "reads": ["rsi(14)"],
                    "doc": "Words.",
                }
                for at, each in enumerate(evaluators)
            ]
            rows.append(
                {
                    "engine": name,
                    "version": "1.0",
                    "doc": "What it looks for.",
                    "granularity": granularity,
                    "enabled": True,
                    "fault": "",
                    "evaluators": shown,
                    "long_threshold": threshold,
                    "short_threshold": -threshold,
                    "cooldown": 6,
                    "sides": ["long", "short"],
                    "symbols": [],
                    "freshness_s": 120,
                    "stop_atr": 1.5,
                    "target_atr": [1.5],
                    "config": "9f",
                    "agents": follow,
                }
            )
        return {"items": rows, "next": ""}
