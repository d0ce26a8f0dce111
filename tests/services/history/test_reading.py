"""Candle files of every known format give the same candles; anything else one clear line."""

import gzip
import math
import zipfile
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import Symbol
from chandler.core.resample import typical_quote_volume
from chandler.replay.history.checks import Wanted
from chandler.replay.history.series import candles_from
from services.history.gathering import Gathered, gathered, together
from services.history.standing import Lane
from tests.candles import BASE, BTC, START_MS, path
from tests.services.history.files import (
    WITH_QUOTE,
    WITHOUT_QUOTE,
    Write,
    binance_text,
    freqtrade_feather,
    own_csv,
    parquet,
)

BTC_5M = Lane(BTC, BASE)
B_5M = Lane(Symbol("BBBUSDT"), BASE)
NOW_MS = START_MS + 10 * 86_400_000
HEAD = "open_time,open,high,low,close,volume\n"


def found_in(*files: Path, wanted: Wanted | None = None) -> Gathered:
    return gathered(files, wanted or Wanted(), NOW_MS, lambda _: None)


@pytest.mark.parametrize("write", [*WITH_QUOTE, *WITHOUT_QUOTE])
def test_every_format_gives_the_same_candles(tmp_path: Path, write: Write) -> None:
    expected = path(40)
    if write in WITHOUT_QUOTE:
        expected = [
            msgspec.structs.replace(
                each,
                quote_volume=typical_quote_volume(each.high, each.low, each.close, each.volume),
            )
            for each in expected
        ]

    found = found_in(write(tmp_path, path(40)))

    assert found.faults == []
    (lane,) = found.lanes
    assert lane == BTC_5M
    assert list(candles_from(found.lanes[lane], START_MS)) == expected


def test_the_name_of_a_file_says_nothing_of_its_format(tmp_path: Path) -> None:
    file = parquet(tmp_path, path(20)).rename(tmp_path / "misnamed.csv")

    assert found_in(file).formats == {"Parquet": 1}


def test_months_of_a_zip_and_of_gzip_join(tmp_path: Path) -> None:
    candles = path(60)
    months = tmp_path / "months.zip"
    with zipfile.ZipFile(months, "w") as archive:
        archive.writestr("BTCUSDT-5m-2024-02.csv", binance_text(candles[20:40]))
        archive.writestr("BTCUSDT-5m-2024-01.csv", binance_text(candles[:20]))
    last = tmp_path / "BTCUSDT-5m-2024-03.csv.gz"
    last.write_bytes(gzip.compress(binance_text(candles[40:]).encode()))

    found = found_in(last, months)

    assert found.faults == []
    assert len(found.lanes[BTC_5M].open_ms) == 60


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is something else"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "it is something else: expected Parquet"),
        (b"PAR1 but not really", "it can't be read"),
        (b"ARROW1\0\0 but not really", "it can't be read"),
        (b"PK\x03\x04 but not really", "it can't be read"),
        (b"\x1f\x8b but not really", "it can't be read"),
        (b"\xff\xff\xff\xff\x10\0\0\0 no stream", "it can't be read"),
        (b'{"a": 1}', "JSON, and no list of candles"),
        (b"[1, 2]", "JSON whose rows differ"),
        (b"[]", "no candles in it"),
        (b"just words\n", "its first line is 'just words'"),
        (HEAD.encode(), "no candles in it"),
        (HEAD.encode() + b"1704067200000,1,2,1,cheap,5\n", "column close: expected numbers"),
        (HEAD.encode() + b"1704067200000,1,2,1\n", "it can't be read"),
        (HEAD.encode() + b"tomorrow,1,2,1,1,5\n", "found 'tomorrow'"),
        (
            HEAD.encode() + b"1704067200000,1,2,1,1,5\n" * 3 + b"1704067200000,1,2,1,n/a,5\n",
            "column close has 'n/a' in row 4 (2024-01-01 00:00): expected a number",
        ),
        (b"date;open;high;low;close;volume\n2024-01-01;1,5;2;1;1;5\n", "found '1,5'"),
    ],
)
def test_what_holds_no_candles_is_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "BTCUSDT-5m.csv"
    file.write_bytes(content)

    (fault,) = found_in(file).faults

    assert expected in fault.text
    assert "\n" not in fault.line
    assert fault.line.startswith(f"{file} BTCUSDT: ")


