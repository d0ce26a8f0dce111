"""What is elsewhere: the brokers of CHANDLER_BROKERS, the venue, and its clock beside ours."""

import asyncio
import contextlib
import socket
import time
from urllib.parse import urlsplit
from urllib.request import getproxies

from chandler.exchanges.bitget.config import VenueConfig
from chandler.streams.settings import Installation, SettingsError
from services.exits import one_line
from services.watchdog.preflight.findings import Finding, failure, warning, well

ANSWER_S_MAX = 4.5  # less than a look may take, so that the reason is told
SAMPLES = 2  # the first one opens the connection; the one with the shortest way counts
OFF_MS_MAX = 5_000  # signatures expire after 30 s, and the clock may go on drifting
OFF_MS_FEW = 1_000
CLOCK_CURE = "set it right and keep it so: switch NTP on (timedatectl set-ntp true)"


def brokers(installation: Installation) -> Finding:
    """Whether the Kafka of CHANDLER_BROKERS lets us in."""
    try:
        asyncio.run(_ask_brokers(installation))
    except SettingsError as error:
        return failure("brokers", str(error), "correct the CHANDLER_KAFKA_* settings")
    except Exception as error:  # whatever the client makes of what it is told
        reason = (
            f"within {ANSWER_S_MAX:g} s" if isinstance(error, TimeoutError) else one_line(error)
        )
        return failure(
            "brokers",
            f"no Kafka answers at {installation.brokers} ({reason})",
            "check CHANDLER_BROKERS and the CHANDLER_KAFKA_* settings of its security",
        )
    return well("brokers", f"{installation.brokers} answers")


async def _ask_brokers(installation: Installation) -> None:
    from chandler.streams.clients import admin
    from chandler.streams.lifetime import close, start

    client = admin(installation)
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            await start(client)
    finally:
        await close(client)


def venue(config: VenueConfig) -> list[Finding]:
    """Whether the venue answers, and how far this machine's clock is from its own."""
    from chandler.exchanges.bitget.errors import VenueError

    _look_up(config.rest_url)
    try:
        off_ms, took_ms = asyncio.run(_off(config))
    except (VenueError, TimeoutError) as error:
        late = f"no answer within {ANSWER_S_MAX:g} s"
        reason = str(error) if isinstance(error, VenueError) else late
        return [
            failure(
                "venue",
                f"{config.rest_url} can't be used: {reason}",
                "check this machine's network and proxy, and venue.rest_url",
            )
        ]
    return [well("venue", f"{config.rest_url} answers in {took_ms} ms"), clock(off_ms)]


def clock(off_ms: int) -> Finding:
    """Whether this machine's clock is near enough. `off_ms`: ours less the venue's."""
    found = f"this machine's clock is {off_ms / 1000:+.1f} s off the venue's"
    if abs(off_ms) > OFF_MS_MAX:
        found = f"{found}, at most {OFF_MS_MAX // 1000} s are safe: signatures expire"
        return failure("clock", found, CLOCK_CURE)
    if abs(off_ms) > OFF_MS_FEW:
        return warning("clock", found, CLOCK_CURE)
    return well("clock", found)


async def _off(config: VenueConfig) -> tuple[int, int]:
    """(our wall clock less the venue's, how long its answer took), ms."""
    from chandler.exchanges.bitget.rest import Rest

    samples = []
    async with asyncio.timeout(ANSWER_S_MAX), Rest(config) as rest:
        for _ in range(SAMPLES):
            asked, before = time.time_ns() // 1_000_000, time.monotonic()
            theirs = await rest.server_time()
            took_ms = int((time.monotonic() - before) * 1000)
            samples.append((took_ms, asked + took_ms // 2 - theirs))
    took_ms, off_ms = min(samples)
    return off_ms, took_ms


def _look_up(url: str) -> None:
    """Asks for the address in this thread: one of asyncio's would keep the process from ending."""
    host = urlsplit(url).hostname
    if host and not getproxies():  # a proxy does it itself
        with contextlib.suppress(OSError):  # told when the venue is asked
            socket.getaddrinfo(host, None)
