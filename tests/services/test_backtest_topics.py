"""A backtest over topics is the same however candles lie in them, and however it is computed."""

import random
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import INTERVAL_MS
from chandler.replay.backtest import Prepared, backtest
from chandler.streams.admin import create_topics
from chandler.streams.settings import Installation
from services.past.setting import chosen
from services.past.sources import Period, of_topics
from tests.candles import longer, path
from tests.streams.exact_cluster import publish

pytestmark = pytest.mark.kafka
SYMBOLS = [Symbol(f"{name}USDT") for name in ("AAA", "BBB", "CCC", "DDD", "EEE")]
CHANGES = [
    "engines.scalper.long_threshold=0.2",
    "engines.scalper.short_threshold=-0.2",
    "engines.reverter.long_threshold=0.15",
]


def rounded(candle: CandleSealed) -> CandleSealed:
    """With prices as a venue has them."""
    prices = {name: round(getattr(candle, name), 3) for name in ("open", "high", "low", "close")}
    return msgspec.structs.replace(candle, **prices)


def shuffled(seed: int) -> list[CandleSealed]:
    """All symbols' candles: each symbol's in their order, the symbols in any."""
    chance = random.Random(seed)
    queues = []
    for number, symbol in enumerate(SYMBOLS):
        five = [rounded(each) for each in path(900, seed=30 + number, symbol=symbol)]
        queues += [five, longer(five, "1H")]
    found = []
    while queues:
        queue = chance.choice(queues)
        found += queue[:40]
        del queue[:40]
        queues = [each for each in queues if each]
    return found


async def test_partitions_arrival_and_processes_change_nothing(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    names = [*(f"candles.{each}" for each in INTERVAL_MS), "instruments", "funding"]
    digests = {}
    setting = chosen(installation, "demo", changes=CHANGES).setting
    for seed, partitions in enumerate((1, 4, 8)):
        place = msgspec.structs.replace(
            installation,
            topic_prefix=f"{installation.topic_prefix}{partitions}.",
            data=tmp_path / str(partitions),
        )
        await create_topics(place, partitions, 1, names)
        await publish(place, shuffled(seed))
        read = await of_topics(place, setting, Period(), [])
        for processes in (1, 2):
            found = backtest(setting, read.past, processes=processes, threads=processes)
            digests[partitions, processes] = found.origin.digest

    ready = Prepared(read.past)
    again = [backtest(setting, ready).origin.digest for _ in range(2)]

    assert len(found.fills) > 50
    assert set(digests.values()) == {*again}
    assert len(set(again)) == 1
