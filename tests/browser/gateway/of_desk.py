"""Answers about agents, positions, trades, orders, refusals."""

import random

from tests.browser.gateway.desk import oid
from tests.browser.gateway.lists import fitting, page, whole
from tests.browser.gateway.market import AGENTS, MINUTE_MS


class OfDesk:
    """Of the desk."""

    def __init__(self, market, desk, empty):
        self.market, self.desk, self.empty = market, desk, empty
        self.chance = random.Random(11)

    def known(self, rows):
        return whole(self.market, rows, self.empty)

    def get_agents(self, name, query):
        if name:
            return {**self.desk.whole(name), "at_ms": self.market.now_ms, "stale": ""}
        return self.known(self.desk.agents())

    def get_balances(self, _, query):
        totals = [] if self.empty else self.desk.totals()
        return {**self.known([]), "totals": totals}

    def get_positions(self, name, query):
        return self.known(fitting(self.desk.open(), query, "agent", "symbol"))

    def get_equity(self, _, query):
        if self.empty:
            return {"items": [], "next": ""}
        since_ms = int(query.get("since_ms") or 0)
        curves = [
            {
                "agent": name,
                "mode": AGENTS[name][0],
                "start": str(AGENTS[name][3]),
                "drawdown_max": 0.03,
                "open": True,
                "points": self.desk.equity(name, since_ms),
            }
            for name in AGENTS
        ]
        return {"items": curves, "next": ""}

    def get_trades(self, name, query):
        rows = [] if self.empty else self.desk.trades
        if name:
            return next((each for each in rows if each["id"] == name), None)
        rows = fitting(rows, query, "agent", "symbol", "side", "source", "reason")
        if query.get("since_ms"):
            rows = [row for row in rows if row["closed_ms"] >= int(query["since_ms"])]
        return page(rows, query)

    def get_orders(self, name, query):
        rows = [
            {
                "id": each[f"{kind}_order"],
                "agent": each["agent"],
                "symbol": each["symbol"],
                "side": each["side"],
                "action": "open" if kind == "entry" else "close",
                "leg": kind if kind == "entry" else each["reason"],
                "state": "filled",
                "size": each["entry_size"],
                "filled": each["entry_size"],
                "price": each[f"{kind}_price"],
                "position": each["id"],
                "source": each["source"],
                "reason": "",
                "changed_ms": each["opened_ms"] if kind == "entry" else each["closed_ms"],
                "at": each["opened_ms"],
            }
            for each in self.desk.trades
            for kind in ("entry", "exit")
        ]
        return page(fitting(rows, query, "agent", "symbol", "position"), query)

    def get_refusals(self, rest, query):
        reasons = ("strength", "no_short_in_pump", "positions_max", "signal_stale", "open_position")
        if rest == "counts":
            return {
                "items": [
                    {"agent": name, "reason": reason, "count": 3 + 7 * at}
                    for name in AGENTS
                    for at, reason in enumerate(reasons)
                ],
                "next": "",
            }
        rows = [
            {
                "id": str(number),
                "agent": list(AGENTS)[number % 4],
                "symbol": self.market.names[number],
                "side": "long",
                "source": "scalper",
                "reason": reasons[number % 5],
                "detail": "strength 0.41: at least 0.5 is needed",
                "account": "paper",
                "at": self.market.now_ms - number * 11 * MINUTE_MS,
                "cause": oid(self.chance),
            }
            for number in range(90)
        ]
        return page([] if self.empty else fitting(rows, query, "agent", "symbol"), query)

    def get_why(self, order, query):
        says = {
            "candle 5m": "close 42,703.10, hash 9f3c…",
            "candle 1H": "close 42,688.40, hash 11ac…",
            "indicators 5m": "rsi(14) 27.41, bbands(20,2).lower 42,511.02",
            "indicators 1H": "ema_slope(50) 0.00214",
            "matrix": "rsi_reversal +0.62, band_reversion +0.48",
            "signal": "long, strength 0.55, from reverter",
            "again": "reverter says the same again, byte for byte",
            "guard": "pump none",
            "desk": "seq 4,411, took Signal; balance 10,214.50",
            "request": "opens long 0.012 at 42,704.20, stop 42,511.00",
            "order": "OrderRequested, OrderSent, OrderAccepted, OrderFilled; now filled",
            "fill": "bought 0.012 BTCUSDT at 42,705.10, fee 0.30747672",
        }
        links = [
            {
                "name": name,
                "place": f"{name.split(' ')[0]}/3/{4711 + at}",
                "says": [said],
                "faults": [],
                "unchecked": ["its topic keeps 7 days"] if name == "indicators 1H" else [],
                "data": None,
            }
            for at, (name, said) in enumerate(says.items())
        ]
        return {"order": order, "links": links[::-1], "differing": 0}
