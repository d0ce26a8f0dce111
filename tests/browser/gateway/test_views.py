"""Each view of the gateway's page on the fixture server: what is shown, and what it does."""

import json

import pytest

from tests.browser.gateway.looking import PHONE

VIEWS = (
    "/",
    "/scanner",
    "/symbol/BTCUSDT",
    "/trades",
    "/backtests",
    "/controls",
    "/system",
    "/account",
)
PNL = "document.querySelector('[aria-label=\"Open positions\"] td.strong').textContent"
OPEN = "document.querySelectorAll('[aria-label=\"Open positions\"] tbody tr').length"
SWITCH = "document.querySelector('[data-agent=trend][data-what=trading]')"


def test_signing_in_leads_to_where_one_was_going(looked):
    page = looked(name="")
    page.open("/trades?agent=trend")
    assert page.path() == "/login"

    page.write("input[name=name]", "olga")
    page.write("input[name=password]", "wrong")
    page.click("button.main")
    page.says("name and password do not fit")
    page.browser.errors.clear()  # the refusal's own line
    page.write("input[name=password]", "lanterns")
    page.click("button.main")
    page.until("document.querySelector('tr.opens')")

    assert page.path() == "/trades"
    assert page.run("location.search") == "?agent=trend"
    assert "token" in page.fixture.hellos[-1]
    assert not any("token" in each for each in page.browser.requests)
    page.well()


def open_of(page, mode):
    """Positions of agents with money of this kind."""
    desk = page.fixture.desk
    names = {each["agent"] for each in desk.agents() if each["mode"] == mode}
    return [each for each in desk.open() if each["agent"] in names]


def test_the_overview_shows_money_positions_signals_pumps_and_health(looked):
    page = looked()
    page.open("/")
    page.says("ETCUSDT")
    words = page.words()

    for each in ("Equity", "Drawdown", "Open positions", "Last signals", "Pumps", "executor"):
        assert each in words
    assert "behind" in page.words('.health li[title^="positions:"]')
    assert page.count('.health li[title^="positions:"] .dot.warn') == 1
    page.until(f"{OPEN} === {len(open_of(page, 'paper'))}")
    page.until("document.querySelector('.curve').ariaLabel?.includes('scalper')")
    before = page.run(PNL)
    page.until(f"{PNL} !== {json.dumps(before)}")  # live
    page.well()


def test_paper_money_and_real_money_are_never_summed_up(looked):
    page = looked(quiet=True)
    page.open("/")
    page.says("Live accounts")
    totals = {each["mode"]: float(each["equity"]) for each in page.fixture.desk.totals()}
    paper = page.words(".tile .figure")
    page.click("button", "Live accounts")
    page.until(f"document.querySelector('.tile .figure').innerText !== {json.dumps(paper)}")

    page.until(f"{OPEN} === {len(open_of(page, 'live'))}")
    assert page.count('[aria-label="Agents"] tbody tr') == 1
    assert float(paper.replace(",", "")) == pytest.approx(totals["paper"], abs=30)
    assert float(page.words(".tile .figure").replace(",", "")) == pytest.approx(
        totals["live"], abs=30
    )


def test_a_position_that_was_closed_is_gone_and_a_new_signal_comes_first(looked):
    page = looked(quiet=True)
    page.open("/")
    gone, *left = open_of(page, "paper")
    page.until(f"{OPEN} === {len(left) + 1}")
    signal = page.fixture.desk.signal() | {"reason": "the newest of all"}
    page.served.run(
        page.fixture.send(
            {"type": "position_update", "change": "closed", "why": "stop", "position": gone}
        )
    )
    page.served.run(page.fixture.send({"type": "signal", "external": False, "signal": signal}))

    page.until(f"{OPEN} === {len(left)}")
    page.until(
        "document.querySelector('[aria-label=\"Last signals\"] li').innerText"
        ".includes('the newest of all')"
    )


