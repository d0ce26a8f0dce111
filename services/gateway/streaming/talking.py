"""One socket: who it is, what it missed, and then what happens, until either side ends it."""

import asyncio
import time
from collections import deque
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from services.gateway.caller import Caller
from services.gateway.problems import Problem
from services.gateway.streaming.asked import Hello, Last, Pong, Renew, Watch, read, wants
from services.gateway.streaming.ended import End, EndedError
from services.gateway.streaming.frames import cut, send_frames
from services.gateway.streaming.missing import TOO_MUCH
from services.gateway.streaming.stream import Stream
from services.gateway.streaming.telling.listening import SLOW, Client, View
from services.gateway.streaming.telling.said import encode

HELLO_S = 5.0  # that a client has to say who it is
READY_S = 5.0  # that it waits for the topics
GOODBYE_S = 2.0  # that its last words may take
MISSED_S_MAX = 20.0  # that it takes to read what it missed
CHUNK = 500  # frames that are written in one go
WORDS_MAX = 30  # of a client within
WORDS_S = 10.0


class Talk:
    """`run` is the socket's whole life."""

    def __init__(self, socket: WebSocket, stream: Stream) -> None:
        self._socket = socket
        self._stream = stream
        self._words: deque[float] = deque(maxlen=WORDS_MAX)
        self._client = Client()

    async def run(self) -> None:
        """Returns when it is over; its client was told why, where it listened."""
        await self._socket.accept()
        try:
            with self._stream.counted(self._client):
                await self._until_over()
        except EndedError as ended:
            await self._goodbye(ended)
        except WebSocketDisconnect:
            return

    async def _until_over(self) -> None:
        """Talks; EndedError, WebSocketDisconnect."""
        hello = await self._hello()
        view = self._admitted(hello)
        tasks = [
            asyncio.ensure_future(self._listen()),
            asyncio.ensure_future(self._tell(view, hello.last)),
            asyncio.ensure_future(self._client.over.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._client.ended is not None:
                raise self._client.ended
            for each in done:
                each.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._stream.hub.detach(self._client)

    async def _hello(self) -> Hello:
        try:
            async with asyncio.timeout(HELLO_S):
                asked = read(await self._text())
        except TimeoutError:
            raise EndedError(End.HELLO, f"expected a hello within {HELLO_S:g} s") from None
        if not isinstance(asked, Hello):
            raise EndedError(End.INVALID, "expected a hello first, as in docs/stream.md")
        return asked

    def _admitted(self, hello: Hello) -> View:
        """Who it is, and what it sees. EndedError."""
        caller = self._caller(hello.token, hello.key)
        if hello.agent and not (caller.sees(hello.agent) and self._stream.is_agent(hello.agent)):
            raise EndedError(End.FORBIDDEN, "there is no such agent that you see: see /v1/agents")
        self._stream.admit(self._client, caller)
        return View(caller, hello.agent, wants(hello))

    def _caller(self, token: str, key: str) -> Caller:
        """EndedError. Nothing is said of what it brought."""
        if bool(token) == bool(key):
            raise EndedError(End.TOKEN, "expected a token (POST /v1/login), or a key")
        self._client.secret = (token, key)
        try:
            caller = self._stream.caller(token, key)
        except Problem as problem:
            raise EndedError(End.TOKEN, problem.detail) from None
        if caller.key and "read" not in caller.scopes:
            raise EndedError(End.FORBIDDEN, "this key has no scope 'read': make one that has it")
        return caller

    async def _begin(self, view: View, last: Last | None) -> None:
        """What it missed; then it is attached where that ends, and told how things are."""
        await self._stream.known(READY_S)
        hub, ring = self._stream.hub, self._stream.hub.ring
        async with self._stream.missing.of(last, view) as missed:
            await self._send(missed.frames)
            count, seq, lost = len(missed.frames), missed.seq, missed.lost
        while True:
            if not ring.reaches(seq):
                seq, lost = hub.seq, TOO_MUCH
            frames, seq = ring.since(seq, view.hears, CHUNK)
            if not frames:
                break
            await self._send(frames)
            self._client.sent = seq
            count += len(frames)
        told = {
            "stream": hub.stream,
            "agent": view.agent,
            "name": view.caller.name,
            "role": view.caller.user.role,
            "resumed": missed.way,
            "missed": count,
            "lost": lost,
            "places": hub.places(),
        }
        self._client.state("connected", hub.own("connected", encode(told)[1:-1]))
        picture = self._stream.picture.members(view)
        self._client.state("initial_data", hub.own("initial_data", picture))
        hub.attach(self._client, view)

    async def _tell(self, view: View, last: Last | None) -> None:
        await self._begin(view, last)
        client = self._client
        while True:
            await client.wake.wait()
            client.wake.clear()
            if (frame := client.take()).data:
                await send_frames(self._socket, frame.data)
                client.sent = frame.seq

    async def _send(self, frames: list[bytes]) -> None:
        """EndedError where that takes too long."""
        try:
            async with asyncio.timeout(MISSED_S_MAX):
                for at in range(0, len(frames), CHUNK):
                    await send_frames(self._socket, b"".join(frames[at : at + CHUNK]))
        except TimeoutError:
            raise EndedError(End.SLOW, SLOW) from None

    async def _listen(self) -> None:
        while True:
            asked = read(await self._text())
            self._count()
            match asked:
                case Pong():
                    pass
                case Watch():
                    self._watch(asked)
                case Renew():
                    self._renew(asked)
                case Hello():
                    raise EndedError(End.INVALID, "expected one hello: reconnect for another")

    def _watch(self, asked: Watch) -> None:
        hub, view = self._stream.hub, self._client.view
        if view is None:
            raise EndedError(End.INVALID, "expected it after connected")
        wanted = wants(asked)
        told = {name: sorted(value) for name, value in wanted._asdict().items()}
        self._client.state("watching", hub.own("watching", encode(told)[1:-1]))
        hub.attach(self._client, view._replace(wants=wanted))

    def _renew(self, asked: Renew) -> None:
        """EndedError where it is somebody else's."""
        before = self._client.caller
        caller = self._caller(asked.token, "")
        if before is None or caller.name != before.name or before.key:
            raise EndedError(End.TOKEN, "expected a token of the same person: reconnect")
        self._client.caller = caller
        self._client.state("renewed", self._stream.hub.own("renewed", b""))

    def _count(self) -> None:
        now_s = time.monotonic()
        self._client.heard_s = now_s
        full = len(self._words) == WORDS_MAX
        if full and now_s - self._words[0] < WORDS_S:
            raise EndedError(
                End.TOO_MANY, f"expected at most {WORDS_MAX} messages in {WORDS_S:g} s: say less"
            )
        self._words.append(now_s)

    async def _text(self) -> str:
        message: dict[str, Any] = dict(await self._socket.receive())
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise EndedError(End.INVALID, "expected text, not bytes")
        return str(text)

    async def _goodbye(self, ended: EndedError) -> None:
        """Tells it why, if it reads; cuts the connection if it doesn't."""
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        hub = self._stream.hub
        self._stream.ended(ended.end)
        told = encode({"kind": ended.end.kind, "detail": ended.detail})[1:-1]
        try:
            async with asyncio.timeout(GOODBYE_S):
                await send_frames(self._socket, hub.last(told, self._client.sent))
                await self._socket.close(int(ended.end), ended.end.kind)
        except TimeoutError:
            await cut(self._socket)
        except (WebSocketDisconnect, OSError):
            return
