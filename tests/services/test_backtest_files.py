"""A backtest's files say what the result says, to the last digit; its tables say it to people."""

import io
import json
from decimal import Decimal

import msgspec
import numpy as np
import pyarrow.parquet
import pytest
from rich.console import Console

from chandler.core.trading.events import OrderFilled
from chandler.replay.metrics import measure
from chandler.replay.report import compare, run_of
from chandler.replay.report.comparison import FIGURES
from chandler.replay.result import Trade
from services.cli.backtest import files, tables
from services.layers import ConfigurationError
from tests.replay.results import changed, made


@pytest.fixture
def result():
    return made(days=20, trades=40)


@pytest.fixture
def folder(result, tmp_path):
    files.write(result, measure(result), tmp_path / "run")
    return tmp_path / "run"


def printed(show, *given):
    out = io.StringIO()
    show(Console(file=out, width=220), *given)
    return out.getvalue()


def test_every_file_is_there_and_none_is_half(result, folder):
    assert {path.name for path in folder.iterdir()} == {
        "trades.parquet", "trades.json", "fills.parquet", "equity.parquet", "result.json",
        "report.html", "curves.json",
    }  # fmt: skip


def test_what_is_read_is_what_was_written(result, folder):
    metrics = measure(result)

    found = files.read(folder)

    assert found.trades == result.trades
    assert [str(each.entered) for each in found.trades] == [
        str(each.entered) for each in result.trades
    ]
    assert found.origin == result.origin
    assert found.metrics == metrics
    assert np.array_equal(found.equity, run_of("run", result, metrics).equity)
    assert (found.name, found.start) == ("run", 20_000.0)


def test_money_in_parquet_is_the_decimals_own_text(result, folder):
    """Products of prices and sizes have more places than decimal128 could hold."""
    result = changed(
        result, trades=[msgspec.structs.replace(result.trades[0], entered=Decimal("1.10") / 3**40)]
    )
    files.write(result, measure(result), folder)
    table = pyarrow.parquet.read_table(folder / "trades.parquet")

    assert Decimal(table["entered"][0].as_py()) == result.trades[0].entered
    assert Decimal(table["pnl"][0].as_py()) == result.trades[0].pnl
    assert table["opened_ms"][0].as_py() == result.trades[0].opened_ms


def test_columns_that_people_look_for_come_first_and_ids_last(folder):
    """pandas folds eighteen columns: it showed an id and hid the symbol and the PnL."""
    trades = pyarrow.parquet.read_table(folder / "trades.parquet").column_names
    fills = pyarrow.parquet.read_table(folder / "fills.parquet").column_names

    assert trades[:3] == ["symbol", "side", "agent"]
    assert trades[3:9] == ["opened_ms", "closed_ms", "entered", "exited", "size", "pnl"]
    assert trades[-2:] == ["id", "order"]
    assert fills[:4] == ["at", "symbol", "side", "agent"]
    assert fills[-2:] == ["id", "trade"]
    assert set(trades) == {*Trade.__struct_fields__, "pnl"}
    assert set(fills) == set(OrderFilled.__struct_fields__)


def test_the_same_result_gives_the_same_files(result, folder, tmp_path):
    files.write(result, measure(result), tmp_path / "again")

    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_fills_and_equity_have_all_rows(result, folder):
    fills = pyarrow.parquet.read_table(folder / "fills.parquet")
    equity = pyarrow.parquet.read_table(folder / "equity.parquet")

    assert fills["trade"].to_pylist() == [each.trade for each in result.fills]
    assert equity.column_names == [
        "at_ms", "equity.steady", "exposure.steady", "equity.bold", "exposure.bold",
        "benchmark.BTCUSDT", "benchmark.universe",
    ]  # fmt: skip
    assert np.array_equal(equity["equity.bold"].to_numpy(), result.curves["bold"].equity)


def test_json_holds_no_infinity(folder):
    text = (folder / "result.json").read_text()

    json.loads(text, parse_constant=lambda found: pytest.fail(found))
    assert json.loads(text)["metrics"]["portfolio"]["trades"]["pnl"].lstrip("-")[0].isdigit()


