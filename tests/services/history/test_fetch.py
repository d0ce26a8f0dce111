"""`candles fetch` from the simulated venue: whole, once, and patient with what a venue does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from chandler.core.events import CandleMissing
from chandler.core.granularity import DAY_MS
from chandler.exchanges.simulator.server import Simulator
from chandler.streams.settings import Installation
from tests.exchanges.simulator.venue import ORIGIN_MS, simulator, write_csv
from tests.exchanges.simulator.venue import candles as recorded
from tests.services.desking import Run
from tests.services.ingesting import candles, differing, faults_of

pytestmark = pytest.mark.kafka

A, B = "AAAUSDT", "BBBUSDT"
SPEED = 600.0
CUT_EVERY = 3
FIVE_MS = 300_000


@asynccontextmanager
async def venue(place: Installation, tmp_path: Path, faults: str = "") -> AsyncIterator[Simulator]:
    """A venue at noon of the second day, and the configuration that names it."""
    write_csv(tmp_path / "candles.csv", recorded(A, B, slots=3 * 288))
    noon = "2024-01-02T12:00:00"
    async with simulator(tmp_path, speed=SPEED, start=noon, faults=faults) as running:
        configure(place, running.rest_url)
        yield running


def configure(place: Installation, rest_url: str) -> None:
    file = place.data / "config.toml"
    lines = ["[venue]", f'rest_url = "{rest_url}"', 'ws_url = "ws://127.0.0.1:9/none"']
    file.write_text("\n".join([*lines, "[simulator]", f"speed = {SPEED}"]))
    file.chmod(0o600)


@asynccontextmanager
async def cutting(upstream: str) -> AsyncIterator[str]:
    """Stands before the venue and cuts every third connection before its answer."""
    seen = 0

    async def pass_on(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        seen += 1
        if seen % CUT_EVERY == 0:
            assert request.transport is not None
            request.transport.abort()
        async with http.get(upstream + request.path_qs) as response:
            body = await response.read()
            return web.Response(
                body=body, status=response.status, content_type=response.content_type
            )

    app = web.Application()
    app.router.add_get("/{path:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_second_call_goes_on_where_the_first_ended(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    async with venue(place, tmp_path) as running:
        words = ("candles", "fetch", A, B.lower(), "--granularity", "5m", "--json")
        first = await say(*words, "--from", "2024-01-01", "--to", "2024-01-01T20:00")
        more = await say(*words, "--from", "2024-01-01", "--to", "2024-01-02T04:00")
        again = await say(*words, "--from", "2024-01-01", "--to", "2024-01-02T04:00")
        found = await candles(place)

        assert [each.status for each in (first, more, again)] == [0, 0, 0]
        assert [each.json["candles"] for each in (first, more, again)] == [480, 192, 0]
        assert {key: len(run_of) for key, run_of in found.items()} == {
            (A, "5m"): 336,
            (B, "5m"): 336,
        }
        assert found[A, "5m"][0].open_ms == ORIGIN_MS
        assert faults_of(found) == []
        assert differing(found, running) == []
    audit = await say("audit", "candles")
    assert audit.out.startswith("candles=672 resealed=0 gaps=0 out_of_order=0")


async def test_storms_cuts_and_what_the_venue_lacks_leave_no_trace(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    faults = "storm429=400ms/200ms,missing=5%"
    async with (
        venue(place, tmp_path, faults=faults) as running,
        cutting(running.rest_url) as address,
    ):
        configure(place, address)
        words = ("--from", "2024-01-01", "--to", "2024-01-02T08:00", "--json")
        said = await say("candles", "fetch", A, B, *words)
        found = await candles(place)

        assert (said.status, said.json["faults"]) == (0, {})
        assert said.json["candles"] + said.json["missing"] == sum(map(len, found.values()))
        assert said.json["missing"] > 0
        assert faults_of(found) == []
        assert differing(found, running) == []
        assert running.rest.counts["rest_429"] > 0
    assert any(isinstance(each, CandleMissing) for run_of in found.values() for each in run_of)


async def test_history_begins_where_the_venue_begins_and_unknown_symbols_are_named(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    async with venue(place, tmp_path):
        words = ("--from", "2023-11-01", "--to", "2024-01-01T10:00")
        said = await say("candles", "fetch", A, "NOPEUSDT", *words)
        found = await candles(place)

    assert said.status == 1
    assert "NOPEUSDT: venue refused: Parameter NOPEUSDT does not exist" in said.err
    assert "this profile reads 1m,1H,4H, too" in said.err
    assert list(found) == [(A, "5m")]
    assert (found[A, "5m"][0].open_ms, len(found[A, "5m"])) == (ORIGIN_MS, 120)


async def test_no_slot_is_taken_before_it_is_final(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    async with venue(place, tmp_path) as running:
        said = await say("candles", "fetch", A, "--from", "2024-01-02", "--to", "2024-02-01")
        now_ms = running.clock.now()
        found = (await candles(place))[A, "5m"]

    assert said.status == 0
    assert ORIGIN_MS + DAY_MS + 140 * FIVE_MS < found[-1].close_ms < now_ms


async def test_a_fetch_behind_a_later_beginning_says_so(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    async with venue(place, tmp_path):
        await say("candles", "fetch", A, "--from", "2024-01-01T06:00", "--to", "2024-01-01T08:00")
        words = ("--from", "2024-01-01", "--to", "2024-01-01T09:00")
        said = await say("candles", "fetch", A, *words)

    assert (said.status, f"{A} 5m: 12 new" in said.out) == (0, True)
    assert "begins 2024-01-01 06:00; what is older can't be put before it" in said.err


async def test_a_venue_that_is_away_is_one_line(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    configure(place, "http://127.0.0.1:9")

    said = await say("candles", "fetch", A, "--from", "2024-01-01")

    assert said.status == 1
    assert said.err.startswith("chandler: the venue at http://127.0.0.1:9 doesn't answer")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["btc/usdt", "--from", "2024-01-01"], "expected capital letters, as BTCUSDT"),
        ([A, "--from", "soon"], "--from soon: expected a time such as"),
        ([A, "--from", "2024-01-02", "--to", "2024-01-01"], "an end after the beginning"),
        ([A, "--from", "2024-01-02", "--granularity", "2h"], "unknown granularity '2h'"),
    ],
)
async def test_words_that_can_not_be_are_refused(
    place: Installation, say: Run, words: list[str], expected: str
) -> None:
    said = await say("candles", "fetch", *words)

    assert (said.status, expected in said.err) == (2, True)
