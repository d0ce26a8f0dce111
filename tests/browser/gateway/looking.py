"""How the tests look at the page: somebody signed in, a view opened, what stands there."""

import json

PHONE, DESK = (390, 844), (1440, 900)
ROLES = {"olga": "owner", "otto": "operator", "vera": "viewer"}


class Looked:
    """A browser that has the page of a served fixture open."""

    def __init__(self, browser, served):
        self.browser, self.served = browser, served
        self.fixture = served.fixture
        browser.show(*DESK, dark=True)
        browser.visit(served.url + "/login")
        self.until("document.querySelector('form')")

    def sign_in(self, name="olga"):
        session = {
            "token": f"token-of-{name}",
            "expires_ms": 4_000_000_000_000,
            "name": name,
            "role": ROLES[name],
            "agents": [],
        }
        self.run(f"sessionStorage.setItem('chandler.session', {json.dumps(json.dumps(session))})")

    def open(self, path):
        """A view, once what it asked for is there."""
        self.browser.visit(self.served.url + path)
        self.until("document.querySelector('main .view') && !document.querySelector('.bars')")

    def run(self, expression):
        return self.browser.run(expression)

    def until(self, expression):
        self.browser.until(expression)

    def says(self, text):
        """Waits for a text in the page's content."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})")

    def words(self, selector="main"):
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def count(self, selector):
        return self.run(f"document.querySelectorAll({json.dumps(selector)}).length")

    def click(self, selector, text=""):
        """The first of a selector, with this text where one is given."""
        found = (
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            f".find(e => e.textContent.includes({json.dumps(text)}))"
        )
        self.until(found)
        self.run(f"{found}.click()")

    def write(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.browser.ask("Input.insertText", text=text)

    def press(self, *keys):
        for key in keys:
            self.browser.press(key)

    def path(self):
        return self.run("location.pathname")

    def well(self):
        """Nothing went wrong in the page, and nothing was asked of another server."""
        ours = (self.served.url, "data:")  # of the browser's own: the icon of a field for dates
        elsewhere = [each for each in self.browser.requests if not each.startswith(ours)]
        assert not self.browser.errors, self.browser.errors
        assert not elsewhere, elsewhere
