"""Candle files are read exactly or refused in one line; coins made from them are plausible."""

import gzip
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chandler.core.granularity import DAY_MS
from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.recording import (
    SHIPPED,
    SLOT_MS,
    Recording,
    Tape,
    read_recording,
)
from tests.exchanges.simulator.venue import ORIGIN_MS, Rows, candles, write_csv


def changed(row: int, **values: Any) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[row] |= values
        return rows

    return change


def without(column: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{k: v for k, v in row.items() if k != column} for row in rows]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (without("volume"), "no column volume"),
        (lambda rows: [r | {"open_time": r["open_time"] // 1000} for r in rows], "like seconds"),
        (lambda rows: [r | {"open_time": r["open_time"] * 1000} for r in rows], "microseconds"),
        (changed(5, open_time=ORIGIN_MS + 60_000), "expected 5m candles"),
        (changed(5, open_time=-300_000), "before 1970"),
        (changed(5, high=1.0), "high < "),
        (changed(5, low=1e9, high=1e10), "low > open or close"),
        (changed(5, open=-1.0, low=-2.0), "zero or less"),
        (changed(5, volume=-1.0), "negative volume"),
        (changed(5, close="nan"), "NaN values"),
        (changed(5, close="inf"), "isn't finite"),
        (changed(5, close=""), "1 empty or NaN"),
        (changed(5, close="cheap"), "doesn't hold double"),
        (changed(5, open_time="yesterday"), "doesn't hold int64"),
        (changed(5, symbol="btc/usdt"), "capital letters"),
        (lambda rows: [*rows, rows[3]], "a second candle"),
    ],
)
def test_rubbish_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[Rows], Rows], line: str
) -> None:
    file = write_csv(tmp_path / "rubbish.csv", change(candles("AAAUSDT", slots=20)))

    with pytest.raises(SimulatorError, match=line) as raised:
        read_recording(file, 5, 1)
    assert "\n" not in str(raised.value)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 not", b"\x00\xff" * 50])
@pytest.mark.parametrize("name", ["file.csv", "file.parquet"])
def test_a_file_that_holds_something_else_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(SimulatorError) as raised:
        read_recording(file, 5, 1)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="found none"):
        read_recording(tmp_path / "nothing.csv", 5, 1)


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("symbol,open_time,open,high,low,close,volume\n")

    with pytest.raises(SimulatorError, match="no candles in it"):
        read_recording(file, 5, 1)


def test_rows_in_any_order_are_sorted_and_gaps_stay_gaps(tmp_path: Path) -> None:
    rows = candles("AAAUSDT", slots=30)
    file = write_csv(tmp_path / "unsorted.csv", rows[20:] + rows[5:18])

    tape = read_recording(file, 1, 1).tapes[0]

    assert tape.first == 5
    assert [index for index, price in enumerate(tape.open[:30]) if price != price] == [
        *range(5),
        18,
        19,
    ]
    assert tape.close[25] == rows[25]["close"]


def test_csv_and_parquet_give_the_same(tmp_path: Path) -> None:
    rows = candles("AAAUSDT", "BBBUSDT", slots=50)
    text = write_csv(tmp_path / "same.csv", rows)
    binary = tmp_path / "same.parquet"
    pq.write_table(pa.Table.from_pylist(rows), binary)

    first, second = read_recording(text, 2, 1), read_recording(binary, 2, 1)

    assert [tape[1:3] for tape in map(finite, first.tapes)] == [
        tape[1:3] for tape in map(finite, second.tapes)
    ]


def test_a_packed_csv_is_read_as_a_plain_one(tmp_path: Path) -> None:
    text = write_csv(tmp_path / "plain.csv", candles("AAAUSDT", slots=50))
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))

    found = read_recording(packed, 1, 1)

    assert finite(found.tapes[0]) == finite(read_recording(text, 1, 1).tapes[0])
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(SimulatorError, match=r"packed\.csv\.gz: expected Parquet or CSV"):
        read_recording(packed, 1, 1)


