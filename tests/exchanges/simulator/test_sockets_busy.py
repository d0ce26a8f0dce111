"""A venue with much to tell answers pings and questions all the same."""

import contextlib
from pathlib import Path

from tests.exchanges.simulator.test_sockets import still
from tests.exchanges.simulator.venue import client, get

EVERYTHING = [
    (f"candle{name}", symbol)
    for symbol in ("AAAUSDT", "BBBUSDT")
    for name in ("1m", "5m", "15m", "30m", "1H", "2H", "4H", "6H", "12H", "1D")
]


async def test_a_ping_does_not_wait_for_snapshots(tmp_path: Path) -> None:
    """With 1,000 symbols the pong came after 15 s: connections were lost, and began anew."""
    async with still(tmp_path) as venue, client(venue) as one:
        await one.send("subscribe", *EVERYTHING)
        await one.socket.send("ping")
        before = 0
        while (said := await one.socket.recv()) != "pong":
            before += '"snapshot"' in str(said)

    assert before < len(EVERYTHING)


async def test_a_request_does_not_wait_for_the_snapshots_of_many_connections(
    tmp_path: Path,
) -> None:
    """Each connection had one in every turn of the loop, and an answer takes some turns."""
    async with still(tmp_path) as venue, contextlib.AsyncExitStack() as opened:
        many = [await opened.enter_async_context(client(venue)) for _ in range(20)]
        for one in many:
            await one.send("subscribe", *EVERYTHING)
        before = venue.sockets.counts["frames"]
        await get(venue, "/api/v2/public/time")
        meanwhile = venue.sockets.counts["frames"] - before

    assert meanwhile < len(many) * len(EVERYTHING) / 4
