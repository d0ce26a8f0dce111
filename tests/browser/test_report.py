"""The report in a browser: it draws without an error, at every width, in both colours."""

import struct

import msgspec
import pytest

from chandler.core.granularity import HOUR_MS
from chandler.replay.metrics import measure
from chandler.replay.report import compare, comparison_page, page, run_of
from tests.browser import chromium
from tests.replay.results import changed, made

DESK, PHONE = (1280, 900), (390, 844)
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.running(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def opened(browser, text, folder, size=DESK, *, dark=False):
    """The page in the browser, without any error so far; one request: the file itself."""
    browser.errors.clear()
    browser.requests.clear()
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    browser.show(*size, dark=dark, touch=size == PHONE)
    browser.open(path)
    return browser


def well(browser):
    assert browser.errors == []
    assert browser.requests == [browser.run("location.href")]
    width = browser.run("document.documentElement.scrollWidth")
    assert width <= browser.run("innerWidth"), "the page is wider than the window"
    assert "NaN" not in browser.run(
        "document.body.innerText + document.querySelector('main').innerHTML"
    )
    assert "[object" not in browser.run("document.querySelector('main').innerText")


@pytest.fixture(scope="module")
def report():
    result = made(days=120, trades=400, symbols=5, agents=("steady", "bold"))
    return page(result, measure(result))


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_draws_without_an_error(browser, report, tmp_path, size, dark):
    opened(browser, report, tmp_path, size, dark=dark)
    picture = browser.picture(tmp_path / "report.png")
    width, height = struct.unpack(">II", picture[16:24])

    well(browser)
    assert width == size[0]
    assert height > 3_000
    assert browser.run("document.querySelectorAll('main section').length") == 9
    assert browser.run("document.querySelectorAll('#equity path').length") >= 10
    back = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back[4:-1].split(","))) < 200) == dark


def results():
    quiet = made(days=20, trades=0)
    return {
        "no trades": quiet,
        "no agents, nothing": made(days=1, agents=(), symbols=0),
        "one agent": made(days=20, trades=30, agents=("only",)),
        "no benchmark": changed(made(days=20, trades=30), benchmarks={}),
        "no candles": changed(made(days=20, trades=30), bars={}),
        "no time": made(days=0, trades=0),
        "one trade": made(days=20, trades=1),
        "nothing refused": changed(quiet, refusals={}, signals={}, notes=[], timings={}),
    }


@pytest.mark.parametrize("name", results())
def test_what_is_not_there_is_said(browser, tmp_path, name):
    result = results()[name]

    opened(browser, page(result, measure(result)), tmp_path, PHONE)

    well(browser)
    assert (browser.run("document.querySelectorAll('.empty').length") > 0) == (
        name not in ("one agent", "no benchmark", "one trade")
    )


def test_words_of_a_profile_are_shown_as_they_are(browser, tmp_path):
    result = made(days=20, trades=30, agents=("a",), symbols=1)
    trades = [msgspec.structs.replace(each, symbol=EVIL, source=EVIL, reason=EVIL) for each in
              result.trades]  # fmt: skip
    bars = {EVIL: result.bars["BTCUSDT"]}
    result = changed(result, trades=trades, bars=bars, notes=[EVIL], refusals={"a": {EVIL: 2}})

    opened(browser, page(result, measure(result)), tmp_path)

    well(browser)
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert EVIL in browser.run("document.querySelector('#trades').innerText")


def test_curves_are_switched_and_pointed_at(browser, report, tmp_path):
    opened(browser, report, tmp_path)
    count = "document.querySelectorAll('#equity .chart path').length"
    before = browser.run(count)

    browser.run("document.querySelectorAll('#equity .legend button')[1].click()")
    browser.run("document.querySelector('#equity .controls button').click()")
    browser.run("document.querySelector('#equity .chart > svg').focus({preventScroll: true})")
    browser.press("ArrowRight")

    assert browser.run(count) == before - 2
    assert "logarithmic" in browser.run("document.querySelector('#equity').innerHTML")
    assert "BTCUSDT" in browser.run("document.querySelector('#equity .tip').innerText")
    well(browser)


