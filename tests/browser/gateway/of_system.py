"""Answers about services, topics, dead letters, backtests, keys."""

import random

from tests.browser.gateway import runs
from tests.browser.gateway.lists import page, whole
from tests.browser.gateway.market import HOUR_MS, MINUTE_MS

SERVICES = (
    "simulator",
    "ingest",
    "indicators",
    "signals",
    "pump_guard",
    "executor",
    "positions",
    "market",
    "recorder",
    "notifier",
    "gateway",
    "watchdog",
)
TOPICS = (
    "candles.5m",
    "candles.1H",
    "candles.4H",
    "indicators.5m",
    "indicators.1H",
    "matrix",
    "signals",
    "signals.external",
    "tickers",
    "pumps",
    "orders",
    "positions",
    "exits",
    "commands",
    "answers",
    "desk",
    "desk.state",
    "infra",
    "logs",
    "dead-letters",
)
# What each list may be asked with: anything else is refused, as the gateway does.


class OfSystem:
    """Of the system."""

    def __init__(self, market, desk, empty):
        self.market, self.desk, self.empty = market, desk, empty

    def known(self, rows):
        return whole(self.market, rows, self.empty)

    def get_infra(self, rest, query):
        chance = random.Random(3)
        workers = [
            {
                "worker": name,
                "service": name,
                "ready": name != "notifier",
                "state": "ready" if name != "notifier" else "starting",
                "lag": chance.choice((0, 0, 0, 3)),
                "age_s": round(chance.uniform(0.1, 4), 1),
                "behind_s": 125.0 if name == "positions" else 0.0,
                "restarts": 1 if name == "executor" else 0,
                "elsewhere": False,
            }
            for name in SERVICES
        ]
        kinds = ("started", "ready", "crashed", "restarted", "recovered", "ready")
        events = [
            {
                "service": SERVICES[number % 12],
                "instance": f"host:{4100 + number}:0",
                "kind": kinds[number % 6],
                "at": self.market.now_ms - number * 9 * MINUTE_MS,
                "detail": "exit code -9 after 1,402 s" if number % 6 == 2 else "",
            }
            for number in range(24)
        ]
        if rest == "events":
            return page([] if self.empty else events, query)
        return {
            "items": [] if self.empty else workers,
            "next": "",
            "ready": False,
            "clock_ms": self.market.now_ms,
            "close_ms": self.market.now_ms,
            "now_ms": self.market.now_ms,
            "events": events[:12],
            "stale": "",
            "profile": "demo",
            "mode": "paper",
            "venue": "simulator",
            "pace": 60.0,
        }

    def get_dead_letters(self, _, query):
        rows = [
            {
                "source": "signals",
                "cause": "evaluator raised",
                "detail": "rsi_reversal: ZeroDivisionError: division by zero",
                "topic": "indicators.5m",
                "partition": number % 8,
                "offset": 91_244 + number,
                "written_ms": self.market.now_ms - number * HOUR_MS,
                "place": f"dead-letters:0:{number}",
                "raw": '{"type":"IndicatorRow","symbol":"SYN012USDT"}',
            }
            for number in range(6)
        ]
        return {**page([] if self.empty else rows, query), "stale": ""}

    def get_topics(self, _, query):
        chance = random.Random(4)
        rows = []
        for name in TOPICS:
            parts = 1 if name in ("commands", "answers") else 8
            ends = [int(10 ** chance.uniform(2, 5)) for _ in range(parts)]
            rows.append(
                {
                    "name": name,
                    "doc": "",
                    "key": "symbol",
                    "writers": ["ingest"],
                    "partitions": parts,
                    "begin": [0] * parts,
                    "end": ends,
                    "records": sum(ends),
                    "bytes": sum(ends) * 312,
                    "compacted": "state" in name,
                    "retention_ms": chance.choice((-1, 7 * 24 * HOUR_MS)),
                }
            )
        return {"items": rows, "next": ""}

    def get_backtests(self, rest, query):
        rows = [] if self.empty else runs.listed()
        if rest.endswith("/trades"):
            return page(self.desk.trades, query)
        if rest:
            return runs.whole(rest)
        return page(rows, query)

    def get_commands(self, name, query):
        return page(self.desk.commands[::-1], query)

    def get_me(self, _, query):
        return {"name": "olga", "role": "owner", "agents": []}

    def get_keys(self, _, query):
        return page(
            [
                {
                    "id": "k1a2b3",
                    "name": "alerts",
                    "scopes": ["signals"],
                    "agents": [],
                    "expires_ms": 0,
                    "made_ms": self.market.now_ms,
                    "user": "olga",
                }
            ],
            query,
        )

    def get_hooks(self, _, query):
        return page(
            [
                {
                    "id": "h1",
                    "name": "tradingview",
                    "agents": [],
                    "strength": 0.8,
                    "made_ms": self.market.now_ms,
                    "user": "olga",
                }
            ],
            query,
        )
