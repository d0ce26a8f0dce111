"""What a quiet demo never shows, made to happen: an end by force, unreadable records, requests."""

import asyncio
import json
import os
import signal
import subprocess
import urllib.request
from typing import Any

from chandler.streams.clients import producer, topic_name
from chandler.streams.lifetime import close, start
from chandler.streams.settings import PORT_GATEWAY, PORT_TELEGRAM, Installation
from grafana.live.system import StartError, System, statuses
from services.layers import root

KILLED = ("signals-1", "market")  # one that shares its partitions, and one of faust's
OWNER = 999_999_999_999_999  # of the demo's profile
COMMANDS = ("/status", "/buying off trend", "/buying on trend")
TIMEOUT_S = 10.0


def provoke(started: System) -> None:
    """All of it, once."""
    asyncio.run(_unreadable(started.here))
    for text in COMMANDS:
        _say(started.here, text)
    _send(started)
    found = statuses(started)
    for name in KILLED:
        pid = found[name]["pid"]
        if not pid:
            raise StartError(f"{name} doesn't run: nothing to end by force")
        os.kill(pid, signal.SIGKILL)


async def _unreadable(here: Installation) -> None:
    """A record that no reader of the topic understands."""
    sender = producer(here)
    try:
        await start(sender)
        for topic in ("signals.external", "candles.5m"):
            await sender.send_and_wait(topic_name(here, topic), b"not an event", key=b"BTCUSDT")
    finally:
        await close(sender)


def _say(here: Installation, text: str) -> None:
    """Writes to the bot, as the demo's owner does on the stand-in's page."""
    url = f"http://127.0.0.1:{here.port(PORT_TELEGRAM)}/control/messages"
    _post(url, {"user_id": OWNER, "text": text})


def _send(started: System) -> None:
    """Sends the gateway a signal, as a program does."""
    words = ["./chandler", "gateway", "key", "observe", "--scopes", "signals"]
    done = subprocess.run(
        words, cwd=root(), env=started.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StartError(f"the gateway has no key for us: {done.stderr.strip()}")
    url = f"http://127.0.0.1:{started.here.port(PORT_GATEWAY)}/v1/signals"
    wish = {"symbol": "BTCUSDT", "side": "long", "source": "observe"}
    _post(url, wish, {"X-API-Key": done.stdout.strip()})


def _post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    said = {"Content-Type": "application/json", **(headers or {})}
    asked = urllib.request.Request(url, json.dumps(body).encode(), said)  # noqa: S310
    with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as response:  # noqa: S310
        response.read()
