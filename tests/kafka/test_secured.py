"""A cluster that asks for TLS and a password: every kind of client logs in, nobody else does."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chandler.core.events import MarketView
from chandler.streams.admin import create_topics
from chandler.streams.faust_worker import FaustView, run_view
from chandler.streams.settings import Installation, installation
from services.declaration import Health
from services.exits import NO_KAFKA
from services.market.views import MarketFold
from tests.conftest import free_port_base
from tests.kafka import secured
from tests.streams.exact_cluster import candle, publish, read

DEADLINE_S = 60.0


class Unheard:
    """Counts nothing."""

    def took(self, records: int, outputs: int) -> None: ...

    def dead_letter(self, letter: object) -> None: ...


async def goodbyes() -> None:
    """TLS is closed by a word from either side; a loop that ends before it leaves it open."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE_S):
        while len(loop._selector.get_map()) > 1:  # type: ignore[attr-defined]  # one is its own
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    own = {
        "CHANDLER_DATA": str(tmp_path_factory.mktemp("secured")),
        "CHANDLER_PORT_BASE": str(free_port_base()),
    }
    with secured.running(installation(own)) as found:
        yield found


@pytest.mark.kafka
async def test_whoever_has_the_password_writes_reads_and_runs_faust(cluster: Installation) -> None:
    await create_topics(cluster, 2, 1, ("candles.5m", "market", "dead-letters"))
    await publish(cluster, [candle("AAAUSDT", 0), candle("AAAUSDT", 1)])
    setup = FaustView(
        service="market", topic="candles.5m", table="closes", view=MarketFold(), partitions=2
    )
    stop = asyncio.Event()
    running = run_view(setup, installation=cluster, stop=stop, health=Health(), watcher=Unheard())
    task = asyncio.create_task(running)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await read(cluster, "market"):
                assert not task.done(), task
                await asyncio.sleep(0.1)
    finally:
        stop.set()
        await task
        await goodbyes()

    (view,) = (each for each in await read(cluster, "market") if isinstance(each, MarketView))
    assert view.at == candle("AAAUSDT", 1).close_ms


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ({"CHANDLER_KAFKA_USERNAME": "nobody"}, "invalid credentials"),
        ({"CHANDLER_KAFKA_CA_FILE": ""}, "certificate verify failed"),
        ({"CHANDLER_KAFKA_PROTOCOL": "PLAINTEXT"}, "closed"),
    ],
)
def test_who_lacks_password_or_certificate_is_told_which_in_one_line(
    cluster: Installation, lacking: dict[str, str], why: str
) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "services", "topics", "create"],
        env=os.environ | secured.environment(cluster) | lacking,
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.returncode == NO_KAFKA
    (line,) = asked.stderr.splitlines()
    assert why in line
    assert "CHANDLER_KAFKA_" in line
    assert secured.PASSWORD not in line
