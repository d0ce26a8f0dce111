"""Symbols, the matrix, engines, pumps, and services, topics and dead letters."""

from pathlib import Path
from typing import Any

import pytest

from chandler.core.events import CandleSealed, DeadLetter, Instrument, MatrixRow, Symbol
from chandler.core.granularity import DAY_MS, Granularity
from chandler.core.trading.events import PumpState
from services.following.scanned import LETTERS_KEPT
from tests.services.gateway.stand_in import NOW, Door
from tests.services.notifier.answering.scene import (
    BTC,
    ETH,
    HOUR,
    infra,
    out,
    state,
    ticker,
    view,
)

FIVE, ONE = Granularity("5m"), Granularity("1H")


def instrument(symbol: Symbol) -> Instrument:
    return Instrument(
        symbol=symbol, price_step="0.01", size_step="0.001", size_min="0.001", notional_min="5",
        maker_fee="0.0002", taker_fee="0.0006", leverage_max=125, status="normal", seen_at=NOW,
    )  # fmt: skip


def hour(open_ms: int, price: float) -> CandleSealed:
    return CandleSealed(
        symbol=BTC, granularity=ONE, open_ms=open_ms, open=price, high=price, low=price,
        close=price, volume=1, quote_volume=price,
    )  # fmt: skip


def row(symbol: Symbol, granularity: Granularity, close_ms: int, **notes: float) -> MatrixRow:
    engine = "trend" if granularity == ONE else "scalper"
    return MatrixRow(
        symbol=symbol,
        granularity=granularity,
        close_ms=close_ms,
        notes={engine: notes},
        absent={} if notes else {engine: {"macd_momentum": "not warm"}},
        verdicts={engine: "below threshold" if notes else "no notes"},
        inputs=[],
        config="c",
        code="d",
    )


def pump(symbol: Symbol, shape: Any, at: int = NOW) -> PumpState:
    since = 0 if shape == "none" else NOW - HOUR
    return PumpState(symbol=symbol, at=at, kind="heartbeat", pump=shape, since_ms=since)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    made = Door(tmp_path, "anna", "bert")
    made.scene.stand(state("anna", "1"))
    made.see("instruments", instrument(BTC), instrument(ETH))
    made.see("candles.last", out())
    made.see("tickers", ticker(BTC, NOW, "110"))
    made.read()
    return made


async def test_symbols_have_steps_prices_and_the_change_of_a_day(door: Door) -> None:
    begin = NOW - DAY_MS
    hours = [hour(begin - HOUR, 90.0), hour(begin, 100.0), hour(begin + HOUR, 105.0)]
    door.see("candles.1H", *hours)
    door.see("pumps", pump(BTC, "up"))

    answer = await door.ask("/symbols")
    [btc, eth] = answer.items

    assert answer.body["granularities"] == ["5m"]
    assert (btc["symbol"], btc["last"], btc["mark"], btc["at"]) == (BTC, "110", "110", NOW)
    assert (btc["change"], btc["pump"], btc["taker_fee"]) == (0.1, "up", "0.0006")
    assert (eth["last"], eth["change"], eth["pump"], eth["at"]) == (None, None, "", 0)
    assert [each["symbol"] for each in (await door.ask("/symbols?symbol=ethusdt")).items] == [ETH]


async def test_a_price_that_is_none_is_not_shown(door: Door) -> None:
    door.see("tickers", ticker(ETH, NOW, "NaN"))

    assert (await door.ask("/symbols?symbol=ETHUSDT")).items[0]["last"] is None


async def test_the_matrix_has_the_newest_notes_of_each_engine(door: Door) -> None:
    notes = {"bollinger_breakout": 0.9, "macd_momentum": 0.3}
    door.see("matrix", row(BTC, FIVE, NOW - 300_000, macd_momentum=-1.0), row(BTC, FIVE, NOW))
    door.see("matrix", row(BTC, FIVE, NOW, **notes), row(BTC, ONE, NOW - HOUR, trend_follow=0.5))
    door.see("matrix", row(ETH, FIVE, NOW))

    [btc, eth] = (await door.ask("/matrix")).items

    assert btc["close_ms"] == NOW
    assert btc["engines"]["scalper"]["notes"] == notes
    assert 0.3 < btc["engines"]["scalper"]["score"] < 0.9
    assert (btc["engines"]["trend"]["granularity"], btc["engines"]["trend"]["score"]) == ("1H", 0.5)
    assert eth["engines"]["scalper"]["score"] is None
    assert eth["engines"]["scalper"]["absent"] == {"macd_momentum": "not warm"}
    [trend] = (await door.ask("/matrix?engine=trend")).items
    assert list(trend["engines"]) == ["trend"]


