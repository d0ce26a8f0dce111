"""The other side of `bench gateway`, a process of its own: many WebSockets, or many signals.

Frames are taken apart by hand: what is measured is the gateway, on a machine of two cores.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from functools import partial
from itertools import count
from typing import Any

import aiohttp
import msgspec
import uvloop

HELLO_S_MAX = 60.0
PONG = b'{"type":"pong"}'


class _Prices(msgspec.Struct):
    type: str
    whole: bool = False
    prices: dict[str, tuple[str, str, int]] = {}


_decoder = msgspec.json.Decoder(_Prices)


class Heard:
    """What all clients heard."""

    def __init__(self) -> None:
        self.late_ms: Counter[int] = Counter()  # tick → client: how often
        self.batches = 0
        self.live = 0
        self.lost: list[str] = []
        self.counts = False  # the warm-up is over


class Socket(asyncio.Protocol):
    """One WebSocket."""

    def __init__(self, key: str, heard: Heard) -> None:
        self._key = key
        self._heard = heard
        self._buffer = b""
        self._open = False
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._open, self._buffer = True, rest
            hello = {"type": "hello", "key": self._key, "topics": ["prices"]}
            self._say(json.dumps(hello).encode())
        while (size := whole(self._buffer)) is not None:
            at, end_ = size
            self._take(self._buffer[0] & 15, self._buffer[at:end_])
            self._buffer = self._buffer[end_:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard.lost.append(repr(exc))

    def _take(self, opcode: int, payload: bytes) -> None:
        heard = self._heard
        if opcode == 8:
            heard.lost.append(repr(payload))
            return
        message = _decoder.decode(payload)
        if message.type == "ping":
            self._say(PONG)
        elif message.type == "connected":
            heard.live += 1
        elif message.type == "price_update_batch" and not message.whole and heard.counts:
            now_ms = time.time_ns() // 1_000_000
            heard.batches += 1
            heard.late_ms.update([now_ms - price[2] for price in message.prices.values()])

    def _say(self, payload: bytes) -> None:
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(b"\x81" + length + bytes(4) + payload)


def whole(data: bytes) -> tuple[int, int] | None:
    """Where the first frame's payload begins and ends; None: it is not all here."""
    if len(data) < 2:
        return None
    size, at = data[1], 2
    if size == 126:
        size, at = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, at = int.from_bytes(data[2:10], "big"), 10
    return (at, at + size) if len(data) >= max(at, at + size) else None


async def listen(port: int, keys: list[str], clients: int, warm_s: float, seconds: float) -> Any:
    """What `clients` of these keys hear."""
    heard, loop = Heard(), asyncio.get_running_loop()
    for number in range(clients):
        key = keys[number % len(keys)]
        await loop.create_connection(partial(Socket, key, heard), "127.0.0.1", port)
    async with asyncio.timeout(HELLO_S_MAX):
        while heard.live < clients:
            assert not heard.lost, heard.lost[0]
            await asyncio.sleep(0.05)
    print("live", flush=True)
    await asyncio.sleep(warm_s)
    heard.counts = True
    began = time.process_time()
    await asyncio.sleep(seconds)
    return {
        "late_ms": sorted(heard.late_ms.items()),
        "batches": heard.batches,
        "lost": len(heard.lost),
        "cpu_s": time.process_time() - began,
    }


async def send(port: int, key: str, at_once: int, seconds: float) -> Any:
    """How long each of many signals takes until it is acknowledged, `at_once` under way."""
    took_ms: list[float] = []
    other: Counter[int] = Counter()
    numbers = count()
    url = f"http://127.0.0.1:{port}/v1/signals"
    until = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"X-API-Key": key}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def one_after_another() -> None:
            while time.monotonic() < until:
                number = next(numbers)
                signal = {
                    "symbol": f"B{number % 200:03}USDT",
                    "side": "long" if number % 2 else "short",
                    "source": "bench",
                    "idempotency_key": f"{at_once}-{number}",
                }
                began = time.monotonic()
                async with session.post(url, json=signal) as answer:
                    await answer.read()
                if answer.status == 201:
                    took_ms.append((time.monotonic() - began) * 1_000)
                else:
                    other[answer.status] += 1

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return {"took_ms": sorted(took_ms), "other": dict(other)}


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    work: Any = {"listen": listen, "send": send}[asked.pop("what")]
    print(json.dumps(uvloop.run(work(**asked))), flush=True)


if __name__ == "__main__":
    main()