def test_a_symbol_has_candles_indicators_notes_and_its_granularity_by_key(looked):
    page = looked()
    page.open("/symbol/BTCUSDT")
    page.says("rsi(14)")
    panes = page.count(".candles canvas")
    page.click("button.symbol-head")
    page.click(".finder li", "ETHUSDT")
    page.until("document.querySelector('h1').innerText === 'ETHUSDT'")
    page.until("document.querySelectorAll('.candles canvas').length > 3")
    page.press("]")
    page.until("document.querySelector('.segments [aria-pressed=true]').textContent === '15m'")
    page.click("label.beside", "macd")
    page.until(f"document.querySelectorAll('.candles canvas').length > {panes}")

    assert "bollinger breakout" in page.words('[aria-label="Notes"]')
    assert any("granularity=15m" in each for each in page.browser.requests)
    watched = page.fixture.watched[-1]
    assert watched["symbols"] == ["ETHUSDT"]
    assert watched["granularities"] == ["15m"]
    assert {"candles", "matrix"} <= set(watched["topics"])
    page.well()


def test_the_scanner_sorts_and_filters_200_symbols_and_opens_one_by_keyboard(looked):
    page = looked(count=200, quiet=True)
    page.open("/scanner")
    page.says("200 of 200 symbols")
    scores = {
        each["symbol"]: each["engines"]["scalper"]["score"] for each in page.fixture.market.matrix()
    }
    best = max((each for each in scores if scores[each] is not None), key=lambda e: scores[e])
    page.click("option", "scalper")
    page.run(
        "(s => { s.value = 'scalper'; s.dispatchEvent(new Event('change')); })"
        "(document.querySelector('select[aria-label=Engine]'))"
    )
    page.click(".heads button", "score")
    page.until("document.querySelector('.heads [aria-sort=descending]')")
    page.run("document.querySelector('.heat').focus()")
    page.press("ArrowDown", "Enter")

    page.until("location.pathname.startsWith('/symbol/')")
    assert page.path() == f"/symbol/{best}"
    page.open("/scanner")
    page.write("input[type=search]", "syn00")
    page.says("10 of 200 symbols")
    shown = "document.querySelectorAll('.heat .line:not(.heads):not([hidden])').length"
    page.until(f"{shown} === 10")
    page.well()


def test_the_scanner_has_elements_only_for_rows_in_sight_and_a_map_of_all(looked):
    page = looked(count=200)
    page.open("/scanner")
    page.says("200 of 200 symbols")
    assert page.run("document.querySelector('.heat').getAttribute('aria-rowcount')") == "200"
    assert page.count(".heat .line") < 70

    page.press("m")
    page.until("document.querySelector('.map canvas')")
    page.run("document.querySelector('.map canvas').focus()")
    page.press("ArrowRight", "ArrowRight")
    said = page.run("document.querySelector('.map canvas').getAttribute('aria-label')")
    page.press("Enter")

    page.until("location.pathname.startsWith('/symbol/')")
    assert said.startswith(page.path().removeprefix("/symbol/"))
    page.well()


def test_a_trade_is_found_by_filter_and_its_why_is_drawn_from_candle_to_fill(looked):
    page = looked(quiet=True)
    page.open("/trades")
    page.until("document.querySelector('tr.opens')")
    page.run(
        "(s => { s.value = 'trend'; s.dispatchEvent(new Event('change')); })"
        "(document.querySelector('select[aria-label=Agent]'))"
    )
    page.until("document.querySelectorAll('tr.opens').length === 60")
    page.run("document.querySelector('tr.opens').focus()")
    page.press("ArrowDown", "Enter")
    page.until("document.querySelectorAll('.path .step').length === 12")

    steps = page.run("[...document.querySelectorAll('.path .stack')].map(e => e.innerText)")
    assert "Candle 5m" in steps[0]
    assert "Fill" in steps[-1]
    assert page.count(".path path") >= 10
    assert page.path().startswith("/trades/")
    assert "every link fits" in page.words()
    page.well()


def test_backtests_are_listed_shown_and_compared(looked):
    page = looked()
    page.open("/backtests")
    page.until("document.querySelectorAll('tbody input').length === 5")
    page.run("[...document.querySelectorAll('tbody input')].slice(0, 2).forEach(e => e.click())")
    page.click("button", "Compare 2")
    page.until("document.querySelector('.curve canvas')")
    assert "Profit factor" in page.words('[aria-label="Comparison"]')

    page.click("a", "20240115-1130-trend")
    page.says("Each candle became four prices")
    page.click("button", "reason")
    page.says("take_profit")
    page.well()


