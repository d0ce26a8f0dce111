"""What the gateway's REST would answer, from the made-up desk: the page's part of it."""

from typing import Any

from tests.browser.gateway.lists import ASKED
from tests.browser.gateway.market import HOSTILE
from tests.browser.gateway.of_desk import OfDesk
from tests.browser.gateway.of_market import OfMarket
from tests.browser.gateway.of_system import OfSystem


class Answers:
    """Answers by path; `hostile` puts markup into every text that people or plug-ins write."""

    def __init__(self, market, desk, *, hostile=False, empty=False):
        self.hostile, self.empty = hostile, empty
        self.of_market = OfMarket(market, desk, empty)
        kinds: tuple[Any, ...] = (OfDesk(market, desk, empty), OfSystem(market, desk, empty))
        self.parts = (self.of_market, *kinds)

    def get(self, path, query):
        """The body for a path below /v1, or None: there is no such thing."""
        head, _, rest = path.strip("/").partition("/")
        if head not in ASKED:
            return None
        strange = set(query) - set(ASKED[head])
        assert not strange, f"{path} is asked with {strange}: the gateway refuses that"
        name = f"get_{head.replace('-', '_')}"
        found = next(getattr(each, name) for each in self.parts if hasattr(each, name))
        answer = found(rest, query)
        return self.marked(answer) if self.hostile else answer

    def marked(self, value, key=""):
        """The same with markup in the fields that hold words."""
        if isinstance(value, dict):
            return {name: self.marked(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self.marked(each, key) for each in value]
        wordy = key in (
            "reason",
            "detail",
            "says",
            "doc",
            "text",
            "title",
            "blocked",
            "who",
            "raw",
            "cause_words",
            "source",
            "name_shown",
        )
        return HOSTILE if isinstance(value, str) and wordy else value
