"""Tickers as columns: each event comes back with its very strings, also by way of a file."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import Symbol, Ticker
from chandler.streams.columns.decoding import ticker_decoding
from chandler.streams.columns.fetching import Lane
from chandler.streams.columns.series import Selection, pieces, series
from chandler.streams.columns.shapes import TickerColumns
from chandler.streams.columns.tickers import ticker_columns
from tests.streams.columns.cached import cache, parts, place
from tests.streams.columns.test_decimals import PRICES, STRANGE

STRINGS = PRICES | STRANGE | st.text(max_size=4)
TICKERS = st.builds(
    Ticker,
    symbol=st.sampled_from([Symbol("BTCUSDT"), Symbol("ETHUSDT")]),
    at=st.integers(-5, 40),
    last=STRINGS,
    bid=STRINGS,
    ask=STRINGS,
    mark=STRINGS,
    minute_open_ms=st.integers(-(2**63) + 1, 2**63 - 1),
    minute_volume=st.floats(allow_nan=False, allow_infinity=False),
)


def columns(batches: list[list[Ticker]]) -> dict[str, TickerColumns]:
    """By symbol, of tickers in as many files as there are batches."""
    decoding = ticker_decoding()
    with tempfile.TemporaryDirectory() as folder:
        kept = cache(place(Path(folder)), decoding)
        for each in parts(decoding, batches):
            kept.write(each)
        lane = Lane(decoding, 0, kept)
        found = pieces([lane], ["offset", *decoding.types], Selection())
        made = [ticker_columns(one) for one in series(found, "at", Selection())]
    return {one.symbol: one for one in made}


@given(st.lists(st.lists(TICKERS, min_size=1, max_size=8), min_size=1, max_size=3))
def test_every_ticker_that_is_newer_comes_back_as_it_was(batches) -> None:
    every = [ticker for batch in batches for ticker in batch]

    found = columns(batches)

    for symbol in {ticker.symbol for ticker in every}:
        newest, expected = -(2**70), []
        for offset, ticker in enumerate(every):
            if ticker.symbol == symbol and ticker.at > newest:
                newest = ticker.at
                expected.append((offset, ticker))
        one = found[symbol]
        assert [one.ticker(row) for row in range(len(one.at))] == [each for _, each in expected]
        assert one.offset.tolist() == [offset for offset, _ in expected]
        assert one.ticker(-1) == expected[-1][1]
