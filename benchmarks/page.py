"""`bench page`: the scanner's frames a second at 200 live symbols, and the first paint.

Headless Chromium shows the page of the gateway, served with made-up data: all prices change four
times a second, a fifth of the notes each second, while the scanner is scrolled up and down. What
is counted comes from performance traces over Chromium's DevTools protocol.
"""

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.browser.gateway.looking import Looked
from tests.browser.gateway.server import Fixture, Served

SYMBOLS = 200
FRAMES_WANTED = 30.0  # a second
PAINT_MS_WANTED = 1_000.0
STEP, SPEED = 2_600, 1_300  # pixels of a scroll, and a second
FRAMES = ("devtools.timeline", "disabled-by-default-devtools.timeline.frame", "toplevel")
LOADS = ("devtools.timeline", "loading", "blink.user_timing")
Event = dict[str, Any]


def scrolled(page: Looked, times: int) -> None:
    """The scanner's rows down and up again."""
    for _ in range(times):
        for distance in (-STEP, STEP):
            page.browser.ask(
                "Input.synthesizeScrollGesture",
                x=700,
                y=500,
                yDistance=distance,
                speed=SPEED,
                gestureSourceType="mouse",
            )


def frames_of(events: list[Event]) -> dict[str, float]:
    """Frames that were drawn: how many a second, the gaps between them, the longest task."""
    drawn = sorted(event["ts"] / 1_000 for event in events if event["name"] == "DrawFrame")
    gaps = [after - before for before, after in itertools.pairwise(drawn)]
    assert len(gaps) > 100, f"{len(gaps)} frames in the trace: expected some hundreds"
    seconds = (drawn[-1] - drawn[0]) / 1_000
    whole = [int((at - drawn[0]) / 1_000) for at in drawn]
    by_second = [whole.count(second) for second in range(int(seconds))]
    tasks = [
        event["dur"] / 1_000
        for event in events
        if event["name"].endswith("RunTask") and "dur" in event
    ]
    return {
        "seconds": seconds,
        "a second": len(gaps) / seconds,
        "in the worst second": min(by_second),
        "gap p95, ms": statistics.quantiles(gaps, n=20)[-1],
        "gap longest, ms": max(gaps),
        "longest task, ms": max(tasks, default=0.0),
    }


def paint_of(events: list[Event], address: str) -> dict[str, float]:
    """From the start of the navigation to the first paint and the first content, ms."""
    begun = [
        event
        for event in events
        if event["name"] == "navigationStart"
        and event["args"]["data"].get("documentLoaderURL", "").startswith(address)
    ]
    assert begun, "the trace has no start of the navigation"
    start = begun[-1]["ts"]
    found = {}
    for name in ("firstPaint", "firstContentfulPaint"):
        at = [event["ts"] for event in events if event["name"] == name and event["ts"] > start]
        assert at, f"the trace has no {name}"
        found[name] = (min(at) - start) / 1_000
    return found


def painted(page: Looked, runs: int) -> dict[str, list[float]]:
    """First paints of the scanner, loaded without the browser's cache; and when its rows stand."""
    found: dict[str, list[float]] = {"firstPaint": [], "firstContentfulPaint": [], "rows": []}
    page.browser.ask("Network.setCacheDisabled", cacheDisabled=True)
    address = page.served.url + "/scanner"
    for _ in range(runs):
        page.browser.visit("about:blank")
        events = page.browser.traced(lambda: _rows(page, address, found["rows"]), *LOADS)
        for name, value in paint_of(events, page.served.url).items():
            found[name].append(value)
    page.browser.ask("Network.setCacheDisabled", cacheDisabled=False)
    return found


def _rows(page: Looked, address: str, times: list[float]) -> None:
    page.browser.visit(address)
    page.until("document.querySelector('.heat .line[aria-rowindex=\"1\"]')")
    times.append(page.run("performance.now()"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench page")
    parser.add_argument("--scrolls", type=int, default=5, help="down and up again")
    parser.add_argument("--loads", type=int, default=7)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium.running(Path(folder)) as browser,
        Served(Fixture(SYMBOLS)) as served,
    ):
        page = Looked(browser, served)
        page.sign_in()
        paints = painted(page, asked.loads)
        page.open("/scanner")
        page.says(f"{SYMBOLS} of {SYMBOLS} symbols")
        scrolled(page, 1)  # warm
        begun = served.fixture.seq
        frames = frames_of(browser.traced(lambda: scrolled(page, asked.scrolls), *FRAMES))
        messages = served.fixture.seq - begun
        errors = browser.errors
    print(f"scanner, {SYMBOLS} live symbols, scrolled; {messages} messages of the stream")
    for name, value in frames.items():
        print(f"  {name:24}{value:10.1f}")
    print(f"load without cache, {asked.loads} times, ms: median, worst")
    for name, values in paints.items():
        print(f"  {name:24}{statistics.median(values):10.0f}{max(values):10.0f}")
    busy = os.getloadavg()[0]
    print(f"load of the machine {busy:.1f} on {os.cpu_count()} cores; errors: {errors or 'none'}")
    paint = statistics.median(paints["firstContentfulPaint"])
    well = frames["a second"] >= FRAMES_WANTED and paint < PAINT_MS_WANTED and not errors
    print(
        f"wanted: {FRAMES_WANTED:.0f} frames a second, {PAINT_MS_WANTED:.0f} ms: "
        f"{'kept' if well else 'not kept'}"
    )
    return 0 if well else 1
