"""The gateway's page when something is wrong, empty, hostile, or asked by keyboard alone."""

import pytest

from tests.browser.gateway.looking import PHONE
from tests.browser.gateway.market import HOSTILE
from tests.browser.gateway.test_views import VIEWS

FRESH = "document.querySelector('.live').innerText"
NOTICE = "document.getElementById('notice')"
# Text and grounds that stand on each other.
PAIRS = (
    [
        (text, ground)
        for text in ("--text", "--quiet", "--gain", "--loss", "--accent", "--bad")
        for ground in ("--panel", "--back")
    ]
    + [("--text", f"--heat{step}") for step in ("-5", "-4", "-3", "3", "4", "5")]
    + [("--warn", "--warn-back"), ("--bad", "--bad-back"), ("--on-accent", "--accent")]
)


@pytest.mark.parametrize("path", [*VIEWS, "/backtests/20240115-1130-trend"])
def test_markup_in_every_text_is_shown_as_text(looked, path):
    page = looked(hostile=True)
    page.open(path)
    if path == "/trades":
        page.click("tr.opens td")
        page.until("document.querySelector('.path .step')")

    assert page.count("main img") == 0
    assert page.count("[onerror]") == 0
    if path not in ("/scanner", "/account", "/backtests", "/backtests/20240115-1130-trend"):
        assert HOSTILE in page.run("document.querySelector('main').textContent")
    page.well()


@pytest.mark.parametrize(
    "path",
    [
        "/symbol/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/trades?symbol=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/backtests/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/#/setup/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
    ],
)
def test_markup_in_the_address_is_text_too(looked, path):
    page = looked()
    page.browser.visit(page.served.url + path)
    page.until("document.querySelector('main .view')")
    page.browser.drawn()

    assert page.count("main img") == 0
    assert not any("exception" in each.lower() for each in page.browser.errors)


@pytest.mark.parametrize("path", VIEWS)
def test_an_empty_view_says_what_will_stand_there(looked, path):
    page = looked(empty=True)
    page.open(path)

    page.until("/(no|none|nothing) /i.test(document.querySelector('main').innerText)")
    page.well()


def test_a_lost_connection_is_said_and_comes_back_with_what_was_last_seen(looked):
    page = looked()
    page.open("/")
    page.until(f"{FRESH}.includes('Live')")
    page.fixture.refuses = True
    page.served.run(page.fixture.drop())
    page.until(f"!{NOTICE}.hidden")
    assert page.run(f"{NOTICE}.innerText").startswith("Connection lost")
    assert "What you see is of 12:0" in page.run(f"{NOTICE}.innerText")
    assert page.run("document.body.classList.contains('lost')")
    before = page.fixture.seq

    page.fixture.refuses = False
    page.click("#notice button", "Try now")
    page.until(f"{NOTICE}.hidden && {FRESH}.includes('Live')")
    last = page.fixture.hellos[-1]["last"]
    assert last["stream"] == "fixture"
    assert 0 < last["seq"] <= before


def test_prices_that_stop_are_said_to_be_old(looked):
    page = looked(quiet=True)
    page.open("/")
    page.until(f"{FRESH}.includes('Live')")
    page.run("(now => { Date.now = () => now() + 45_000; })(Date.now.bind(Date))")

    page.until(f"!{NOTICE}.hidden")
    assert "Data is old: no price for" in page.run(f"{NOTICE}.innerText")


def test_what_can_t_be_read_says_why_and_is_tried_again(looked):
    page = looked(quiet=True)
    page.fixture.broken.add("trades")
    page.open("/trades")
    page.says("topics can't be read: no broker answers, try again")
    page.fixture.broken.clear()
    page.click("button", "Try again")

    page.until("document.querySelector('tr.opens')")


def test_an_expired_session_leads_to_signing_in(looked):
    page = looked(quiet=True)
    page.open("/")
    page.fixture.ends = True
    page.click("#views a", "Trades")

    page.until("location.pathname === '/login'")
    assert page.run("sessionStorage.getItem('chandler.session')") is None


def test_the_keyboard_goes_everywhere_and_focus_is_seen(looked):
    page = looked(quiet=True)
    page.open("/")
    page.press("?")
    page.says("go to a symbol")
    page.run("document.querySelector('dialog').close()")
    page.press("g", "s")
    page.until("location.pathname === '/scanner'")
    page.press("/")
    page.until("document.querySelector('dialog.finder input')")
    page.browser.ask("Input.insertText", text="solu")
    page.until("document.querySelector('.finder [aria-selected=true]').innerText.includes('SOL')")
    page.press("Enter")
    page.until("location.pathname === '/symbol/SOLUSDT'")

    theme = page.run("document.documentElement.dataset.theme")
    page.press("t")
    assert page.run("document.documentElement.dataset.theme") != theme
    page.open("/")
    for kind in ("rawKeyDown", "keyUp"):
        page.browser.ask(
            "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
    assert page.run("document.activeElement.className") == "skip"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.run("localStorage.removeItem('chandler.theme')")
    page.well()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_told_apart(looked, dark):
    """Of text on its ground 4.5 to 1 at least, as WCAG 2.2 asks (1.4.3)."""
    page = looked(quiet=True)
    page.browser.show(*PHONE, dark=dark)
    page.open("/")
    ratio = """(pair) => {
      const light = (name) => {
        const probe = document.createElement("i");
        probe.style.color = `var(${name})`;
        document.body.append(probe);
        const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
        probe.remove();
        const lin = parts.map((each) => each / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2];
      };
      const [a, b] = pair.map(light);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""

    found = {pair: page.run(f"({ratio})({list(pair)})") for pair in PAIRS}
    assert {pair: round(value, 2) for pair, value in found.items() if value < 4.5} == {}