def test_a_switch_is_asked_about_and_then_turned(looked):
    page = looked(quiet=True)
    page.open("/controls")
    page.until(SWITCH)
    page.run(f"{SWITCH}.click()")
    page.click("dialog button", "Cancel")
    page.until("!document.querySelector('dialog')")
    assert page.fixture.desk.commands == []

    page.run(f"{SWITCH}.click()")
    page.says("trading off for trend?")
    page.click("dialog button", "Switch off")
    page.says("Done: trading is off: trend")
    page.until(f"{SWITCH}.getAttribute('aria-checked') === 'false'")

    assert [each["what"] for each in page.fixture.desk.commands] == ["trading"]
    assert page.fixture.desk.commands[0]["idempotency_key"]
    page.well()


def test_a_switch_that_somebody_else_turned_is_seen(looked):
    """An answer comes before its effect is told: the page showed the old switch for ever."""
    page = looked(quiet=True)
    page.open("/controls")
    page.until(SWITCH)
    row = {"agent": "trend", "switches": {"trading": False, "buying": True, "selling": True}}
    page.run(f"{SWITCH}.focus()")
    page.served.run(page.fixture.send({"type": "agents", "agents": [row]}))

    page.until(f"{SWITCH}.ariaChecked === 'false'")
    assert page.run(f"document.activeElement === {SWITCH}")
    page.well()


def test_closing_all_needs_its_word_and_a_refused_order_says_why(looked):
    page = looked(quiet=True)
    page.open("/controls")
    page.until(
        "document.querySelectorAll('[aria-label=\"Open positions\"] tbody tr').length === 14"
    )
    page.click("button", "Close all positions")
    assert page.run("document.querySelector('dialog button.main').disabled")
    page.write("dialog input", "close")
    page.click("dialog button", "Close all")
    page.says("No open position")

    page.write("input[aria-label='Symbol of the order']", "btcusdt")
    page.write("input[aria-label='Notional in quote coin']", "1")
    page.click("button", "Ask and place")
    page.click("dialog button.main", "Buy")
    page.says("Refused: notional 1: at least 5 is needed")

    asked = page.fixture.desk.commands[-1]
    assert (asked["what"], asked["symbol"], asked["side"]) == ("force", "BTCUSDT", "long")
    page.well()


def test_a_viewer_can_do_nothing_and_an_operator_all_but_forced_orders(looked):
    page = looked("vera", quiet=True)
    page.open("/controls")
    page.until(SWITCH)
    assert page.count("main button.switch:not([disabled]), main button.danger:not([disabled])") == 0
    assert "A forced order needs the role owner" in page.words()

    page.sign_in("otto")
    page.open("/controls")
    page.until(f"{SWITCH} && !{SWITCH}.disabled")
    assert "A forced order needs the role owner" in page.words()


def test_the_system_shows_services_events_topics_and_dead_letters(looked):
    page = looked()
    page.open("/system")
    page.until("document.querySelector('[aria-label=\"Dead letters\"] tr.opens')")
    words = page.words()
    for each in ("executor", "crashed", "candles.5m", "newest by key", "evaluator raised"):
        assert each in words
    page.click("tr.opens")
    page.says('{"type":"IndicatorRow"')
    page.well()


def test_a_key_is_shown_once_and_a_link_sets_a_password(looked):
    page = looked()
    page.open("/account")
    page.until("document.querySelector('[aria-label=\"API keys\"] form')")
    page.write('[aria-label="API keys"] input', "alerts")
    page.click("button", "Make a key")
    page.says("k9.not-a-secret")
    page.click("button", "Sign out")
    page.until("location.pathname === '/login'")

    page.open("/#/setup/good")
    passwords = "document.querySelectorAll('input[type=password]')"
    page.until(f"{passwords}.length === 2")
    for at in (0, 1):
        page.run(f"{passwords}[{at}].focus()")
        page.browser.ask("Input.insertText", text="correct horse")
    page.click("button.main")
    page.until("location.pathname === '/'")
    page.until("document.querySelector('.live').innerText.includes('Live')")
    page.run("location.hash = '#/setup/used'")
    page.says("This link can't be used")


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_fits_a_telephone_and_names_what_has_to_be_named(looked, path):
    page = looked()
    page.browser.show(*PHONE, touch=True)
    page.open(path)

    assert page.run("document.documentElement.scrollWidth") == PHONE[0]
    nameless = page.run(
        "[...document.querySelectorAll('button, a, input, select, [role=region], [role=grid]')]"
        ".filter(e => e.offsetParent && !(e.innerText || e.ariaLabel || e.labels?.length ||"
        " e.getAttribute('aria-labelledby') || e.closest('label'))).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.count("h1") == 1
    page.well()
