"""Whatever is traded: the venue's wallet is that of whoever applies the same fills and bills."""

import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.events import Symbol
from chandler.core.trading.position import Position, filled, unrealised
from chandler.exchanges.simulator.instruments import Quotes
from chandler.exchanges.simulator.market import Market
from chandler.exchanges.simulator.private.exchange import BALANCE, Exchange
from chandler.exchanges.simulator.private.records import Draft, Fill
from chandler.exchanges.simulator.recording import read_recording
from chandler.exchanges.simulator.rest import VenueError
from tests.exchanges.simulator.private.trader import flat
from tests.exchanges.simulator.venue import write_csv

AT = 1_704_080_000_000
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(("buy", "sell")),
        st.integers(1, 4000),  # hundredths of a coin
        st.booleans(),  # reduce-only
        st.sampled_from((None, None, 0, 2, -2)),  # a limit so many percent off the price
        st.integers(60, 160),  # the next price
    ),
    min_size=1,
    max_size=25,
)


def exchange() -> Exchange:
    with tempfile.TemporaryDirectory() as folder:
        rows = flat("AAAUSDT", (100.01,)) + flat("BBBUSDT", (50.01,))
        recording = read_recording(write_csv(Path(folder) / "candles.csv", rows), 2, 1)
    market = Market(recording, 1, True)
    venue = Exchange(market, Quotes(market), None)
    venue.open(("demo",))
    return venue


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_the_wallet_follows_from_the_fills(
    actions: list[tuple[str, int, bool, int | None, int]],
) -> None:
    venue = exchange()
    account = venue.accounts["demo"]
    price = 100.0
    for number, (side, size, reduce_only, limit, then) in enumerate(actions):
        at = AT + number * 1000
        bound = None if limit is None else Decimal(round(price * (100 + limit))) / 100
        draft = Draft(
            symbol="AAAUSDT",
            side="buy" if side == "buy" else "sell",
            size=Decimal(size) / 100,
            reduce_only=reduce_only,
            price=bound,
            force="" if bound is None else "gtc",
        )
        try:
            venue.place(account, draft, venue.ticker("AAAUSDT", at, price))
        except VenueError as error:
            assert error.code in ("22002", "40762", "45110")  # noqa: PT017
        price = float(then)
        venue.meet(account, venue.ticker("AAAUSDT", at + 500, price))
        venue.commit()

    fills = list(venue.store.every("fill", "demo", Fill))
    position, realised, fees = folded(fills)
    held = account.position("AAAUSDT")
    assert account.paper.wallet == BALANCE + realised - fees
    assert (held is None) == (position is None)
    if held is not None and position is not None:
        assert (held.side, held.size, held.cost) == (position.side, position.size, position.cost)
        assert unrealised(held, Decimal(90)) == unrealised(position, Decimal(90))
    done = [order for order in account.orders.values() if order.status == "filled"]
    for order in done:
        own = [fill for fill in fills if fill.order == order.id]
        assert sum(fill.size for fill in own) == order.size == order.filled
        assert sum(fill.fee for fill in own) == order.fee
    venue.close()


def folded(fills: list[Fill]) -> tuple[Position | None, Decimal, Decimal]:
    """What the executor's books make of the fills."""
    position: Position | None = None
    realised = fees = Decimal(0)
    for fill in fills:
        after = filled(
            position,
            symbol=Symbol(fill.symbol),
            buys=fill.side == "buy",
            price=fill.price,
            size=fill.size,
            fee=fill.fee,
            leverage=10,
            at=fill.at,
        )
        position = after.position
        realised += after.realised
        fees += fill.fee
        assert fill.profit == after.realised
    return position, realised, fees