def test_a_result_without_anything_is_written_and_read(tmp_path):
    result = made(days=2, agents=(), symbols=0)
    files.write(result, measure(result), tmp_path)

    found = files.read(tmp_path)

    assert (found.trades, found.start) == ([], 1.0)
    assert pyarrow.parquet.read_table(tmp_path / "trades.parquet").num_rows == 0
    assert "pnl" in pyarrow.parquet.read_table(tmp_path / "trades.parquet").column_names


def test_a_folder_of_something_else_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no result\.json: name a folder"):
        files.read(tmp_path)

    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="run it again"):
        files.read(tmp_path)


def test_the_tables_have_every_curve_and_breakdown(result):
    text = printed(tables.show, result, measure(result))

    for name in ("portfolio", "steady", "bold", "BTCUSDT held", "trend_1h", "take_profit", "weak="):
        assert name in text


def cells(text, name):
    """The numbers of a row."""
    line = next(each for each in text.splitlines() if each.strip().startswith(name))
    return line.strip().removeprefix(name).replace(",", "").replace(" %", "").split()


def test_calmar_divides_by_a_row_that_is_there(result):
    """The table had the drawdown within days alone, and a Calmar that didn't follow from it."""
    text = printed(tables.show, result, measure(result))

    cagr, fall = float(cells(text, "CAGR")[0]), float(cells(text, "drawdown, daily closes")[0])
    assert float(cells(text, "Calmar (by daily closes)")[0]) == pytest.approx(
        cagr / -fall, rel=0.01
    )
    assert float(cells(text, "drawdown, within days")[0]) <= fall


def test_the_pnl_adds_up_to_what_the_equity_gained(result):
    """The PnL left fees of open positions out that the row of fees counted."""
    first = result.trades[0]
    trades = [msgspec.structs.replace(first, closed_ms=0, reason="", exited=Decimal(0)),
              *result.trades[1:]]  # fmt: skip
    metrics = measure(changed(result, trades=trades))
    text = printed(tables.show, result, metrics)

    rows = ("PnL of closed trades", "open, booked so far", "open, unrealised")
    closed, booked, unrealised = (float(cells(text, name)[0]) for name in rows)
    gained = metrics.portfolio.performance.end - metrics.portfolio.performance.start
    assert booked == pytest.approx(float(first.pnl), abs=0.01)
    assert closed + booked + unrealised == pytest.approx(gained, abs=0.02)
    assert float(cells(text, "PnL in all")[0]) == pytest.approx(gained, abs=0.01)


def test_signals_that_were_for_other_agents_are_no_unexplained_refusals(result):
    """`refusals: engine_not_followed=26` stood alone."""
    result = changed(result, refusals={"steady": {"engine_not_followed": 26, "pump": 1}})
    text = printed(tables.show, result, measure(result))

    assert "refusals: pump=1\n" in text
    assert "signals for others: engine_not_followed=26 (each agent is offered every signal" in text


def test_words_of_a_profile_are_no_markup(result):
    trades = [msgspec.structs.replace(each, source="[red]loud[/red]") for each in result.trades]
    result = changed(result, trades=trades, notes=["[bold]careful[/bold]"])

    text = printed(tables.show, result, measure(result))

    assert "[red]loud[/red]" in text
    assert "[bold]careful[/bold]" in text


def test_a_long_breakdown_shows_both_ends():
    result = made(days=10, trades=400, symbols=40)

    assert "… 28 more" in printed(tables.show, result, measure(result))


def test_an_empty_result_is_said_to_be_empty():
    result = made(days=2, trades=0)

    assert "no trades were made" in printed(tables.show, result, measure(result))


def test_a_comparison_is_shown_line_by_line(result):
    """Its rows are called as those of the figures: they were raw names of fields."""
    other = changed(result, trades=result.trades[1:])
    first, second = (run_of(name, each, measure(each)) for name, each in
                     (("one", result), ("two", other)))  # fmt: skip

    text = printed(tables.show_comparison, compare(first, second))

    for label in tables.LABELS.values():
        assert f" {label} " in text
    assert tables.LABELS.keys() == FIGURES.keys()
    assert "digest: same" in text
    assert "only in one: 1 trades" in text
    assert "in both: 39 equal, 0 with another end" in text
