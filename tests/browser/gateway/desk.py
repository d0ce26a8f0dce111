"""The made-up desk: agents, positions, trades, orders, signals of tests.browser.gateway.market."""

import math

from tests.browser.gateway.market import (
    AGENTS,
    ENGINES,
    HOUR_MS,
    MINUTE_MS,
    REASONS,
    money,
)

TRADES, POSITIONS = 240, 14


def oid(chance):
    return "".join(chance.choice("0123456789abcdef") for _ in range(24))


class Desk:
    """What the agents hold, did and were told."""

    def __init__(self, market):
        self.market = market
        self.chance = market.chance
        self.switches = {
            name: {"trading": True, "buying": True, "selling": True} for name in AGENTS
        }
        self.switches["venue"]["selling"] = False
        self.paused: dict[str, list[str]] = {name: [] for name in AGENTS}
        self.limits: dict[str, dict[str, str]] = {name: {} for name in AGENTS}
        self.commands = []
        self.trades = [self._trade(number) for number in range(TRADES)]
        self.trades.sort(key=lambda each: -each["closed_ms"])
        self.positions = [self._position(number) for number in range(POSITIONS)]
        self.signals = [self.signal(number * 7 * MINUTE_MS) for number in range(60)]

    def _round(self, symbol, agent, opened_ms):
        side = self.chance.choice(("long", "short"))
        source = self.chance.choice(AGENTS[agent][2] or list(ENGINES))
        price = self.market.level(symbol, opened_ms)
        size = 10 ** round(math.log10(400 / price), 1)
        return (
            {
                "id": oid(self.chance),
                "account": agent if agent != "venue" else "simulator",
                "agent": agent,
                "symbol": symbol,
                "side": side,
                "source": source,
                "leverage": 5,
                "size": money(size, 4),
                "opened_ms": opened_ms,
            },
            price,
            size,
        )

    def _trade(self, number):
        agent = list(AGENTS)[number % 4]
        symbol = self.chance.choice(self.market.names[:60])
        opened_ms = self.market.now_ms - int((number + self.chance.random()) * 40 * MINUTE_MS)
        opened_ms -= 3 * HOUR_MS
        trade, price, size = self._round(symbol, agent, opened_ms)
        sign = 1 if trade["side"] == "long" else -1
        duration = int(self.chance.expovariate(1 / (50 * MINUTE_MS))) + MINUTE_MS
        exit_price = self.market.level(symbol, opened_ms + duration)
        change = sign * (exit_price / price - 1)
        fees, funding = price * size * 0.0012, self.chance.gauss(0, 0.02)
        realised = price * size * change
        reason = self.chance.choice(REASONS[:2] if change > 0 else REASONS[1:])
        return trade | {
            "position": trade["id"],
            "cause": oid(self.chance),
            "size": "0",
            "size_max": money(size, 4),
            "entry_notional": money(size * price, 4),
            "entry_price": money(price, 6),
            "exit_price": money(exit_price, 6),
            "exit_notional": money(size * exit_price, 4),
            "realised": money(realised),
            "fees": money(fees),
            "funding": money(funding),
            "pnl": money(realised - fees - funding),
            "stop": money(price * (1 - sign * 0.012), 6),
            "targets": [money(price * (1 + sign * 0.015), 6)],
            "reason": reason,
            "account": agent,
            "legs": ["entry", reason],
            "entry_order": oid(self.chance),
            "exit_order": oid(self.chance),
            "closed_ms": opened_ms + duration,
            "duration_ms": duration,
        }

    def _position(self, number):
        agent = list(AGENTS)[number % 4]
        opened_ms = self.market.now_ms - int(self.chance.expovariate(1 / (3 * HOUR_MS)))
        position, _, size = self._round(self.market.names[number * 3], agent, opened_ms)
        now = self.market.price[position["symbol"]]
        sign = 1 if position["side"] == "long" else -1
        entry = now * (1 - sign * self.chance.gauss(0.002, 0.012))
        return position | {
            "entry": money(entry, 6),
            "cost": money(entry * size, 6),
            "closing": False,
            "targets": [money(entry * (1 + sign * 0.02), 6)],
            "adds": number % 3 // 2,
            "stop": money(entry * (1 - sign * 0.018), 6),
            "peak": money(now * (1 + sign * 0.004), 6),
            "realised": "0",
            "fees": money(entry * size * 0.0006),
            "funding": "0",
            "age_ms": self.market.now_ms - opened_ms,
        }

    def open(self):
        """Positions with the marks of now."""
        found = []
        for each in self.positions:
            mark = self.market.price[each["symbol"]]
            sign = 1 if each["side"] == "long" else -1
            pnl = sign * (mark - float(each["entry"])) * float(each["size"])
            found.append(
                each
                | {
                    "mark": money(mark, 6),
                    "marked_ms": self.market.now_ms,
                    "unrealised": money(pnl),
                    "pnl": money(pnl),
                }
            )
        return found

    def agents(self):
        held = self.open()
        return [self._agent(name, held) for name in AGENTS]

    def _agent(self, name, held):
        mode, trading_mode, engines, start = AGENTS[name]
        mine = [each for each in held if each["agent"] == name]
        done = [float(each["pnl"]) for each in self.trades if each["agent"] == name]
        unrealised = sum(float(each["unrealised"]) for each in mine)
        return {
            "agent": name,
            "mode": mode,
            "account": name if mode == "paper" else "simulator",
            "trading_mode": trading_mode,
            "engines": engines,
            "switches": self.switches[name],
            "paused": self.paused[name],
            "balance": money(start + sum(done)),
            "equity": money(start + sum(done) + unrealised),
            "pnl_today": money(sum(done[:9])),
            "pnl": money(sum(done)),
            "unrealised": money(unrealised),
            "positions": len(mine),
            "orders": 0,
            "entries_today": 9,
            "blocked": "",
        }

    def whole(self, name):
        """An agent with its settings."""
        agent = next(each for each in self.agents() if each["agent"] == name)
        limits = {
            key: {
                "value": self.limits[name].get(key, value),
                "profile": value,
                "least": "0",
                "most": "1000",
                "whole": key != "size_percent",
                "words": words,
            }
            for key, value, words in (
                ("positions_max", "10", "positions at once"),
                ("size_percent", "4", "an entry's margin, % of the balance"),
                ("leverage", "5", "leverage"),
            )
        }
        return agent | {
            "enabled": True,
            "symbols": [],
            "sides": ["long", "short"],
            "on_opposite": "close",
            "set": {},
            "limits": limits,
        }

    def totals(self):
        """Money of all agents of a mode."""
        found = []
        for mode in ("paper", "live"):
            mine = [each for each in self.agents() if each["mode"] == mode]
            sums = {
                name: money(sum(float(each[name]) for each in mine))
                for name in ("balance", "pnl_today", "pnl", "unrealised", "equity")
            }
            found.append({"mode": mode, "agents": len(mine), **sums})
        return found

    def equity(self, agent, since_ms):
        """Points of the curve whose end is the agent's equity of now."""
        last = float(next(each for each in self.agents() if each["agent"] == agent)["equity"])
        start = AGENTS[agent][3]
        points, best = [], 0.0
        begin = max(since_ms, self.market.now_ms - 7 * 24 * HOUR_MS)
        step = max(1, (self.market.now_ms - begin) // 400)
        for at in range(begin, self.market.now_ms + 1, step):
            share = (at - self.market.now_ms + 7 * 24 * HOUR_MS) / (7 * 24 * HOUR_MS)
            wave = math.log(
                self.market.level(self.market.names[len(agent)], at)
                / self.market.price[self.market.names[len(agent)]]
            )
            value = start + (last - start) * share + wave * start * 0.15
            best = max(best, value)
            points.append(
                {"at": at, "equity": money(value, 2), "drawdown": round(1 - value / best, 6)}
            )
        return points

    def signal(self, ago_ms=0):
        engine = self.chance.choice(list(ENGINES))
        symbol = self.chance.choice(self.market.names[:60])
        side = self.chance.choice(("long", "short"))
        granularity, evaluators, threshold = ENGINES[engine]
        strength = round(self.chance.uniform(threshold, 0.95), 2)
        close_ms = self.market.now_ms - ago_ms
        close_ms -= close_ms % (5 * MINUTE_MS)
        price = self.market.level(symbol, close_ms)
        sign = 1 if side == "long" else -1
        return {
            "id": oid(self.chance),
            "topic": "signals",
            "place": "signals:0:1",
            "symbol": symbol,
            "side": side,
            "strength": strength,
            "source": engine,
            "granularity": granularity,
            "close_ms": close_ms,
            "expires_ms": close_ms + 120_000,
            "stop": price * (1 - sign * 0.012),
            "targets": [price * (1 + sign * 0.018)],
            "agents": [],
            "reason": f"{evaluators[0]} {strength:+.2f}, {evaluators[1]} +0.31",
            "notes": {evaluators[0]: sign * strength, evaluators[1]: 0.31},
            "orders": self.chance.choice((0, 1, 1)),
            "refusals": self.chance.choice((0, 1, 3)),
        }
