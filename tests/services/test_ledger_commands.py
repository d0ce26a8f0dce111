"""`ledger` and `picture`: what people and programs see of what was recorded."""

import sqlite3
import struct
import subprocess
import sys

import msgspec
import pytest

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.core.trading.events import Refusal
from chandler.streams.reading.ranges import candles_between
from services.cli.app import main
from services.exits import MISCONFIGURED
from services.layers import root
from services.ledger.address import address
from services.ledger.writer import LedgerWriter
from tests.services.ledgering import (
    AAA,
    START_MS,
    D,
    balance,
    filled,
    following,
    placed,
    requested,
    signalled,
)
from tests.services.test_ledger_recorder import publish

BBB = Symbol("BBBUSDT")
SLOT_MS = 300_000
DAY_MS = 86_400_000


def trade(number, agent, symbol, source, price, *, at=0):
    entry = requested(
        f"in{number}", at, agent=agent, symbol=symbol, position=f"trip{number}", source=source,
        cause=f"signal-{number}", size="1",
    )  # fmt: skip
    exit_ = requested(
        f"out{number}", at, agent=agent, symbol=symbol, position=f"trip{number}", source="stop",
        action="close", leg="stop", size="1", cause="exit-1",
    )  # fmt: skip
    return [entry, filled(entry, "100", at), exit_, filled(exit_, price, at + 900_000)]


@pytest.fixture
def recorded(tmp_path, monkeypatch, capsys):
    """A data directory with a small ledger; gives what a command line says."""
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "220")
    from services.runner import installed

    writer = LedgerWriter(address(installed(), "", {}), "cluster/")
    writer.places()
    refusal = Refusal(
        agent="anna", account="anna", symbol=AAA, side="short", cause="s", source="trend",
        reason="pump", detail="AAAUSDT is pumped", seq=1, at=START_MS,
    )  # fmt: skip
    events = [
        balance("1000", kind="start", agent="anna"),
        balance("500", kind="start", agent="carl"),
        *trade(1, "anna", AAA, "scalper", "110"),
        *trade(2, "anna", BBB, "trend", "95", at=DAY_MS),
        *trade(3, "bert", AAA, "scalper", "100.24"),
        refusal,
        requested("open1", agent="bert", symbol=BBB, position="later"),
    ]
    records = [*placed("orders", events), *placed("signals", [signalled(1), signalled(2)])]
    writer.take(records, following(records))
    writer.close()

    def said(*words):
        capsys.readouterr()
        status = main(list(words))
        return status, *capsys.readouterr()

    return said


def told(recorded, *words):
    status, out, _ = recorded("ledger", *words, "--json")
    assert status == 0
    return msgspec.json.decode(out)[words[0]]


def test_trades_are_newest_first_and_exact(recorded):
    found = told(recorded, "trades")

    assert [each["id"] for each in found] == ["trip2", "trip1", "trip3"]
    assert [each["pnl"] for each in found] == ["-5.24", "9.76", "0"]


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (("trades", "--agent", "bert"), ["trip3"]),
        (("trades", "--symbol", "bbbusdt"), ["trip2"]),
        (("trades", "--engine", "scalper"), ["trip1", "trip3"]),
        (("trades", "--day", "2024-01-01", "--limit", "1"), ["trip1"]),
        (("orders", "--agent", "anna", "--symbol", "AAAUSDT"), ["out1", "in1"]),
        (("orders", "--engine", "stop", "--limit", "1"), ["out2"]),
    ],
)
def test_questions_are_narrowed(recorded, question, answers):
    assert [each["id"] for each in told(recorded, *question)] == answers


def test_pnl_by_agent_engine_symbol_and_day_adds_up(recorded):
    agents = {each["agent"]: each for each in told(recorded, "agents")}
    engines = {each["source"]: each["pnl"] for each in told(recorded, "engines")}
    symbols = {each["symbol"]: each["pnl"] for each in told(recorded, "symbols")}
    days = {(each["day"], each["agent"]): each["pnl"] for each in told(recorded, "days")}

    assert agents["anna"]["pnl"] == "4.52"
    assert (agents["anna"]["trades"], agents["anna"]["wins"]) == (2, 1)
    assert agents["anna"]["profit_factor"] == 1.86
    assert (agents["carl"]["balance"], agents["carl"]["trades"]) == ("500", 0)
    assert engines == {"scalper": "9.76", "trend": "-5.24"}
    assert symbols == {"AAAUSDT": "9.76", "BBBUSDT": "-5.24"}
    assert days == {
        ("2024-01-02", "anna"): "-5.24",
        ("2024-01-01", "anna"): "9.76",
        ("2024-01-01", "bert"): "0",
    }


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("trades", ("trip2", "-5.24", "stop", "15m 00s", "4.52")),
        ("agents", ("anna", "1,000.00", "carl")),
        ("engines", ("scalper", "9.76")),
        ("symbols", ("BBBUSDT", "-5.24")),
        ("days", ("2024-01-02", "books")),
        ("orders", ("open1", "requested", "filled")),
        ("refusals", ("pump", "AAAUSDT is pumped")),
    ],
)
def test_people_see_tables(recorded, name, seen):
    status, out, _ = recorded("ledger", name)

    assert status == 0
    for words in seen:
        assert words in out


