"""From where on fills of a venue are asked for after a restart."""

from decimal import Decimal

from chandler.core.desk.state import AgentState, Holding
from chandler.core.events import Symbol
from chandler.core.trading.position import Position
from services.executor.books import filled_since

D = Decimal
SYMBOL = Symbol("AUSDT")


def state(changed_ms: int | None) -> AgentState:
    holdings = {}
    if changed_ms is not None:
        position = Position(
            symbol=SYMBOL,
            side="long",
            size=D(1),
            cost=D(10),
            leverage=1,
            opened_ms=changed_ms - 1_000,
            changed_ms=changed_ms,
            entered=D(10),
        )
        holdings[SYMBOL] = Holding(id="p", position=position, source="engine", stop=None)
    return AgentState(agent="anna", account="demo", start=D(100), holdings=holdings)


def test_fills_are_asked_for_from_the_last_known_one_of_what_is_open() -> None:
    """Killed again and again, the executor took tickers in each of its lives and asked for fills
    from where its clock stood by then: a stop that had fired at the venue was never seen."""
    clock = 50_000

    assert filled_since({"anna": state(20_000), "berta": state(30_000)}, clock) == 20_000
    assert filled_since({"anna": state(None)}, clock) == clock
