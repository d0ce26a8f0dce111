"""A browser for all tests of the page, and a fixture server for each."""

import pytest

from tests.browser import chromium
from tests.browser.gateway.looking import Looked
from tests.browser.gateway.server import Fixture, Served


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    with chromium.running(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def looked(browser):
    """`looked(…)` serves a fixture made with these words, and somebody of it is signed in."""
    served = []

    def look(name="olga", count=40, **words):
        browser.errors.clear()
        browser.requests.clear()
        served.append(Served(Fixture(count, **words)).__enter__())
        page = Looked(browser, served[-1])
        if name:
            page.sign_in(name)
        return page

    yield look
    browser.visit("about:blank")
    for each in served:
        each.__exit__()