def test_times_may_be_written_as_dates(tmp_path: Path) -> None:
    rows = candles("AAAUSDT", slots=50)
    text = write_csv(tmp_path / "numbers.csv", rows)
    for row in rows:
        row["open_time"] = f"{datetime.fromtimestamp(row['open_time'] / 1000, UTC):%FT%TZ}"

    found = read_recording(write_csv(tmp_path / "dates.csv", rows), 1, 1)

    assert found.origin_ms == ORIGIN_MS
    assert finite(found.tapes[0]) == finite(read_recording(text, 1, 1).tapes[0])


def test_a_row_that_is_too_short_is_refused(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "short.csv", candles("AAAUSDT", slots=20))
    file.write_text(file.read_text() + "AAAUSDT,1704067200000\n")

    with pytest.raises(SimulatorError, match=r"expected 7 values in each row, found AAAUSDT,17"):
        read_recording(file, 1, 1)


def test_parquet_without_pyarrow_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image of the services has none: it is half as large as all the rest."""
    file = tmp_path / "some.parquet"
    pq.write_table(pa.Table.from_pylist(candles("AAAUSDT", slots=50)), file)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(SimulatorError, match="convert the file to CSV") as raised:
        read_recording(file, 1, 1)
    assert "\n" not in str(raised.value)


def finite(tape: Tape) -> tuple[str, list[float], list[float]]:
    return (
        tape.symbol,
        [price for price in tape.close if price == price],
        [volume for volume in tape.volume if volume == volume],
    )


def test_a_recording_lasts_whole_days(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "short.csv", candles("AAAUSDT", slots=300))

    recording = read_recording(file, 1, 1)

    assert recording.length_ms == 2 * DAY_MS
    assert recording.origin_ms == ORIGIN_MS


@cache
def shipped(symbols: int, seed: int = 1) -> Recording:
    """Reading it takes seconds."""
    return read_recording(SHIPPED, symbols, seed)


def test_the_shipped_candles_are_forty_symbols_and_three_weeks_of_real_ones() -> None:
    recording = shipped(40)

    assert SHIPPED.stat().st_size < 5_000_000
    assert recording.length_ms == 21 * DAY_MS
    assert [tape.symbol for tape in recording.tapes[:2]] == ["BTCUSDT", "ETHUSDT"]
    assert "PEOPLEUSDT" in {tape.symbol for tape in recording.tapes}
    assert len({tape.symbol for tape in recording.tapes}) == 40
    for tape in recording.tapes:
        assert tape.first == 0
        assert not any(math.isnan(price) for price in tape.close)


def test_five_symbols_are_the_first_five() -> None:
    few = read_recording(SHIPPED, 5, 1)

    assert few.tapes[0].symbol == "BTCUSDT"
    assert [t.symbol for t in few.tapes] == [t.symbol for t in shipped(40).tapes[:5]]


def test_beyond_the_recorded_symbols_there_are_seeded_coins() -> None:
    recording = shipped(200)

    assert [tape.symbol for tape in recording.tapes[40:42]] == ["SYN001USDT", "SYN002USDT"]
    assert recording.tapes[-1].symbol == "SYN160USDT"
    for tape in recording.tapes[40::13]:
        for opened, high, low, close, volume in zip(*tape[1:6], strict=True):
            assert 0 < low <= min(opened, close) <= max(opened, close) <= high < math.inf
            assert 0 <= volume < math.inf
        jumps = [
            abs(opened / close - 1)
            for close, opened in zip(tape.close, tape.open[1:], strict=False)
        ]
        assert max(jumps) < 0.1


def test_coins_depend_on_the_seed_alone() -> None:
    first, same, other = (
        recording.tapes[43] for recording in (shipped(200), shipped(44), shipped(44, 2))
    )

    assert first == same
    assert first.close != other.close


def test_coins_can_be_made_from_candles_with_gaps(tmp_path: Path) -> None:
    rows = candles("AAAUSDT", slots=3 * DAY_MS // SLOT_MS)
    file = write_csv(tmp_path / "gaps.csv", rows[7:400] + rows[420:800])

    coins = read_recording(file, 6, 1).tapes[1:]

    assert len(coins) == 5
    for coin in coins:
        there = [price for price in coin.close if price == price]
        assert len(there) == 773
        assert min(there) > 0
        assert coin.open[coin.first] == coin.open[coin.first]
    assert SLOT_MS == 300_000
