"""Serves the page over made-up data: REST and WebSocket of the gateway's contract, no Kafka.

`python -m tests.browser.gateway.server PORT` to look at it: sign in as olga, password "lanterns".
"""

import asyncio
import contextlib
import json
import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from services.gateway.problems import Problem, install
from services.gateway.routes import pages
from tests.browser.gateway.answers import Answers
from tests.browser.gateway.desk import Desk, oid
from tests.browser.gateway.market import Market

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
TICK_S = 0.25
STATE = {"trading": True, "buying": True, "selling": True}
FAR_MS = 4_000_000_000_000
PEOPLE = {"olga": "owner", "otto": "operator", "vera": "viewer"}
PASSWORD = "lanterns"


class Fixture:
    """The market, who listens, and what tests change."""

    def __init__(self, count=200, *, hostile=False, empty=False, pace=TICK_S, quiet=False):
        self.market = Market(count)
        self.desk = Desk(self.market)
        self.answers = Answers(self.market, self.desk, hostile=hostile, empty=empty)
        self.pace = pace
        self.quiet = quiet  # nothing moves: pictures are alike
        self.sockets = set()
        self.hellos = []
        self.seq = 0
        self.broken = set()  # first words of paths that answer 503
        self.refuses = False  # sockets
        self.ends = False  # every session
        self.watched = []  # what pages asked to be told

    async def send(self, message):
        self.seq += 1
        text = json.dumps({"seq": self.seq, "at_ms": self.market.now_ms, **message})
        for each in list(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await each.send_text(text)

    async def drop(self):
        """Every connection ends."""
        for each in list(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await each.close(1012)

    async def live(self):
        """Prices four times a second, notes once, now and then a signal."""
        tick = 0
        while True:
            await asyncio.sleep(self.pace)
            if self.quiet:
                continue
            tick += 1
            self.market.step()
            await self.send(
                {"type": "price_update_batch", "whole": False, "prices": self.market.prices()}
            )
            if self.answers.empty:
                continue  # prices alone
            if tick % 4 == 0:
                turned = self.market.turn_notes()
                await self.send(
                    {"type": "matrix", "whole": False, "rows": self.market.rows(turned)}
                )
            if tick % 40 == 0:
                self.desk.signals.insert(0, self.desk.signal())
                signal = (
                    self.answers.marked(self.desk.signals[0])
                    if self.answers.hostile
                    else (self.desk.signals[0])
                )
                await self.send({"type": "signal", "signal": signal})

    async def command(self, body):
        """Carries out what the page asks, as the desk would."""
        made = {
            "id": oid(self.market.chance),
            "who": "page:olga",
            "agent": "",
            "symbol": "",
            "side": "",
            "on": True,
            "source": "",
            "notional": None,
            "limit": "",
            "value": None,
            "service": "",
            "at_ms": self.market.now_ms,
            "outcome": "done",
            "by": "executor",
            "detail": "",
            "answers": [],
            "repeated": False,
            **body,
        }
        what, agents = (
            body["what"],
            [body["agent"]] if body.get("agent") else list(self.desk.switches),
        )
        if what in STATE:
            for each in agents:
                self.desk.switches[each][what] = body.get("on", True)
            made["detail"] = (
                f"{what} is {'on' if body.get('on', True) else 'off'}: {' '.join(agents)}"
            )
        elif what in ("close", "close_all"):
            gone = [
                each
                for each in self.desk.positions
                if each["agent"] in agents and body.get("symbol", "") in ("", each["symbol"])
            ]
            for each in gone:
                self.desk.positions.remove(each)
                await self.send({"type": "position_update", "change": "closed", "position": each})
            made["detail"] = f"{len(gone)} closed"
        elif what == "force" and float(body.get("notional") or 100) < 5:
            made |= {"outcome": "refused", "detail": "notional 1: at least 5 is needed"}
        elif what == "limit":
            for each in agents:
                self.desk.limits[each][body["limit"]] = body.get("value") or "0"
        self.desk.commands.append(made)
        return made


def make_app(fixture):
    @contextlib.asynccontextmanager
    async def lifespan(_):
        work = asyncio.create_task(fixture.live())
        yield
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    install(app)
    app.include_router(pages.router)

    @app.middleware("http")
    async def headers(request: Request, go):
        answer = await go(request)
        answer.headers["Content-Security-Policy"] = CSP
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket):
        await stream_of(fixture, socket)

    @app.post("/v1/{path:path}")
    async def post(path: str, request: Request):
        return await posted(fixture, path, await request.json(), request)

    @app.delete("/v1/{path:path}")
    async def delete(path: str):
        return {}

    @app.get("/v1/{path:path}")
    async def get(path: str, request: Request):
        if path.startswith("setup/"):
            if path != "setup/good":
                raise Problem(404, "unknown_link", "expected a link that was not used yet")
            return {"name": "olga", "expires_ms": fixture.market.now_ms + 3_600_000}
        if fixture.ends or not request.headers.get("Authorization", "").startswith("Bearer "):
            raise Problem(401, "unauthenticated", "expected Authorization: Bearer TOKEN")
        if path.partition("/")[0] in fixture.broken:
            raise Problem(503, "kafka_away", "topics can't be read: no broker answers, try again")
        found = fixture.answers.get(path, dict(request.query_params))
        if found is None:
            raise Problem(404, "unknown", f"expected a {path.split('/')[0]} that there is")
        return JSONResponse(found)

    return app


def session(name, role):
    return {
        "token": f"token-of-{name}",
        "expires_ms": FAR_MS,
        "name": name,
        "role": role,
        "agents": [],
    }


async def posted(fixture, path, body, request):
    if path == "login" or path.startswith("setup/"):
        role = PEOPLE.get(body.get("name"), "" if path == "login" else "owner")
        if path == "login" and (not role or body.get("password") != PASSWORD):
            raise Problem(401, "login", "name and password do not fit: try again in 2 s")
        return session(body["name"], role)
    name = request.headers.get("Authorization", "").removeprefix("Bearer token-of-")
    if path == "logout":
        return Response(status_code=204)
    if path == "refresh":
        return session(name, PEOPLE.get(name, "viewer"))
    if path == "commands":
        return await fixture.command(body)
    if path == "keys":
        return {"id": "k9", "secret": "k9.not-a-secret", **body}
    if path.startswith("hooks"):
        return {"id": "h9", "url": "http://127.0.0.1/v1/hooks/not-a-secret", **body}
    if path.startswith("users/"):
        return {"url": "http://127.0.0.1/#/setup/good", "expires_ms": FAR_MS}
    return {}


async def stream_of(fixture, connection):
    await connection.accept()
    if fixture.refuses:
        await connection.close(1013)
        return
    hello = json.loads(await connection.receive_text())
    fixture.hellos.append(hello)
    fixture.watched.append(hello)
    at = {"seq": fixture.seq, "at_ms": fixture.market.now_ms}
    full = not fixture.answers.empty
    for message in (
        {
            "type": "connected",
            "stream": "fixture",
            "agent": "",
            "name": "olga",
            "role": "owner",
            "places": {},
            "resumed": "",
            "missed": 0,
            "lost": "",
        },
        {
            "type": "initial_data",
            "positions": fixture.desk.open() if full else [],
            "agents": [],
            "pumps": fixture.answers.of_market.pumps() if full else [],
            "infra": [],
            "trouble": "",
            "clock_ms": fixture.market.now_ms,
        },
        {"type": "price_update_batch", "whole": True, "prices": fixture.market.prices()},
    ):
        if fixture.answers.hostile:
            message = fixture.answers.marked(message)
        await connection.send_text(json.dumps({**message, **at}))
    fixture.sockets.add(connection)
    try:
        while True:
            said = json.loads(await connection.receive_text())
            if said["type"] == "watch":
                fixture.watched.append(said)
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        fixture.sockets.discard(connection)


class Served:
    """The fixture in a thread of its own, at an address of the loopback."""

    def __init__(self, fixture, port=0):
        self.fixture = fixture
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        settings = uvicorn.Config(
            make_app(fixture),
            log_level="error",
            ws="websockets-sansio",
            timeout_graceful_shutdown=20,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run)
        self._loop = asyncio.new_event_loop()

    def _run(self):
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))

    def run(self, work):
        """Work in the server's loop; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the fixture's server did not start"
            threading.Event().wait(0.01)
        return self

    def __exit__(self, *_):
        self.run(self.fixture.drop())
        self._server.should_exit = True
        self._thread.join()


if __name__ == "__main__":
    with Served(Fixture(), int(sys.argv[1]) if len(sys.argv) > 1 else 36_280) as found:
        print(found.url)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
