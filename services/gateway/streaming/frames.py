"""WebSocket frames that are made once and written to many sockets as they are.

uvicorn encodes each message for each socket. Its protocol is asked here to write what is a frame
already, and to cut a connection that doesn't read: what waits for it is memory of ours.
"""

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

WRITE_BYTES_MAX = 128 * 1024  # that wait in a transport before its writer waits
CLOSE_S_MAX = 5.0  # that the other side has to answer a close
FRAME, CUT = "chandler.frame", "chandler.cut"  # what a websocket.send may hold beside ASGI's


class Protocol(WebSocketsSansIOProtocol):
    """A server's side of one socket: `uvicorn.Config(ws=Protocol)`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)

    async def send(self, message: Any) -> None:
        """As in ASGI; ClientDisconnected."""
        if message["type"] == "websocket.send":
            if CUT in message:
                self.transport.abort()
                return
            if FRAME in message:
                await self._write(message[FRAME])
                return
        await super().send(message)
        if self.close_timer is not None and message["type"] == "websocket.close":
            self.close_timer.cancel()  # it would wait until all was read
            self.close_timer = self.loop.call_later(CLOSE_S_MAX, self.transport.abort)

    async def _write(self, frames: bytes) -> None:
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(frames)


def framed(payload: bytes) -> bytes:
    """A server's text frame, RFC 6455 §5.2: final, opcode 1, not masked."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


async def send_frames(socket: Any, frames: bytes) -> None:
    """One frame or several, whole."""
    await socket.send({"type": "websocket.send", FRAME: frames})


async def cut(socket: Any) -> None:
    """Ends the connection at once; what it has not read is dropped."""
    await socket.send({"type": "websocket.send", CUT: True})
