"""Made-up backtests: a list, and one whole."""

import math
import random

from tests.browser.gateway.market import HOUR_MS, NOW_MS

DAY_MS = 24 * HOUR_MS
NAMES = (
    "20240115-1130-trend",
    "20240114-0910-trend",
    "20240112-1745-demo",
    "20240110-0801-demo",
    "20240108-2212-reverter",
)


def listed():
    return [_row(name, number) for number, name in enumerate(NAMES)]


def _row(name, number):
    chance = random.Random(name)
    total = round(chance.gauss(0.04, 0.06), 5)
    start = 30_000
    return {
        "id": name,
        "profile": name.rpartition("-")[2],
        "made_ms": NOW_MS - number * 2 * DAY_MS,
        "from_ms": NOW_MS - 45 * DAY_MS,
        "to_ms": NOW_MS - DAY_MS,
        "agents": ["scalper", "trend"],
        "candles": 1_244_160,
        "digest": "5b1f9c" * 4,
        "config": "9f2c81d0",
        "code": "ab12cd34",
        "start": str(start),
        "balance": f"{start * (1 + total):.2f}",
        "trades": 412 + 31 * number,
        "pnl": f"{start * total:.2f}",
        "win_rate": 0.54 - number / 100,
        "profit_factor": round(1.3 - number / 12, 3),
        "total_return": total,
        "drawdown": -round(abs(chance.gauss(0.05, 0.02)), 4),
        "sharpe": round(chance.gauss(1.3, 0.8), 3),
        "sortino": round(chance.gauss(1.9, 0.9), 3),
    }


def figures(chance, trades, pnl):
    return {
        "trades": trades,
        "wins": trades // 2,
        "losses": trades - trades // 2,
        "pnl": f"{pnl:.2f}",
        "gained": f"{abs(pnl) * 3:.2f}",
        "lost": f"{-abs(pnl) * 2:.2f}",
        "best": "214.11",
        "worst": "-143.20",
        "win_rate": 0.53,
        "profit_factor": 1.21,
        "average": pnl / trades,
        "average_win": 31.2,
        "average_loss": -25.5,
        "losing_streak": 6,
        "holding_ms": 4_100_000,
        "open_trades": 1,
        "open_pnl": "0",
        "fees": "311.02",
        "funding": "12.4",
        "notional": "512004.1",
        "turnover": 17.0,
        "time_open": 0.81,
    }


def whole(name):
    """One run, or None."""
    row = next((each for each in listed() if each["id"] == name), None)
    if row is None:
        return None
    chance = random.Random(name)
    measured = {
        "performance": _performance(row),
        "exposure": {"mean": 0.31, "greatest": 0.92},
        "trades": figures(chance, row["trades"], float(row["pnl"])),
    }
    parts = {
        part: {
            each: figures(chance, 100 + 7 * at, chance.gauss(60, 200))
            for at, each in enumerate(names)
        }
        for part, names in (
            ("engine", ("scalper", "trend")),
            ("symbol", ("BTCUSDT", "ETHUSDT", "SOLUSDT")),
            ("month", ("2023-12", "2024-01")),
            ("reason", ("stop", "take_profit", "stale")),
            ("side", ("long", "short")),
        )
    }
    return row | {
        "starts": {"scalper": "15000", "trend": "15000"},
        "balances": {"scalper": "15210.4", "trend": "15401.2"},
        "metrics": {
            "portfolio": measured,
            "agents": {"scalper": measured, "trend": measured},
            "benchmarks": {},
            "breakdowns": parts,
        },
        "refusals": {"scalper": {"strength": 41, "positions_max": 9}},
        "signals": {"scalper": 1_204, "trend": 233},
        "notes": ["Each candle became four prices: there were no recorded tickers."],
        "timings": {"whole": 2.4},
        "curves": _curves(row),
    }


def _performance(row):
    return {
        "start": 30_000.0,
        "end": float(row["balance"]),
        "days": 44,
        "total_return": row["total_return"],
        "cagr": 0.41,
        "volatility": 0.22,
        "sharpe": row["sharpe"],
        "sortino": row["sortino"],
        "calmar": 4.2,
        "drawdown": {
            "depth": row["drawdown"],
            "start_ms": NOW_MS,
            "trough_ms": NOW_MS,
            "recovered_ms": None,
            "duration_ms": 6 * DAY_MS,
        },
        "drawdown_within": None,
        "best_day": {"when": "2023-12-20", "value": 0.021},
        "worst_day": {"when": "2024-01-03", "value": -0.017},
        "best_month": None,
        "worst_month": None,
        "months": {"2023-12": 0.031, "2024-01": -0.004},
    }


def _curves(row):
    found = []
    for at, (name, kind) in enumerate(
        (("portfolio", "portfolio"), ("scalper", "agent"), ("trend", "agent"))
    ):
        chance = random.Random(row["id"] + name)
        start, steps = (30_000.0 if at == 0 else 15_000.0), 400
        times = [
            row["from_ms"] + (row["to_ms"] - row["from_ms"]) * each // steps
            for each in range(steps + 1)
        ]
        drift, values, value = row["total_return"] / steps, [], start
        for each in range(steps + 1):
            value *= 1 + drift + chance.gauss(0, 0.0018) + 0.0006 * math.sin(each / 31)
            values.append(round(value, 2))
        found.append({"name": name, "kind": kind, "start": start, "t": times, "v": values})
    return found
