"""A made-up market and desk that is plausible enough to be looked at: seeded, without a clock."""

import math
import random
from decimal import Decimal

HOSTILE = "<img src=x onerror=alert(1)>"
NOW_MS = 1_705_320_000_000  # 2024-01-15 12:00 UTC
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
STEPS = {"1m": 1, "5m": 5, "15m": 15, "1H": 60, "4H": 240, "1D": 1_440}  # minutes
KNOWN = {
    "BTC": 42_700.0,
    "ETH": 2_530.0,
    "SOL": 96.4,
    "XRP": 0.5741,
    "ADA": 0.5362,
    "DOGE": 0.08,
    "AVAX": 35.6,
    "LINK": 14.2,
    "DOT": 7.21,
    "MATIC": 0.84,
    "LTC": 70.4,
    "BCH": 258.0,
    "UNI": 6.44,
    "ATOM": 9.91,
    "ETC": 26.1,
    "FIL": 5.63,
    "NEAR": 3.42,
    "APT": 9.4,
    "ARB": 2.06,
    "OP": 3.35,
    "INJ": 36.8,
    "SUI": 1.21,
    "SEI": 0.71,
    "TIA": 16.9,
    "RUNE": 4.98,
    "AAVE": 98.6,
    "MKR": 1_990.0,
    "SNX": 3.9,
    "CRV": 0.55,
    "LDO": 3.2,
    "GALA": 0.0257,
    "SAND": 0.47,
    "MANA": 0.46,
    "AXS": 7.7,
    "IMX": 2.1,
    "STX": 1.6,
    "PEPE": 0.00000121,
    "SHIB": 0.0000095,
    "WLD": 2.6,
    "ORDI": 68.0,
}
ENGINES = {
    "scalper": ("5m", ("bollinger_breakout", "macd_momentum"), 0.5),
    "trend": ("1H", ("trend_follow", "macd_momentum"), 0.4),
    "reverter": ("5m", ("rsi_reversal", "band_reversion"), 0.35),
}
AGENTS = {
    "scalper": ("paper", "fixed", ["scalper"], 10_000),
    "trend": ("paper", "trailing", ["trend"], 10_000),
    "reverter": ("paper", "dca", ["reverter"], 10_000),
    "venue": ("live", "fixed", [], 5_000),
}
REASONS = ("take_profit", "stop", "trailing", "stale", "opposite", "person")


def symbols(count=200):
    coins = [f"{name}USDT" for name in KNOWN]
    return (coins + [f"SYN{number:03}USDT" for number in range(count)])[:count]


def digits(price):
    """Places after the point that a venue would show."""
    return max(0, min(10, 4 - math.floor(math.log10(price))))


def text(price):
    return f"{price:.{digits(price)}f}"