def test_trades_are_filtered_sorted_and_shown_on_candles(browser, report, tmp_path):
    opened(browser, report, tmp_path)
    rows = "document.querySelectorAll('#trades tbody tr').length"
    status = "document.querySelector('#candles [role=status]').textContent"

    assert browser.run(rows) == 50
    browser.run("{const f = document.querySelector('#trades input');"
                "f.value = 'ethusdt short'; f.dispatchEvent(new Event('input')); 0}")  # fmt: skip
    assert 0 < browser.run(rows) < 50
    browser.run("[...document.querySelectorAll('#trades th button')]"
                ".find(e => e.textContent.startsWith('PnL')).click()")  # fmt: skip
    assert browser.run("document.querySelectorAll('#trades [aria-sort=descending]').length") == 1
    wide = browser.run(status)
    browser.run("document.querySelector('#trades td button').click()")
    assert browser.run("document.querySelector('#candles select').value") == "ETHUSDT"
    assert browser.run(status) != wide
    assert "ETHUSDT short" in browser.run("document.querySelector('#candles .readout').innerText")
    well(browser)


def test_candles_are_zoomed_by_wheel_and_moved_by_dragging(browser, report, tmp_path):
    opened(browser, report, tmp_path)
    browser.run("document.documentElement.style.scrollBehavior = 'auto';"
                "document.querySelector('#candles').scrollIntoView()")  # fmt: skip
    drawn = "document.querySelector('#candles .chart path').getAttribute('d')"
    box = browser.run(
        "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
        "(document.querySelector('#candles .chart > svg').getBoundingClientRect())"
    )
    pictures = [browser.run(drawn)]
    browser.point("mouseWheel", *box, deltaX=0, deltaY=-600)
    pictures.append(browser.run(drawn))
    browser.point("mousePressed", *box, button="left", buttons=1, clickCount=1)
    browser.point("mouseMoved", box[0] + 120, box[1], button="left", buttons=1)
    browser.point("mouseReleased", box[0] + 120, box[1], button="left", clickCount=1)
    pictures.append(browser.run(drawn))
    browser.point("mouseMoved", *box)

    assert len(set(pictures)) == 3
    assert "close" in browser.run("document.querySelector('#candles .readout').innerText")
    well(browser)


def test_text_can_be_read_in_both_colours(browser, report, tmp_path):
    """Contrast of 4.5 and more (WCAG AA) for text on panels and page; 3 for curves."""
    script = """(() => {
      const probe = document.body.appendChild(document.createElement('i'));
      const light = (name) => {
        probe.style.color = `var(--${name})`;
        const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((each) => {
          const share = each / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
      };
      const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const found = {};
      for (const ground of ['back', 'panel', 'raised'])
        for (const ink of ['text', 'quiet', 'gain', 'loss', 'accent', 's0', 's1', 's2', 's3', 's4',
                           's5', 's6', 'b0', 'b1'])
          found[`${ink} on ${ground}`] = contrast(light(ink), light(ground));
      return found;
    })()"""
    for dark in (False, True):
        opened(browser, report, tmp_path, dark=dark)
        for name, contrast in browser.run(script).items():
            least = 3.0 if name[1].isdigit() else 4.5
            assert contrast >= least, f"{name}, dark={dark}: {contrast:.2f}"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_comparison_draws_without_an_error(browser, tmp_path, size):
    one = made(days=30, trades=60, step_ms=HOUR_MS)
    two = changed(one, trades=made(seed=2, days=30, trades=60, step_ms=HOUR_MS).trades[:30]
                  + one.trades[:30])  # fmt: skip
    first, second = run_of("one", one, measure(one)), run_of("two", two, measure(two))

    opened(browser, comparison_page(compare(first, second), first, second), tmp_path, size)

    well(browser)
    assert browser.run("document.querySelectorAll('#equity path').length") == 4
    assert "Only in two: 30" in browser.run("document.body.innerText")


def test_two_equal_runs_say_so(browser, tmp_path):
    result = made(days=10, trades=5)
    run = run_of("same", result, measure(result))

    opened(browser, comparison_page(compare(run, run), run, run), tmp_path)

    well(browser)
    assert browser.run("document.querySelectorAll('.chip')[0].textContent").startswith("✓ same")
