"""The page over the demo: somebody goes through all of it, and what they click changes trading.

CHANDLER_TEST_PICTURES names a folder where pictures of it are kept.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chandler.exchanges.simulator.recording import SHIPPED
from tests.browser import chromium
from tests.conftest import free_port_base
from tests.simulation.system import System, until

pytestmark = [pytest.mark.kafka, pytest.mark.system]

SPEED = 30  # of the venue's clock: signals come soon, and a person could still follow
TRADED_S_MAX = 240.0  # until the demo has closed something
PASSWORD = "correct horse battery"
AGENT = "venue"  # sends its orders to the simulator, as if that were the real venue
VIEWS = {  # what stands in each once its figures are there
    "/": f"document.querySelector('.curve')?.ariaLabel?.includes('{AGENT}')",
    "/symbol/BTCUSDT": "document.body.innerText.includes('rsi(14)')",
    "/scanner": "document.querySelectorAll('.heat .line').length > 20",
    "/trades": "document.querySelector('tr.opens')",
    "/backtests": "document.querySelectorAll('tbody input').length === 1",
    "/controls": "document.querySelectorAll('main button.switch').length >= 6",
    "/system": "document.body.innerText.includes('recorder')",
    "/account": "document.querySelectorAll('main .panel').length > 0",
}


class Person:
    """Somebody at a browser, and what the gateway says to their session."""

    def __init__(self, page: chromium.Page, url: str, pictures: Path) -> None:
        self.page, self.url, self.pictures = page, url, pictures
        page.show(1440, 900, dark=True)

    def sets_a_password(self, link: str) -> None:
        """By the one-time link, which also signs in."""
        self.page.visit(link)
        self.page.until("document.querySelectorAll('input[type=password]').length === 2")
        for number in (0, 1):
            self.page.run(f"document.querySelectorAll('input[type=password]')[{number}].focus()")
            self.page.ask("Input.insertText", text=PASSWORD)
        self.click("button.main", "Set password")
        self.page.until("sessionStorage.getItem('chandler.session') && !location.hash")

    def opens(self, path: str, holds: str = "true") -> None:
        """A view, until what is named holds and nothing is loading any more."""
        self.page.visit(self.url + path)
        self.page.until(f"({holds}) && !document.querySelector('.bars')")

    def click(self, selector: str, text: str = "") -> None:
        found = (
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            f".find(e => e.textContent.includes({json.dumps(text)}) && !e.disabled)"
        )
        self.page.until(found)
        self.page.run(f"{found}.click()")

    def write(self, selector: str, text: str) -> None:
        self.page.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.page.ask("Input.insertText", text=text)

    def says(self, text: str) -> None:
        """Waits for a text."""
        self.page.until(f"document.body.innerText.includes({json.dumps(text)})")

    def picture(self, name: str) -> None:
        """Of what is in the window."""
        self.page.drawn()
        assert len(self.page.picture(self.pictures / f"{name}.png", whole=False)) > 20_000

    def well(self) -> None:
        """Nothing went wrong in the page, and nothing was asked of another server."""
        elsewhere = [
            each for each in self.page.requests if not each.startswith((self.url, "data:"))
        ]
        assert not self.page.errors, self.page.errors
        assert not elsewhere, elsewhere

    def ask(self, path: str, body: Any = None) -> Any:
        """What the gateway answers the page's session."""
        session = "JSON.parse(sessionStorage.getItem('chandler.session')).token"
        more = "" if body is None else f", method: 'POST', body: {json.dumps(json.dumps(body))}"
        return self.page.run(
            f"fetch('/v1{path}', {{headers: {{Authorization: 'Bearer ' + {session}, "
            f"'Content-Type': 'application/json'}}{more}}}).then((each) => each.json())"
        )

    def positions(self) -> list[Any]:
        """Open ones of the agent."""
        return [each for each in self.ask("/positions")["items"] if each["agent"] == AGENT]

    def entries(self) -> set[str]:
        """Orders of the agent that opened something."""
        orders = self.ask(f"/orders?agent={AGENT}&limit=200")["items"]
        return {each["id"] for each in orders if each["action"] == "open"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    kept = Path(os.environ.get("CHANDLER_TEST_PICTURES") or tmp_path / "pictures")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def test_somebody_goes_through_the_page_and_what_they_click_changes_trading(tmp_path, pictures):
    system = System(tmp_path / "data", free_port_base())
    with chromium.running(tmp_path / "browser") as page:
        tried = system.command(
            "backtest", "--candles", str(SHIPPED), "--agents", "trend", within_s=600
        )
        assert tried.returncode == 0, tried.stderr
        try:
            with system.up(f"--speed={SPEED}"):
                link = system.report("gateway", "link")["url"]
                person = Person(page, link.partition("/#")[0], pictures)
                person.sets_a_password(link)
                looked_at_everything(person)
                trading_was_stopped(person)
                closed_and_forced(person)
        finally:
            system.kill_all()


def looked_at_everything(person: Person) -> None:
    until(lambda: person.ask("/trades")["items"], TRADED_S_MAX, "nothing was traded")
    for path, holds in VIEWS.items():
        person.opens(path, holds)
        person.picture(path.strip("/").replace("/", "-").casefold() or "overview")
    person.opens("/trades", VIEWS["/trades"])
    person.click("tr.opens")
    person.page.until("document.querySelectorAll('.path .step').length > 5")
    person.says("every link fits")
    person.picture("why")
    person.page.show(390, 844, dark=False, touch=True)
    person.opens("/", VIEWS["/"])
    person.picture("telephone")
    person.page.show(1440, 900, dark=True)
    person.well()


def trading_was_stopped(person: Person) -> None:
    """A switch that is off: signals come as before, and none of them is an entry."""
    switch = f"[data-agent={AGENT}][data-what=trading]"
    person.opens("/controls", f"document.querySelector('{switch}')")
    person.click(switch)
    person.click("dialog button", "Switch off")
    person.says("Done: trading is off")
    person.page.until(
        f"document.querySelector('{switch}').getAttribute('aria-checked') === 'false'"
    )
    before = person.entries()
    wish = {"symbol": "BTCUSDT", "side": "long", "source": "test"}
    [dry] = [
        each
        for each in person.ask("/signals?dry_run=true", wish)["agents"]
        if each["agent"] == AGENT
    ]

    assert (dry["eligible"], dry["reason"]) == (False, "trading_off")
    until(lambda: refused(person), TRADED_S_MAX, "no signal was refused")
    assert person.entries() == before
    person.picture("stopped")
    person.click(switch)
    person.click("dialog button", "Switch on")
    person.says("Done: trading is on")
    person.well()


def refused(person: Person) -> list[Any]:
    """Signals that the agent did not take for its switch."""
    found = person.ask(f"/refusals?agent={AGENT}")["items"]
    return [each for each in found if each["reason"] == "trading_off"]


def closed_and_forced(person: Person) -> None:
    """All is closed, and one is opened by hand."""
    person.opens("/controls")
    person.click(f"section[aria-label={AGENT}] button", "Close all")
    person.write("dialog input", AGENT)
    held = {each["id"] for each in person.positions()}
    person.click("dialog button", "Close all")
    person.says("Done: ")
    until(
        lambda: not held & {each["id"] for each in person.positions()},
        TRADED_S_MAX,
        "what was open is open still",
    )

    person.write("input[aria-label='Symbol of the order']", "dogeusdt")
    person.write("input[aria-label='Notional in quote coin']", "50")
    person.page.run(
        f"(s => {{ s.value = '{AGENT}'; s.dispatchEvent(new Event('change')); }})"
        "(document.querySelector(\"select[aria-label='Agent of the order']\"))"
    )
    person.click("button", "Ask and place")
    person.click("dialog button.main", "Buy")
    until(
        lambda: [each for each in person.positions() if each["symbol"] == "DOGEUSDT"],
        TRADED_S_MAX,
        "the forced order opened nothing",
    )
    person.picture("forced")
    person.well()
