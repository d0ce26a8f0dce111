"""What a quiet demo never shows, made to happen: an end by force, unreadable records, commands."""

import asyncio
import json
import os
import signal
import urllib.request

from chandler.streams.clients import producer, topic_name
from chandler.streams.settings import PORT_TELEGRAM, Installation
from grafana.live.system import StartError, System, statuses

KILLED = ("signals-1", "market")  # one that shares its partitions, and one of faust's
OWNER = 999_999_999_999_999  # of the demo's profile
COMMANDS = ("/status", "/buying off trend", "/buying on trend")
TIMEOUT_S = 10.0


def provoke(started: System) -> None:
    """All of it, once."""
    asyncio.run(_unreadable(started.here))
    for text in COMMANDS:
        _say(started.here, text)
    found = statuses(started)
    for name in KILLED:
        pid = found[name]["pid"]
        if not pid:
            raise StartError(f"{name} doesn't run: nothing to end by force")
        os.kill(pid, signal.SIGKILL)


async def _unreadable(here: Installation) -> None:
    """A record that no reader of the topic understands."""
    sender = producer(here)
    await sender.start()
    try:
        for topic in ("signals.external", "candles.5m"):
            await sender.send_and_wait(topic_name(here, topic), b"not an event", key=b"BTCUSDT")
    finally:
        await sender.stop()


def _say(here: Installation, text: str) -> None:
    """Writes to the bot, as the demo's owner does on the stand-in's page."""
    url = f"http://127.0.0.1:{here.port(PORT_TELEGRAM)}/control/messages"
    body = json.dumps({"user_id": OWNER, "text": text}).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as response:  # noqa: S310
        response.read()
