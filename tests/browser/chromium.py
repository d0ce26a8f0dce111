"""A headless Chromium for tests, spoken to over its debugging protocol.

Found on the PATH, or where CHANDLER_TEST_CHROMIUM says; tests/chromium.sh installs Debian's. With
CHANDLER_TEST_CHROMIUM set its absence is a failure.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ANSWER_S_MAX = 60.0
UNTIL_MS_MAX = 40_000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
LISTENS = "DevTools listening on "


def required() -> str:
    """Chromium's path; skips, or fails, with the reason."""
    wanted = os.environ.get("CHANDLER_TEST_CHROMIUM", "")
    for name in (wanted,) if wanted else NAMES:
        found = shutil.which(name)
        if found:
            return found
    if wanted:
        pytest.fail(f"CHANDLER_TEST_CHROMIUM is {wanted!r}: expected a Chromium that can be run")
    pytest.skip("no Chromium is installed: run tests/chromium.sh")


class Page:
    """One page of a browser: what it says, asks for and looks like."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0
        self._session: str | None = None
        self.errors: list[str] = []  # exceptions, console errors and warnings, log entries
        self.requests: list[str] = []  # addresses that it asked for
        self._seen: list[str] = []  # names of events
        self._traced: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and gives its answer; events that come meanwhile are taken in."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            said = json.loads(self._socket.recv(ANSWER_S_MAX))
            if said.get("id") == self._asked:
                assert "error" not in said, f"{method}: {said.get('error')}"
                answer: dict[str, Any] = said["result"]
                return answer
            self._take(said)

    def show(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """The size of its window, and the colours that its person prefers."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=touch)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def open(self, path: Path) -> None:
        """Loads a file and waits until it has been drawn."""
        self.visit(path.resolve().as_uri())

    def visit(self, address: str) -> None:
        """Loads an address and waits until it has been drawn."""
        self._seen.clear()
        self.ask("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._seen:
            self._take(json.loads(self._socket.recv(ANSWER_S_MAX)))
        self.drawn()

    def drawn(self) -> None:
        """Two frames later: what watches sizes has been told them, and has drawn."""
        self.run("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def run(self, expression: str) -> Any:
        """An expression's value in the page."""
        said = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def until(self, expression: str) -> None:
        """Waits until an expression of the page is true."""
        wait = f"""new Promise((done) => {{
          const end = performance.now() + {UNTIL_MS_MAX};
          const look = () => {{
            if ({expression}) done(true);
            else if (performance.now() > end) done(false);
            else setTimeout(look, 25);
          }};
          look();
        }})"""
        assert self.run(wait), f"it never came: {expression}; errors: {self.errors}"

    def point(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.drawn()

    def traced(self, work: Callable[[], object], *categories: str) -> list[dict[str, Any]]:
        """The events of a performance trace while `work` is done."""
        self._traced.clear()
        self._seen.clear()
        chosen = {"includedCategories": list(categories)}
        self.ask("Tracing.start", traceConfig=chosen, transferMode="ReportEvents")
        work()
        self.ask("Tracing.end")
        while "Tracing.tracingComplete" not in self._seen:
            self._take(json.loads(self._socket.recv(ANSWER_S_MAX)))
        return list(self._traced)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key)
        self.drawn()

    def picture(self, path: Path, *, whole: bool = True) -> bytes:
        """A PNG of the page, or of the part in the window."""
        said = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        picture = base64.b64decode(said["data"])
        path.write_bytes(picture)
        return picture

    def _take(self, said: dict[str, Any]) -> None:
        method, told = said.get("method", ""), said.get("params", {})
        self._seen.append(method)
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.errors.append(f"console: {[each.get('value') for each in told['args']]}")
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"log: {told['entry']['text']}")
        elif method == "Tracing.dataCollected":
            self._traced += told["value"]
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])


@contextmanager
def running(folder: Path) -> Iterator[Page]:
    """A page in a Chromium that runs meanwhile, with its own profile in `folder`."""
    words = [required(), *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith(LISTENS):
                break
        else:
            pytest.fail(f"Chromium ended before it listened: {''.join(told)[-800:]}")
        address = told[-1].removeprefix(LISTENS).strip()
        # No pings: they are drawn from `random` in another thread, under hypothesis' feet.
        with connect(address, max_size=None, ping_interval=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.communicate()
