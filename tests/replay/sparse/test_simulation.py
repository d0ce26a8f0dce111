"""Skipping prices that do not matter changes no fill, no balance, no refusal."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from chandler.core.desk.config import Desk
from chandler.core.desk.config import resolve as resolve_desk
from chandler.core.events import FundingRate, Symbol
from chandler.core.granularity import HOUR_MS, Granularity
from chandler.core.market.surge import settings_of
from chandler.core.trading.agents import AgentConfig, PumpConfig
from chandler.core.trading.events import FundingPaid, Liquidated, OrderFilled
from chandler.replay.backtest import Past, Prepared, Running, Setting, backtest, shortest
from chandler.replay.dense.lanes import Lane, lane, longer
from chandler.replay.dense.signals import Ways, signals_of
from chandler.replay.sparse.assumed import instrument
from chandler.replay.sparse.entries import entry_of
from chandler.replay.sparse.prices import of_candles
from chandler.strategies import modes
from tests.candles import START_MS, path
from tests.replay.dense.test_dense_signals import engine
from tests.replay.sparse.every_price import every_price

FIVE, HOUR, FOUR = (Granularity(each) for each in ("5m", "1H", "4H"))
encode = msgspec.json.Encoder().encode


def rounded(symbol: str, count: int, seed: int) -> Lane:
    """Seeded candles on a price step, as a venue's are."""
    candles = path(count, seed=seed, symbol=Symbol(symbol))
    columns = {
        name: np.round([getattr(each, name) for each in candles], 2)
        for name in ("open", "high", "low", "close", "volume")
    }
    return lane(symbol, FIVE, {"open_ms": [each.open_ms for each in candles], **columns})


def agents() -> dict[str, AgentConfig]:
    def agent(**changes: Any) -> AgentConfig:
        return AgentConfig(orders_per_symbol_day_max=50, **changes)

    return {
        "fixed": agent(trading_mode="fixed", set={"hold_min": 90, "target_percent": ["1", "3"]}),
        "dca": agent(trading_mode="dca", leverage=20, set={"steps": 3, "step_percent": "0.6"}),
        "trailing": agent(trading_mode="trailing", on_opposite="reverse", leverage=10),
        "closing": agent(
            trading_mode="trailing",
            on_opposite="close",
            set={"trail": [["0.5", "0.7"], ["1.5", "0.3"]], "signal_stop": False},
        ),
        "wild": agent(
            trading_mode="fixed",
            leverage=50,
            size_percent=Decimal(20),
            set={"signal_stop": False, "stop_percent": "0", "liquidation_percent": "0"},
        ),
    }


def past(count: int = 1_500, symbols: int = 3) -> Past:
    lanes: dict[Symbol, Any] = {}
    for number in range(symbols):
        five = rounded(f"C{number}USDT", count, seed=11 + number)
        lanes[five.symbol] = {FIVE: five, HOUR: longer(five, HOUR), FOUR: longer(five, FOUR)}
    prices = {symbol: of_candles(shortest(of)) for symbol, of in lanes.items()}
    rates = [
        FundingRate(
            symbol=Symbol("C0USDT"),
            rate=rate,
            interval_h=4,
            next_ms=START_MS + 4 * HOUR_MS * (number + 1),
            seen_at=START_MS + 4 * HOUR_MS * number,
        )
        for number, rate in enumerate(["0.0001", "-0.0003", "0.0007"] * 9)
    ]
    return Past(
        lanes=lanes,
        instruments={symbol: [instrument(each)] for symbol, each in prices.items()},
        funding={Symbol("C0USDT"): rates},
        prices=prices,
    )


def setting(pace: float = 1.0) -> Setting:
    engines = [
        engine("scalper", long_threshold=0.2, short_threshold=-0.2),
        engine("reverter", long_threshold=0.15, short_threshold=-0.15),
    ]
    pump = PumpConfig(rise_percent=1.0, calm_percent=0.4, volume_ratio=1.2, cool_down_min=20)
    desks = resolve_desk(
        agents(),
        modes={each.name: each for each in (modes.fixed, modes.dca, modes.trailing)},
        engines=[each.name for each in engines],
        pump=pump,
        pace=pace,
    )
    return Setting(
        profile="test",
        engines=engines,
        desks=desks,
        guard=settings_of(pump, 2_500, 300_000),
        retry_ms=5_000,
        code="",
    )


@pytest.mark.parametrize("pace", [1.0, 300.0])
def test_fills_and_balances_are_those_of_looking_at_every_price(pace: float) -> None:
    known, chosen = past(), setting(pace)
    desk: Desk = chosen.desks[0]
    entries = sorted(
        entry_of(signal)
        for of in known.lanes.values()
        for signal in signals_of(of, chosen.engines, Ways())
    )
    orders, states = every_price(chosen, desk, known, entries)

    found = backtest(chosen, known)

    fills = sorted(encode(each) for each in found.fills)
    assert fills == sorted(encode(each) for each in orders if isinstance(each, OrderFilled))
    assert {name: each.balance for name, each in found.curves.items()} == {
        name: state.balance for name, state in states.items()
    }
    legs = {each.leg.partition("-")[0] for each in found.fills}
    assert {"entry", "stop", "take_profit", "trailing", "stale", "dca"} <= legs
    assert any(isinstance(each, FundingPaid) for each in orders)
    assert any(isinstance(each, Liquidated) for each in orders)


def test_a_backtest_that_is_looked_at_on_its_way_is_the_same() -> None:
    ready, chosen = Prepared(past()), setting()
    running = Running(chosen, ready)
    begin = START_MS + 20 * HOUR_MS

    parts = [running.until(begin + part * 13 * HOUR_MS) for part in range(5)]
    found = running.until(running.end_ms)

    whole = backtest(chosen, past())
    assert found.origin.digest == whole.origin.digest
    assert [len(each.fills) for each in parts] == sorted({len(each.fills) for each in parts})
    times = [begin + part * 13 * HOUR_MS for part in range(5)]
    for each, until_ms in zip(parts, times, strict=True):
        seen = whole.at_ms <= until_ms
        for name, curve in each.curves.items():
            assert (curve.equity[seen] == whole.curves[name].equity[seen]).all()


def test_an_agent_to_which_nothing_comes_keeps_its_money() -> None:
    known = msgspec.structs.replace(past(300, 1), begin_ms=2**60)

    found = backtest(setting(), known)

    assert not found.fills
    for curve in found.curves.values():
        assert set(curve.equity) == {float(curve.start)}
        assert curve.balance == curve.start


def test_the_books_of_a_backtest_add_up() -> None:
    found = backtest(setting(), past())

    for name, curve in found.curves.items():
        booked = sum((each.pnl for each in found.trades if each.agent == name), Decimal(0))
        assert curve.start + booked == curve.balance, name
        assert curve.equity[0] == float(curve.start)
        still = sum(1 for each in found.trades if each.agent == name and not each.closed_ms)
        assert (curve.exposure[-1] > 0) == bool(still)


def test_a_backtest_is_the_same_on_each_run_and_in_any_order_of_symbols() -> None:
    known, chosen = past(600), setting()
    turned = msgspec.structs.replace(
        known,
        lanes=dict(reversed(list(known.lanes.items()))),
        prices=dict(reversed(list((known.prices or {}).items()))),
    )

    digests = {
        backtest(chosen, known, threads=1).origin.digest,
        backtest(chosen, known, threads=2).origin.digest,
        backtest(chosen, turned).origin.digest,
    }

    assert len(digests) == 1