def test_folders_and_files_that_are_not_there_do_not_stop_the_others(tmp_path: Path) -> None:
    found = found_in(tmp_path, tmp_path / "nothing.csv", own_csv(tmp_path, path(5)))

    assert [fault.text.split(":")[0] for fault in found.faults] == [
        "it is a folder",
        "there is no such file",
    ]
    assert list(found.lanes) == [BTC_5M]


def test_mark_prices_are_no_candles(tmp_path: Path) -> None:
    file = freqtrade_feather(tmp_path, path(5)).rename(tmp_path / "BTC_USDT_USDT-1h-mark.feather")

    (fault,) = found_in(file).faults

    assert "its name says mark: expected candles of trades" in fault.text


def test_an_empty_cell_is_a_fault_of_its_symbol_only(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    rows = [
        f"{symbol},{START_MS + slot * 300_000},1,2,1,{'' if symbol == 'AAAUSDT' else 1.5},5"
        for symbol in ("AAAUSDT", "BBBUSDT")
        for slot in range(3)
    ]
    file.write_text("\n".join(["symbol,time,open,high,low,close,volume", *rows]))

    found = found_in(file)

    assert list(found.lanes) == [B_5M]
    assert [fault.symbol for fault in found.faults] == ["AAAUSDT"]
    assert not any(map(math.isnan, found.lanes[B_5M].values.ravel()))


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        (5, "abc", "column close has 'abc' in row 6 (2024-01-01 00:10): expected a number"),
        (6, "1_0", "column volume has '1_0' in row 6 (2024-01-01 00:10): expected a number"),
        (7, "1,5", "column quote_volume has '1,5' in row 6 (2024-01-01 00:10): expected a number"),
        (1, "noon", "column time has 'noon' in row 6: expected a time"),
        (1, "", "column time has '' in row 6: expected a time"),
    ],
)
def test_a_cell_that_can_not_be_read_is_a_fault_of_its_symbol_only(
    tmp_path: Path, column: int, cell: str, expected: str
) -> None:
    """One `abc` under one symbol kept the clean ones of the same file out, too."""
    rows = [
        [symbol, str(START_MS + slot * 300_000), "1", "2", "1", "1.5", "5", "7"]
        for symbol in ("AAAUSDT", "BBBUSDT")
        for slot in range(3)
    ]
    rows[5][column] = cell
    head = "symbol;time;open;high;low;close;volume;quote_volume"
    file = tmp_path / "two.csv"
    file.write_text("\n".join([head, *map(";".join, rows)]))

    found = found_in(file)

    (fault,) = found.faults
    assert [lane.symbol for lane in found.lanes] == ["AAAUSDT"]
    assert fault.symbol == "BBBUSDT"
    assert expected in fault.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("candles.parquet", "just words\n", "Parquet file, though its name says so: it begins "
                                            "with 'just words'"),
        ("candles.parquet", '{"error": 404}', "Parquet file, though its name says so"),
        ("candles.parquet", "\0\0", "no Parquet file as its name says"),
        ("candles.feather", "version https://git-lfs\n", "Feather file, though its name says so"),
    ],
)  # fmt: skip
def test_what_is_no_parquet_file_though_it_is_called_so_is_said(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    """Text named .parquet was told that six columns between commas were expected."""
    file = tmp_path / name
    file.write_text(content)

    (fault,) = found_in(file).faults

    assert said in fault.text
    assert "columns" not in fault.text


def test_what_comes_with_every_file_is_one_line_and_the_last(tmp_path: Path) -> None:
    """`no quote volume` came for each file and stood between what mattered."""
    files = [
        freqtrade_feather(tmp_path, path(5)).rename(tmp_path / f"{coin}_USDT-5m.feather")
        for coin in ("AAA", "BBB", "CCC")
    ]
    shuffled = tmp_path / "DDDUSDT.csv"
    shuffled.write_text(HEAD + f"{START_MS + 300_000},1,2,1,1,5\n{START_MS},1,2,1,1,5\n")

    said = together(found_in(*files, shuffled).notes)

    assert len(said) == 2
    assert said[0].endswith("rows of 1 symbols were not in order: sorted")
    assert said[1].endswith("AAA_USDT-5m.feather and 3 more: no quote volume: made of volume and "
                            "prices")  # fmt: skip


def test_a_symbol_with_one_broken_file_is_refused_as_a_whole(tmp_path: Path) -> None:
    whole = own_csv(tmp_path, path(10))
    broken = tmp_path / "BTCUSDT-5m-2024-02.csv"
    broken.write_text("")

    found = found_in(whole, broken)

    assert (found.lanes, found.refused) == ({}, {BTC})