async def test_an_older_row_takes_nothing_away(door: Door) -> None:
    door.see("matrix", row(BTC, FIVE, NOW, macd_momentum=0.3), row(BTC, FIVE, NOW - 1, rsi=-1.0))

    [btc] = (await door.ask("/matrix")).items

    assert btc["engines"]["scalper"]["notes"] == {"macd_momentum": 0.3}


async def test_engines_have_their_tunables_and_who_follows_them(door: Door) -> None:
    engines = {each["engine"]: each for each in (await door.ask("/engines")).items}
    hers = {each["engine"]: each for each in (await door.ask("/engines", by="vera")).items}

    assert {"scalper", "trend", "reverter"} <= set(engines)
    [first, *_] = engines["scalper"]["evaluators"]
    assert first["tunables"]
    assert first["reads"]
    assert engines["scalper"]["agents"] == ["anna", "bert"]
    assert hers["scalper"]["agents"] == ["anna"]
    assert engines["scalper"]["config"]


async def test_pumps_are_those_that_last(door: Door) -> None:
    door.see("pumps", pump(BTC, "none"), pump(ETH, "up"))

    assert [each["symbol"] for each in (await door.ask("/pumps")).items] == [ETH]
    assert [each["symbol"] for each in (await door.ask("/pumps?all=true")).items] == [ETH, BTC]


async def test_the_market_is_shown_by_window(door: Door) -> None:
    door.see("market", view("1h"), view("5m"))

    found = (await door.ask("/market")).items

    assert [each["window"] for each in found] == ["5m", "1h"]
    assert found[0]["movers_up"] == [{"symbol": BTC, "value": 0.021}]


@pytest.mark.parametrize("target", ["/candles", "/indicators"])
async def test_candles_of_no_symbol_are_told(door: Door, target: str) -> None:
    wrong = await door.ask(f"{target}?symbol=BTCUSD")
    none = await door.ask(target)
    long = await door.ask(f"{target}?symbol=BTCUSDT&granularity=7m")

    assert (wrong.status, wrong.kind) == (404, "unknown_symbol")
    assert "BTCUSDT" in wrong.body["detail"]
    assert (none.status, long.status) == (422, 422)
    assert "'1H'" in long.body["detail"], "what may be asked for is named in its own letters"


async def test_without_kafka_there_are_no_candles(door: Door) -> None:
    answer = await door.ask("/candles?symbol=btcusdt")

    assert (answer.status, answer.kind) == (503, "kafka_away")
    assert b"127.0.0.1" not in answer.raw


async def test_services_are_shown_as_they_answer(door: Door) -> None:
    door.see("infra", infra("executor", "connection_lost", "bert lost 777"))

    infra_of = (await door.ask("/infra")).body
    hers = (await door.ask("/infra", by="vera")).body
    services = {each["service"]: each for each in infra_of["items"]}

    assert infra_of["ready"] is False
    assert services["ingest"]["state"] == "not running"
    assert (services["executor"]["elsewhere"], services["executor"]["state"]) == (
        True,
        "connection lost",
    )
    assert services["executor"]["restarts"] is None  # there is no ledger
    assert infra_of["events"][0]["detail"] == "bert lost 777"
    assert hers["events"][0]["detail"] == ""


async def test_services_are_asked_once_for_all_who_ask(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def gather(*_: object) -> dict[str, Any]:
        asked.append(1)
        return {}

    monkeypatch.setattr("services.gateway.routes.reading.system.gather", gather)

    for _ in range(5):
        assert (await door.ask("/infra")).status == 200

    assert len(asked) == 1


def letter(number: int, source: str = "ingest") -> DeadLetter:
    return DeadLetter(source=source, cause="undecodable", detail=f"{number}", raw="bert 777")


async def test_dead_letters_are_for_operators_and_their_bytes_for_those_who_see_all(
    door: Door,
) -> None:
    door.see("dead-letters", letter(1), letter(2, "executor"), letter(3))

    whole = (await door.ask("/dead-letters")).items
    his = (await door.ask("/dead-letters", by="otto")).items
    hers = await door.ask("/dead-letters", by="vera")

    assert [each["detail"] for each in whole] == ["3", "2", "1"]
    assert [each["detail"] for each in his] == ["3", "1"]
    assert {each["raw"] for each in his} == {""}
    assert (hers.status, hers.kind) == (403, "role")


async def test_dead_letters_come_page_by_page(door: Door) -> None:
    door.see("dead-letters", *(letter(number) for number in range(LETTERS_KEPT + 5)))
    found, after = [], ""
    while True:
        answer = await door.ask(f"/dead-letters?limit=37&after={after}")
        found += [int(each["detail"]) for each in answer.items]
        after = answer.body["next"]
        if not after:
            break

    assert found == list(range(LETTERS_KEPT + 4, 4, -1))
