"""Fixtures: a recorded past on the session's Kafka, a command over it, and where it goes."""

from functools import partial
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import Event, Symbol, event_at
from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.streams.settings import Installation
from services.cli.replaying.asked import OUTSIDE
from tests.candles import START_MS, longer, path
from tests.conftest import Topics
from tests.services.desking import Run, ran
from tests.services.replaying.past import (
    CANDLES_A_DAY,
    DAYS,
    FROM_MS,
    PARTITIONS,
    SYMBOLS,
    prices,
    put,
    terms,
)


@pytest.fixture
async def past(
    installation: Installation,
    topics: Topics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Installation:
    """Three symbols' candles of three days, terms, and the tickers of the last."""
    await topics(OUTSIDE, partitions=PARTITIONS)
    await topics(["configs", "infra", "dead-letters"], partitions=PARTITIONS)
    session: list[tuple[str, Event]] = []
    for number, symbol in enumerate(SYMBOLS):
        base = path(DAYS * CANDLES_A_DAY, seed=number, symbol=Symbol(symbol))
        for at in (START_MS, FROM_MS - 7, FROM_MS + HOUR_MS):
            session += terms(symbol, at)
        session += [("candles.1H", each) for each in longer(base, "1H")]
        session += [("candles.5m", each) for each in base]
        ticks = prices(symbol, START_MS + DAY_MS, START_MS + DAYS * DAY_MS)
        session += [("tickers", each) for each in ticks]
    await put(installation, sorted(session, key=lambda each: event_at(each[1])))
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("CHANDLER_SET_kafka__symbol_partitions", str(PARTITIONS))
    return msgspec.structs.replace(installation, data=tmp_path)


@pytest.fixture
def run(past: Installation, capsys: pytest.CaptureFixture[str]) -> Run:
    return partial(ran, capsys)


@pytest.fixture
def other(past: Installation) -> Installation:
    """Where the replays go."""
    return msgspec.structs.replace(past, topic_prefix=f"try-{past.topic_prefix}")
