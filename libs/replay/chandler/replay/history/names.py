"""What a candle file's name says: symbol and granularity, as known tools write them."""

import re
from pathlib import PurePath

from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.replay.history.sheet import HistoryError, Named

SYMBOL = re.compile(r"[A-Z0-9]{2,30}")  # the venue's form
QUOTES = ("USDT", "USDC", "USD")
_ENDINGS = (".gz", ".zip", ".csv", ".txt", ".tsv", ".json", ".feather", ".arrow", ".parquet")
_LENGTH = r"(?P<length>\d{1,2}(?:mo|[smhHdDwWM]))"
# BTC_USDT-5m.feather, BTC_USDT_USDT-1h-futures.feather
_PAIR = re.compile(
    rf"(?P<coin>[A-Z0-9]+)_(?P<quote>[A-Z]{{2,6}})(?:_(?P<margin>[A-Z]{{2,6}}))?-{_LENGTH}"
    r"(?:-(?P<kind>[A-Za-z_]+))?"
)
# BTCUSDT-5m-2024-01.csv, ETHUSDT_1h.parquet
_WHOLE = re.compile(rf"(?P<symbol>[A-Z0-9]{{2,30}})[-_]{_LENGTH}(?:[-_.].*)?")
_TRADED = ("", "spot", "futures")


def named(path: str) -> Named:
    """What the name says; HistoryError where it says that these are no candles of trades."""
    stem = PurePath(path).name
    while stem.lower().endswith(_ENDINGS):
        stem = stem[: stem.rindex(".")]
    pair = _PAIR.fullmatch(stem)
    if pair is not None:
        if (pair["kind"] or "") not in _TRADED:
            raise HistoryError(
                f"its name says {pair['kind']}: expected candles of trades, give the file whose "
                f"name ends in {pair['length']} or {pair['length']}-futures"
            )
        return Named(pair["coin"] + pair["quote"], pair["length"])
    whole = _WHOLE.fullmatch(stem)
    if whole is not None:
        return Named(whole["symbol"], whole["length"])
    is_symbol = SYMBOL.fullmatch(stem) is not None and stem.endswith(QUOTES)
    return Named(stem if is_symbol else "", "")


def spelled(word: str) -> Granularity:
    """The granularity that is written `word` here or elsewhere: 1h is 1H; HistoryError."""
    # A capital M is a month elsewhere.
    for granularity in INTERVAL_MS:
        if word == granularity or (word[-1:] in "hd" and word.upper() == granularity):
            return granularity
    known = " ".join(INTERVAL_MS)
    raise HistoryError(
        f"unknown granularity {word!r}: expected one of {known}, get candles of one of these"
    )
