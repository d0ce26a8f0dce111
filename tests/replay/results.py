"""Results for tests: seeded prices, trades on them, and the equity that follows from the trades."""

from decimal import Decimal

import msgspec
import numpy as np

from chandler.core.events import Symbol
from chandler.core.granularity import DAY_MS, MINUTE_MS
from chandler.core.hashing import digest
from chandler.core.trading.events import Direction, OrderFilled
from chandler.core.trading.money import minus, places, times
from chandler.replay.result import Curve, Origin, Result, Trade

FROM_MS = 1_704_067_200_000  # 2024-01-01
STEP_MS = 5 * MINUTE_MS
START = Decimal(10_000)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT", "LINKUSDT", "AVAXUSDT", "XRPUSDT", "OPUSDT")
ENGINES = ("scalper_5m", "trend_1h", "external")
REASONS = ("stop", "take_profit", "trailing", "stale", "opposite")
FEE = Decimal("0.0006")


def made(seed=1, days=90, agents=("steady", "bold"), symbols=4, trades=240, step_ms=STEP_MS):
    """A result; with trades=0 or agents=() one in which nothing happened."""
    random = np.random.default_rng(seed)
    slots = days * DAY_MS // step_ms
    at_ms = FROM_MS + step_ms * np.arange(1, slots + 1, dtype=np.int64)
    names = [SYMBOLS[i] if i < len(SYMBOLS) else f"SYN{i:03}USDT" for i in range(symbols)]
    bars = {Symbol(name): _bars(random, at_ms - step_ms, 40_000 / 7 ** (i % 8)) for i, name in
            enumerate(names)}  # fmt: skip
    made_trades, fills = [], []
    for number in range(trades if agents else 0):
        agent = agents[number % len(agents)]
        trade, its = _trade(random, agent, names[random.integers(symbols)], bars, at_ms, number)
        made_trades.append(trade)
        fills += its
    made_trades.sort(key=lambda each: (each.opened_ms, each.symbol))
    fills.sort(key=lambda each: (each.at, each.symbol, each.trade))
    parts = [bars[name]["close"] / bars[name]["open"][0] for name in bars]
    return Result(
        origin=Origin(
            profile="demo", config=digest("config"), code=digest("code"),
            candles=int(slots * symbols), ticks=int(slots * symbols * 4), source="topics",
            from_tickers=False, digest=digest(*(f"{each.id}{each.price}" for each in fills)),
        ),
        from_ms=FROM_MS,
        to_ms=int(FROM_MS + days * DAY_MS),
        at_ms=at_ms,
        curves={name: _curve(name, made_trades, bars, at_ms) for name in agents},
        trades=made_trades,
        fills=fills,
        events=list(fills),
        refusals={name: {"weak": 1_204, "pumped": 31, "cooling_down": 218} for name in agents},
        signals={"scalper_5m": 2_210, "trend_1h": 97},
        benchmarks={names[0]: parts[0], "universe": sum(parts) / len(parts)} if parts else {},
        bars=bars,
        notes=["each candle became four prices: open, the nearer extreme, the farther, close"],
        timings={"read": 0.31, "compile": 4.2, "dense": 0.12, "sparse": 0.44},
    )  # fmt: skip


def changed(result, **fields):
    return msgspec.structs.replace(result, **fields)


def _bars(random, open_ms, price):
    closes = price * np.cumprod(1.0 + random.normal(2e-6, 0.0022, len(open_ms)))
    opens = np.concatenate(([price], closes[:-1]))
    spread = np.abs(random.normal(0.0, 0.001, len(open_ms)))
    return {
        "open_ms": open_ms,
        "open": opens,
        "high": np.maximum(opens, closes) * (1 + spread),
        "low": np.minimum(opens, closes) * (1 - spread),
        "close": closes,
    }


def _price(bars, at):
    return Decimal(f"{float(bars['close'][at]):.6g}")


def _trade(random, agent, symbol, bars, at_ms, number):
    last = len(at_ms) - 1
    begin = int(random.integers(0, last - 1))
    end = begin + 1 + int(random.exponential(90))
    is_open = end > last
    side: Direction = "long" if random.random() < 0.6 else "short"
    sign = 1 if side == "long" else -1
    bought, sold = _price(bars[symbol], begin), _price(bars[symbol], min(end, last))
    size = places(Decimal(f"{random.uniform(400, 2_500):.4f}") / bought)
    entered, exited = times(bought, size), times(sold, size)
    fee_in, fee_out = places(times(entered, FEE)), places(times(exited, FEE))
    position = digest(agent, symbol, str(number))
    trade = Trade(
        id=position, agent=agent, symbol=Symbol(symbol), side=side,
        source=ENGINES[int(random.integers(len(ENGINES)))],
        opened_ms=int(at_ms[begin]), closed_ms=0 if is_open else int(at_ms[end]),
        entered=entered, exited=Decimal(0) if is_open else exited, size=size, leverage=3, adds=0,
        realised=minus(exited, entered) * sign, fees=fee_in if is_open else fee_in + fee_out,
        funding=places(Decimal(f"{random.normal(0.02, 0.2):.6f}")),
        reason="" if is_open else REASONS[int(random.integers(len(REASONS)))],
        order=digest(position, "entry"),
    )  # fmt: skip
    stop = bought * (1 - sign * Decimal("0.015"))
    shared = {"account": agent, "agent": agent, "symbol": symbol, "position": position,
              "side": side, "size": size, "done": True, "leverage": 3}  # fmt: skip
    entry = OrderFilled(
        id=trade.order, trade=f"{trade.order}-1", leg="entry", action="open", price=bought,
        fee=fee_in, stop=stop, targets=[], source=trade.source, at=trade.opened_ms, **shared,
    )  # fmt: skip
    if is_open:
        return trade, [entry]
    order = digest(position, "exit")
    leave = OrderFilled(
        id=order, trade=f"{order}-1", leg=trade.reason, action="close", price=sold, fee=fee_out,
        source=trade.reason, at=trade.closed_ms, **shared,
    )  # fmt: skip
    return trade, [entry, leave]


def _curve(agent, trades, bars, at_ms):
    equity = np.full(len(at_ms), float(START))
    exposure = np.zeros(len(at_ms))
    balance = START
    for trade in trades:
        if trade.agent != agent:
            continue
        begin = int(np.searchsorted(at_ms, trade.opened_ms))
        end = int(np.searchsorted(at_ms, trade.closed_ms)) if trade.closed_ms else len(at_ms)
        sign = 1 if trade.side == "long" else -1
        held = float(trade.size) * bars[trade.symbol]["close"][begin:end]
        equity[begin:end] += sign * (held - float(trade.entered)) - float(trade.fees) / 2
        exposure[begin:end] += held
        if trade.closed_ms:
            equity[end:] += float(trade.pnl)
            balance += trade.pnl
        else:
            balance -= trade.fees
    return Curve(start=START, balance=balance, equity=equity, exposure=exposure)
