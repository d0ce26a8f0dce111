"""What a query narrows its answer to, and the forms that answers share."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from chandler.core.notices.text import Line
from chandler.core.notices.words import NAME_MAX, moment, one_line, signed
from services.following.sources import Sources, UnanswerableError
from services.following.views import Views
from services.layers import nearest
from services.ledger.queries import Wanted
from services.notifier.talk import Query

ROWS_MAX = 30  # of what is listed whole
COUNT_MAX = 100  # of what may be asked for
UNKNOWN = "-"


class Asked(NamedTuple):
    """A query, with what it is answered from."""

    query: Query
    views: Views
    sources: Sources
    agents: frozenset[str]  # whose figures are shown; empty: all

    def sees(self, agent: str) -> bool:
        return not self.agents or agent in self.agents

    def fits(self, agent: str, symbol: str) -> bool:
        """Whether something of this agent in this symbol is asked for, and may be shown."""
        return self.sees(agent) and self.query.symbol in ("", symbol)

    @property
    def limited(self) -> bool:
        """Whether there are agents that who asks may not see."""
        return bool(self.query.agents)

    def count(self, usual: int) -> int:
        """How many rows are wanted."""
        return min(max(self.query.count, 0) or usual, COUNT_MAX)

    def wanted(self) -> Wanted:
        """The same for the ledger."""
        query = self.query
        agents = tuple(sorted(self.agents))
        return Wanted(symbol=query.symbol, engine=query.engine, agents=agents)


def asked_of(query: Query, views: Views, sources: Sources) -> Asked:
    """UnanswerableError for an agent that is not there, or is not for who asks."""
    allowed = frozenset(query.agents)
    if not query.agent:
        return Asked(query, views, sources, allowed)
    known = allowed or {*sources.profile.agents, *views.desk.states()}
    if query.agent not in known:
        raise UnanswerableError(
            f"no agent is called {cut(query.agent)!r}{nearest(query.agent, sorted(known))}: "
            f"there is {', '.join(map(cut, sorted(known)[:ROWS_MAX])) or 'none'}"
        )
    return Asked(query, views, sources, frozenset((query.agent,)))


def cut(name: str) -> str:
    """A name that somebody typed or chose, short enough for a line."""
    return one_line(name, NAME_MAX)


def head(text: str) -> Line:
    """The line that says what an answer is."""
    return Line(text, "bold")


def listed(rows: Sequence[Sequence[Line]], most: int = ROWS_MAX) -> list[Line]:
    """The rows' lines; beyond `most` rows how many there are more."""
    lines = [line for row in rows[:most] for line in row]
    return [*lines, Line(f"… and {len(rows) - most} more")] if len(rows) > most else lines


def warned(lines: Iterable[Line], trouble: str) -> list[Line]:
    """The answer, with why it may be old or not all."""
    return [*lines, Line(f"Warning: {trouble}")] if trouble else list(lines)


def gain(amount: Decimal | None) -> str:
    """PnL with its sign; what is not known is named so."""
    return UNKNOWN if amount is None else signed(amount)


def short(at_ms: int) -> str:
    """A time within the year: 01-05 10:05:12."""
    text = moment(at_ms).removesuffix(" UTC")
    return text[5:] if text[4:5] == "-" else text


def as_of(at_ms: int) -> Line:
    """The venue's time that figures are of."""
    return Line(f"as of {moment(at_ms)}" if at_ms else "the venue's time is not known yet")