def test_an_empty_answer_says_so(recorded):
    assert recorded("ledger", "trades", "--agent", "nobody")[1] == "no trades\n"


def test_a_day_that_is_none_is_told(recorded):
    status, _, error = recorded("ledger", "days", "--day", "yesterday")

    assert status == 2
    assert "expected a UTC day like 2024-01-31" in error


def test_without_a_ledger_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))

    status = main(["ledger", "trades"])

    assert status == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_migrate_makes_a_ledger_and_a_second_time_changes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))

    statuses = [main(["ledger", "migrate"]) for _ in range(2)]

    assert statuses == [0, 0]
    assert set(capsys.readouterr().out.splitlines()) == {
        f"ledger=sqlite:///{tmp_path / 'ledger.sqlite'} schema=0001"
    }
    assert main(["ledger", "trades"]) == 0


@pytest.mark.parametrize("words", [["trades"], ["migrate"]])
def test_a_ledger_of_other_code_is_no_fault_of_the_run(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    main(["ledger", "migrate"])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    status = main(["ledger", *words])

    assert status == MISCONFIGURED
    assert "schema 9999" in capsys.readouterr().err


def test_a_picture_of_what_is_not_there_is_told(recorded):
    assert "no trade is called 'trip9'" in recorded("picture", "trip9")[2]
    assert "is the beginning of several trades" in recorded("picture", "trip")[2]
    assert "ends in .png" in recorded("picture", "trip1", "--out", "a.jpg")[2]


def test_help_imports_neither_database_nor_drawing():
    program = (
        "import sys\n"
        "from services.cli.app import main\n"
        "main(['--help'])\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'matplotlib', 'psycopg')\n"
        "       if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root(), capture_output=True, text=True
    )

    assert done.stdout.endswith("[]\n")


def candle(number, symbol=AAA):
    price = 100.0 + number % 17
    return CandleSealed(
        symbol=symbol, granularity=Granularity("5m"), open_ms=START_MS + number * SLOT_MS,
        open=price, high=price + 2, low=price - 2, close=price + (1 if number % 3 else -1),
        volume=1.0, quote_volume=price,
    )  # fmt: skip


@pytest.fixture
async def cluster(installation, topics):
    await topics(["candles.5m", "candles.1H"], partitions=2)
    events = [candle(number, Symbol(s)) for number in range(-300, 300) for s in (AAA, BBB, "CUSDT")]
    await publish(installation, [("candles.5m", each.symbol, each) for each in events])
    return installation


@pytest.mark.kafka
async def test_a_stretch_of_candles_is_read_from_wherever_it_stands(cluster, monkeypatch):
    monkeypatch.setattr("chandler.streams.reading.ranges.STEP_BACK", 25)
    begin, end = START_MS - 20 * SLOT_MS, START_MS + 30 * SLOT_MS
    arguments = (cluster, AAA, Granularity("5m"), begin, end)

    behind = await candles_between(*arguments, near_ms=2**42)  # looks from the end backwards
    before = await candles_between(*arguments, near_ms=0)
    none = await candles_between(cluster, AAA, Granularity("1H"), begin, end, near_ms=0)

    assert [each.open_ms for each in behind] == list(range(begin, end, SLOT_MS))
    assert before == behind
    assert none == []


@pytest.mark.kafka
async def test_a_trade_becomes_a_picture(cluster, recorded, tmp_path, monkeypatch):
    import asyncio

    monkeypatch.setenv("CHANDLER_BROKERS", cluster.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", cluster.topic_prefix)
    out = tmp_path / "trade.png"

    status, said, _ = await asyncio.to_thread(recorded, "picture", "in1", "--out", str(out))
    absent = await asyncio.to_thread(recorded, "picture", "trip1", "--granularity", "1H")

    assert status == 0
    assert said == f"trade=trip1 candles=58 fills=2 file={out}\n"
    raw = out.read_bytes()
    width, height = struct.unpack(">II", raw[16:24])
    assert raw.startswith(b"\x89PNG\r\n")
    assert (width, height) == (1320, 715)
    assert absent[0] == 1
    assert "candles.1H holds no candles of AAAUSDT from the time of this trade" in absent[2]


def test_sizes_keep_their_digits():
    from services.showing.figures import money, price

    assert money(D("-1234567.005")) == "-1,234,567.00"
    assert price(D("0.000012345678")) == "0.000012345678"
    assert price(D("64123.123456789")) == "64123.123"
