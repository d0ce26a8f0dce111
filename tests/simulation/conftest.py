"""One session of a whole Chandler, shared by all tests that only look at what it left."""

import asyncio
from collections.abc import Iterator, Sequence
from operator import itemgetter

import pytest

from chandler.core.events import Candle, CandleMissing, CandleSealed
from chandler.core.granularity import interval_ms
from chandler.streams.embedded import lease
from chandler.streams.reader import Record, read_topics
from tests.conftest import free_port_base
from tests.simulation.session import LONG, SHORT, Session, play
from tests.simulation.system import System

CANDLES = ("candles.5m", "candles.1H", "candles.4H")


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether the tests may take minutes."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory, is_long: bool) -> Iterator[Session]:
    """A session that was played, killed at and ended; its Kafka runs again, with its topics."""
    plan = LONG if is_long else SHORT
    data = tmp_path_factory.mktemp("session") / "data"
    system = System(data, free_port_base(), **plan.settings)
    try:
        played = play(system, plan)
        with lease(system.installation):
            yield played
    finally:
        system.kill_all()


@pytest.fixture(scope="session")
def recorded(session: Session) -> list[Candle]:
    """What engines read, as the topics hold it, in the order in which ingest published it."""
    return read_candles(session, CANDLES)


@pytest.fixture(scope="session")
def minutes(session: Session) -> list[Candle]:
    """Its candles of one minute, which the pump guard reads."""
    return read_candles(session, ("candles.1m",))


def read_candles(session: Session, topics: Sequence[str]) -> list[Candle]:
    """Candles of these topics in the order in which ingest published them."""

    async def read() -> list[Record]:
        return [record async for record in read_topics(session.system.installation, topics)]

    candles = []
    for record in asyncio.run(read()):
        assert isinstance(record.event, CandleSealed | CandleMissing)
        # Within a millisecond as ingest orders them: by close, the longest first.
        place = (record.timestamp_ms, record.event.close_ms, -interval_ms(record.event.granularity))
        candles.append((place, record.event))
    return [candle for _, candle in sorted(candles, key=itemgetter(0))]