class Market:
    """Prices of all symbols that wander; notes that go with them."""

    def __init__(self, count=200, seed=7):
        self.chance = random.Random(seed)
        self.now_ms = NOW_MS
        self.names = symbols(count)
        self.start, self.price = {}, {}
        for name in self.names:
            begin = KNOWN.get(name.removesuffix("USDT")) or 10 ** self.chance.uniform(-3, 2)
            self.start[name] = begin
            self.price[name] = begin * (1 + self.chance.gauss(0, 0.035))
        self.anchor = dict(self.price)  # at NOW_MS
        self.pumps = {name: self.chance.choice(("up", "down")) for name in self.names[14:150:45]}
        self.notes = {name: self._first_notes() for name in self.names}

    def _first_notes(self):
        return {
            engine: {each: self._note() for each in evaluators}
            for engine, (_, evaluators, _) in ENGINES.items()
        }

    def _note(self):
        """Mostly near nothing, seldom strong; now and then there is none."""
        if self.chance.random() < 0.03:
            return None
        value = math.tanh(self.chance.gauss(0, 0.45))
        return round(value, 3)

    def step(self, ms=250):
        """All prices one step on."""
        self.now_ms += ms
        for name in self.names:
            self.price[name] *= 1 + self.chance.gauss(0, 0.00025)

    def turn_notes(self, share=0.2):
        """Notes of some symbols anew; their names."""
        turned = self.chance.sample(self.names, max(1, int(len(self.names) * share)))
        for name in turned:
            for engine in self.notes[name].values():
                for each, old in engine.items():
                    fresh = self._note()
                    engine[each] = (
                        fresh if old is None or fresh is None else round(0.7 * old + 0.3 * fresh, 3)
                    )
        return turned

    def prices(self, names=None):
        return {
            name: [
                text(self.price[name]),
                text(self.price[name] * 1.00003),
                self.now_ms,
            ]
            for name in names or self.names
        }

    def matrix(self, names=None):
        close_ms = self.now_ms - self.now_ms % (5 * MINUTE_MS)
        return [
            {"symbol": name, "close_ms": close_ms, "engines": self.engines(name)}
            for name in names or self.names
        ]

    def rows(self, names):
        """Rows of topic matrix: one a symbol and granularity."""
        found = []
        for name in names:
            engines = self.engines(name)
            for granularity in ("5m", "1H"):
                its = {
                    key: each for key, each in engines.items() if each["granularity"] == granularity
                }
                found.append(
                    {
                        "type": "MatrixRow",
                        "v": 1,
                        "symbol": name,
                        "granularity": granularity,
                        "close_ms": max(each["close_ms"] for each in its.values()),
                        "inputs": [],
                        "notes": {key: each["notes"] for key, each in its.items()},
                        "absent": {key: each["absent"] for key, each in its.items()},
                        "verdicts": {key: each["verdict"] for key, each in its.items()},
                        "config": "",
                        "code": "",
                    }
                )
        return found

    def engines(self, name):
        found = {}
        for engine, notes in self.notes[name].items():
            known = {each: value for each, value in notes.items() if value is not None}
            absent = {each: "rsi(14) not warm" for each in notes if each not in known}
            score = round(sum(known.values()) / len(notes), 3) if not absent else None
            threshold = ENGINES[engine][2]
            verdict = "note absent" if score is None else "below threshold"
            if score is not None and abs(score) >= threshold:
                verdict = "long" if score > 0 else "short"
            found[engine] = {
                "granularity": ENGINES[engine][0],
                "close_ms": self.now_ms - self.now_ms % (STEPS[ENGINES[engine][0]] * MINUTE_MS),
                "score": score,
                "notes": known,
                "absent": absent,
                "verdict": verdict,
            }
        return found

    def candles(self, symbol, granularity, before_ms, limit):
        """Candles that end at the price of now: the same question gives the same answer."""
        step = STEPS[granularity] * MINUTE_MS
        newest = self.now_ms - self.now_ms % step
        end = min(newest + step, before_ms or newest + step)
        found = []
        for open_ms in range(end - end % step - limit * step, end - end % step, step):
            level, until = self.level(symbol, open_ms), self.level(symbol, open_ms + step)
            chance = random.Random(f"{symbol}{granularity}{open_ms}")
            spread = self.start[symbol] * 0.0009 * math.sqrt(STEPS[granularity])
            high = max(level, until) + abs(chance.gauss(0, spread))
            low = max(min(level, until) - abs(chance.gauss(0, spread)), level * 0.5)
            volume = round(abs(chance.gauss(900, 400)) * (1 + abs(until - level) / spread), 2)
            found.append([open_ms, level, high, low, until, volume])
        if found and found[-1][0] == newest:
            found[-1][4] = self.price[symbol]
        return found

    def level(self, symbol, at_ms):
        """The price at a time, from a few waves."""
        chance = random.Random(symbol)
        value, t = 0.0, (at_ms - NOW_MS) / HOUR_MS
        for period in (400, 130, 47, 19, 7.3, 2.9, 1.1, 0.45, 0.2):
            phase = chance.uniform(0, 6.3)
            value += (
                0.011
                * (period / 47) ** 0.5
                * (math.sin(6.283 * t / period + phase) - math.sin(phase))
            )
        return self.anchor[symbol] * math.exp(value)


def money(value, places=8):
    return str(Decimal(str(round(value, places))))
