"""What a file is and how its columns lie: from its content, its header, its name."""

import pytest

from chandler.replay.history.layout import columns_by_name, columns_by_place, dialect, kind_of
from chandler.replay.history.names import named, spelled
from chandler.replay.history.sheet import HistoryError, Named

BINANCE = (
    "1704067200000,42283.58,42298.62,42261.02,42298.61,35.92724,"
    "1704067499999,1519032.57,1327,18.5,784.1,0"
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BTC_USDT_USDT-5m-futures.feather", Named("BTCUSDT", "5m")),
        ("ETH_USDT-1h.json", Named("ETHUSDT", "1h")),
        ("1000PEPE_USDT_USDT-4h-futures.parquet", Named("1000PEPEUSDT", "4h")),
        ("BTCUSDT-5m-2024-01.csv", Named("BTCUSDT", "5m")),
        ("BTCUSDT-1d-2024-01-03.zip", Named("BTCUSDT", "1d")),
        ("BTCUSDT-5m-2024-01.csv.gz", Named("BTCUSDT", "5m")),
        ("folder/SOLUSDT_15m.parquet", Named("SOLUSDT", "15m")),
        ("SOLUSDT.csv", Named("SOLUSDT", "")),
        ("spot-5m-2024-01.parquet", Named("", "")),
        ("CANDLES.csv", Named("", "")),
    ],
)
def test_a_name_says_symbol_and_granularity_as_known_tools_write_them(
    name: str, expected: Named
) -> None:
    assert named(name) == expected


@pytest.mark.parametrize("kind", ["mark", "funding_rate", "index"])
def test_what_are_no_candles_of_trades_is_refused_by_its_name(kind: str) -> None:
    with pytest.raises(HistoryError, match="expected candles of trades"):
        named(f"BTC_USDT_USDT-1h-{kind}.feather")


def test_granularities_are_read_as_they_are_written_elsewhere() -> None:
    assert [spelled(word) for word in ("5m", "1h", "4H", "1d")] == ["5m", "1H", "4H", "1D"]


@pytest.mark.parametrize("word", ["1M", "2h", "7m", "1w", "", "5M"])
def test_an_unknown_granularity_is_refused_and_a_month_is_no_minute(word: str) -> None:
    with pytest.raises(HistoryError, match="expected one of 1m 5m"):
        spelled(word)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PAR1\x15", "Parquet"),
        (b"ARROW1\0\0", "Arrow"),
        (b"PK\x03\x04..", "zip"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xef\xbb\xbf[[1704067200000,1", "JSON"),
        (b"symbol,open_time", "text"),
        ("größe;zeit".encode()[:4], "text"),
        (b"\x89PNG\r\n\x1a\n\0\0", ""),
        (b"\xff\xfe\xfd nothing", ""),
        (b"   \n", ""),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiter_and_header_are_found(delimiter: str, header: bool) -> None:
    lines = ["time,open,high,low,close,volume"] if header else []
    text = "\n".join([*lines, *["1704067200000,1.5,2,1,1.5,10"] * 3]).replace(",", delimiter)

    found = dialect("\ufeff" + text)

    assert (found.delimiter, found.header, len(found.first)) == (delimiter, header, 6)


def test_what_is_no_table_is_refused_with_its_first_line() -> None:
    with pytest.raises(HistoryError, match="'dear diary'"):
        dialect("dear diary\ntoday I bought bitcoin\n")


def test_twelve_columns_without_names_are_binances() -> None:
    places = columns_by_place(BINANCE.split(","))

    assert places == {
        "time": 0,
        "open": 1,
        "high": 2,
        "low": 3,
        "close": 4,
        "volume": 5,
        "quote_volume": 7,
    }


def test_a_first_column_that_is_no_time_is_the_symbol() -> None:
    places = columns_by_place(["BTCUSDT", "2024-01-01 00:00:00", "1", "2", "1", "1", "5", "7"])

    assert (places["symbol"], places["time"], places["quote_volume"]) == (0, 1, 7)


def test_names_are_found_as_others_write_them() -> None:
    names = ["Open time", "Open", "High", "Low", "Close", "Volume", "Close time", "quote_volume"]

    assert columns_by_name(names) == {
        "time": 0,
        "open": 1,
        "high": 2,
        "low": 3,
        "close": 4,
        "volume": 5,
        "quote_volume": 7,
    }


def test_a_missing_column_is_named_with_what_is_there() -> None:
    with pytest.raises(HistoryError, match=r"no column low, volume: .* found date, open, high"):
        columns_by_name(["date", "open", "high", "close"])
