"""The command `indicator`: files as people have them, output, errors in one line."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cli.indicator import indicator

CANDLES = Path(__file__).parent / "vectors" / "candles.parquet"
ROWS = [(1_704_067_200_000 + i * 300_000, 10.0 + i % 4) for i in range(30)]

app = typer.Typer()
app.command()(indicator)


def run(*words: str | Path) -> tuple[int, list[str], list[str]]:
    """Exit status and the lines of stdout and stderr."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout.splitlines(), result.stderr.splitlines()


def written(folder: Path, header: str, lines: list[str]) -> Path:
    file = folder / "candles.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def test_a_parquet_file_gives_time_and_value_as_csv() -> None:
    status, lines, _ = run("rsi(14)", CANDLES, "--symbol", "BTCUSDT")

    assert status == 0
    assert len(lines) == 2_001
    assert lines[:2] == ["time,rsi(14)", "2024-01-01T00:00:00Z,"]
    assert lines[15].startswith("2024-01-01T01:10:00Z,")
    assert 0.0 < float(lines[15].split(",")[1]) < 100.0


def test_the_newest_values_as_json_have_a_key_for_each_field() -> None:
    status, lines, _ = run("macd", CANDLES, "--symbol", "BTCUSDT", "--last", "3", "--json")

    rows = [json.loads(line) for line in lines]
    assert status == 0
    assert [row["time"] for row in rows][-1] == "2024-01-07T22:35:00Z"
    assert list(rows[0]) == [
        "open_ms",
        "time",
        "macd(12,26,9).macd",
        "macd(12,26,9).signal",
        "macd(12,26,9).histogram",
    ]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("open_time,open,high,low,close,volume", "{ms},{c},{c},{c},{c},1"),
        ("Date,Open,High,Low,Close,Volume", "{iso},{c},{c},{c},{c},1"),
        ("timestamp,o,h,l,c,v,more", "{s},{c},{c},{c},{c},1,x"),
        (" Time ,Volume,Close,Low,High,Open", "{us},1,{c},{c},{c},{c}"),
    ],
)
def test_times_and_columns_are_found_as_they_are(tmp_path: Path, header: str, line: str) -> None:
    lines = [
        line.format(
            ms=ms,
            s=ms // 1000,
            us=ms * 1000,
            iso=f"2024-01-01T{i * 5 // 60:02}:{i * 5 % 60:02}:00Z",
            c=close,
        )
        for i, (ms, close) in enumerate(ROWS)
    ]

    status, out, _ = run("sma(4)", written(tmp_path, header, lines[::-1]))

    assert status == 0
    assert out[1:5] == [
        "2024-01-01T00:00:00Z,",
        "2024-01-01T00:05:00Z,",
        "2024-01-01T00:10:00Z,",
        "2024-01-01T00:15:00Z,11.5",
    ]


@pytest.mark.parametrize(
    ("header", "line", "error"),
    [
        ("time,open,high,low,close", "1704067200000,1,1,1,1", "has no column volume"),
        ("time,open,high,low,close,volume", "1704067200000,1,1,x,1,1", "a number in low"),
        ("time,open,high,low,close,volume", "1704067200000,1,1,2,1,1", "impossible candle"),
        ("time,open,high,low,close,volume", "soon,1,1,1,1,1", "a time in ISO form or Unix ms"),
        ("symbol,time,open,high,low,close,volume", "A,1,1,1,1,1,1\nB,2,1,1,1,1,1", "--symbol"),
        ("time,open,high,low,close,volume", "1,1,1,1,1,1\n1,1,1,1,1,1", "two candles at"),
        ("time,open,high,low,close,volume", "1,1,1", "can't be read as CSV or Parquet"),
    ],
)
def test_a_wrong_file_is_answered_in_one_line(
    tmp_path: Path, header: str, line: str, error: str
) -> None:
    status, out, err = run("rsi", written(tmp_path, header, [line]))

    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith("chandler: ")
    assert error in err[0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("rsy(14)", CANDLES), "unknown indicator 'rsy'"),
        (("rsi(14)", CANDLES), "has 3 symbols (BTCUSDT PEOPLEUSDT PUNDIXUSDT)"),
        (("rsi(14)", CANDLES, "--symbol", "XRPUSDT"), "has no symbol XRPUSDT"),
        (("rsi(14)", "nowhere.csv"), "no file nowhere.csv"),
    ],
)
def test_a_wrong_question_is_answered_in_one_line(
    words: tuple[str | Path, ...], error: str
) -> None:
    status, out, err = run(*words)

    assert (status, out, len(err)) == (2, [], 1)
    assert error in err[0]
