"""A venue that answers as it likes: whatever it says and when, in the end the books are its own."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.desk.journal import recheck
from chandler.core.desk.live.inputs import NotFound, Reconciled
from chandler.core.desk.live.questions import unfilled, unresolved
from chandler.core.desk.state import pending
from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    VALID_MS,
    Accepted,
    Refused,
    Unknown,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from chandler.core.trading.events import (
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
)
from tests.core.desk.account import Live
from tests.core.desk.scene import BTC, ETH, holds

D = Decimal


class Venue:
    """What really happened there: orders that were taken, trades, positions, the wallet."""

    def __init__(self, wallet: Decimal) -> None:
        self.wallet = wallet
        self.orders: dict[str, VenueOrder] = {}
        self.turned_away: set[str] = set()
        self.trades: list[VenueFill] = []
        self.sizes: dict[Symbol, Decimal] = {}
        self.costs: dict[Symbol, Decimal] = {}

    def knows(self, made: OrderRequested) -> bool:
        return made.id in self.orders or made.id in self.turned_away

    def turn_away(self, made: OrderRequested) -> None:
        if not self.knows(made):
            self.turned_away.add(made.id)

    def execute(self, made: OrderRequested, parts: int, share: Decimal) -> None:
        """Fills an order in parts, up to a share of it; a close up to what there is."""
        if self.knows(made):
            return
        size = (made.size * share).quantize(D("0.001")) or made.size
        if made.reduce_only:
            position = self.sizes.get(made.symbol, D(0))
            size = min(size, max(D(0), -position if made.buys else position))
        if not size:
            self.turned_away.add(made.id)
            return
        first = (size / parts).quantize(D("0.001")) or size
        pieces = [first, size - first] if parts > 1 and first < size else [size]
        for number, piece in enumerate(pieces):
            self._trade(made, f"{made.id}-{number}", piece)
        self.orders[made.id] = VenueOrder(
            id=made.id,
            venue_id=f"v-{made.id}",
            symbol=made.symbol,
            state="filled" if size == made.size else "cancelled",
            buys=made.buys,
            reduce_only=made.reduce_only,
            size=made.size,
            filled=size,
            at=made.at,
        )

    def _trade(self, made: OrderRequested, trade: str, size: Decimal) -> None:
        self._traded(made.id, f"v-{made.id}", trade, made.symbol, made.buys, size, made.at)

    def _traded(
        self,
        order: str,
        venue_id: str,
        trade: str,
        symbol: Symbol,
        buys: bool,
        size: Decimal,
        at: int,
    ) -> None:
        price, fee = D(100), D("0.125")
        self.trades.append(
            VenueFill(
                id=order,
                venue_id=venue_id,
                trade=trade,
                symbol=symbol,
                buys=buys,
                price=price,
                size=size,
                fee=fee,
                at=at,
            )
        )
        self.sizes[symbol] = self.sizes.get(symbol, D(0)) + (size if buys else -size)
        self.wallet -= fee  # all trades are at one price

    def stop(self, symbol: Symbol, at: int) -> None:
        """Closes what is there, without any request."""
        size, number = self.sizes[symbol], f"s{len(self.trades)}"
        self._traded("", number, number, symbol, size < 0, abs(size), at)

    def told(self, scene: Live) -> Reconciled:
        return Reconciled(
            account="main",
            known_ms=scene.now,
            positions=[
                VenuePosition(
                    symbol=symbol,
                    side="long" if size > 0 else "short",
                    size=abs(size),
                    entry=D(100),
                    mark=D(100),
                    unrealised=D(0),
                    liquidation=None,
                    leverage=3,
                )
                for symbol, size in self.sizes.items()
                if size
            ],
            orders=[],
            balance=VenueBalance(
                wallet=self.wallet, available=self.wallet, equity=self.wallet, at=scene.now
            ),
            at=scene.now,
        )


NUMBER = st.integers(0, 30)
OPS = (
    st.tuples(
        st.just("signal"),
        st.sampled_from(["long", "short", "flat"]),
        st.sampled_from([BTC, ETH]),
    ),
    st.tuples(st.just("signal"), st.just("long"), st.just(BTC)),
    st.tuples(st.just("execute"), NUMBER, st.integers(1, 2), st.sampled_from([D(1), D("0.4")])),
    st.tuples(st.just("execute"), NUMBER, st.just(2), st.just(D(1))),
    st.tuples(st.just("turn away"), NUMBER),
    st.tuples(st.just("reply"), NUMBER, st.sampled_from(["accept", "unknown", "refuse"])),
    st.tuples(st.just("fill"), NUMBER),
    st.tuples(st.just("fill"), NUMBER),
    st.tuples(st.just("push"), NUMBER),
    st.tuples(st.just("ask"), NUMBER, st.sampled_from([0, VALID_MS // 2, VALID_MS + 1])),
    st.tuples(st.just("reconcile")),
    st.tuples(st.just("exit"), st.sampled_from([BTC, ETH])),
    st.tuples(st.just("close_all")),
)
STOP = (
    st.tuples(st.just("stop"), st.sampled_from([BTC, ETH]), st.booleans()),
    st.tuples(st.just("stop"), st.just(BTC), st.just(True)),  # told before anything else
)
ANY = st.lists(st.one_of(*OPS), max_size=40) | st.lists(st.one_of(*OPS, *STOP), max_size=40)


def answer(scene: Live, venue: Venue, made: OrderRequested) -> None:
    """The executor asks by clientOid and the venue says what is so."""
    if made.id in venue.orders:
        scene.take(venue.orders[made.id])
        return
    if scene.wall_ms > made.sent_ms + VALID_MS:
        venue.turn_away(made)  # from now on it refuses the request (40008)
    scene.take(NotFound(id=made.id, asked_ms=scene.wall_ms, at=scene.now))


def reply(scene: Live, venue: Venue, made: OrderRequested, what: str, *, lies: bool) -> None:
    """Yes, no or nothing clear; a no that is wrong, and a yes, come only from who has the order."""
    if what == "accept" and made.id in venue.orders:
        scene.take(Accepted(id=made.id, venue_id=f"v-{made.id}", at=scene.now))
    elif what == "unknown":
        scene.take(Unknown(id=made.id, reason="timeout", at=scene.now))
    elif what == "refuse" and (made.id in venue.turned_away or (lies and made.id in venue.orders)):
        scene.take(Refused(id=made.id, code="x", reason="no", at=scene.now))


def play(ops, on_opposite):
    scene = Live(anna={"on_opposite": on_opposite, "orders_per_symbol_day_max": 1000})
    venue = Venue(scene.states["anna"].balance + 500)
    scene.take(venue.told(scene))
    # What closes a position of an order that was refused wrongly can't be told from a stranger's.
    lies = not any(op[0] == "stop" for op in ops)
    for op in ops:
        asked = scene.all(OrderRequested)
        scene.wait(1)
        scene.guard()
        match op:
            case ("signal", side, symbol):
                scene.signal(side, symbol)
            case ("execute", number, parts, share) if asked:
                venue.execute(asked[number % len(asked)], parts, share)
            case ("turn away", number) if asked:
                venue.turn_away(asked[number % len(asked)])
            case ("reply", number, what) if asked:
                reply(scene, venue, asked[number % len(asked)], what, lies=lies)
            case ("stop", symbol, told) if venue.sizes.get(symbol):
                venue.stop(symbol, scene.now)
                if told:
                    scene.take(venue.trades[-1])
            case ("fill", number) if venue.trades:
                scene.take(venue.trades[number % len(venue.trades)])
            case ("push", number) if venue.orders:
                scene.take(list(venue.orders.values())[number % len(venue.orders)])
            case ("ask", number, wall_ms) if asked:
                scene.wall_ms += wall_ms
                answer(scene, venue, asked[number % len(asked)])
            case ("reconcile",):
                scene.take(venue.told(scene))
            case ("exit", symbol) if symbol in scene.states["anna"].holdings:
                scene.take(scene.exit(symbol=symbol))
            case ("close_all",):
                scene.command("close_all")
        holds(scene)
    return scene, venue


def settle(scene: Live, venue: Venue) -> None:
    """The executor asks until nothing is open; requests meet a venue that takes them."""
    for _ in range(20):
        for trade in venue.trades:
            scene.take(trade)
        scene.wall_ms += VALID_MS + 1
        for made in [*unresolved(scene.states, wall_ms=scene.wall_ms), *unfilled(scene.states)]:
            answer(scene, venue, made)
        for made in scene.all(OrderRequested):
            if made.sent_ms == scene.wall_ms:
                venue.execute(made, 1, D(1))
        if not any(pending(state) for state in scene.states.values()):
            break


@settings(max_examples=200, deadline=None)
@given(ANY, st.sampled_from(["ignore", "close", "reverse"]))
def test_in_the_end_nothing_is_lost_doubled_or_unresolved(ops, on_opposite):
    """The venue's positions and wallet are ours, and each intent ended in one way."""
    scene, venue = play(ops, on_opposite)
    settle(scene, venue)

    state = scene.states["anna"]
    assert pending(state) == []
    ours = {
        symbol: held.position.size * held.position.direction
        for symbol, held in state.holdings.items()
    }
    assert ours == {symbol: size for symbol, size in venue.sizes.items() if size}
    assert state.balance + 500 == venue.wallet
    scene.take(venue.told(scene))
    assert scene.states["anna"].blocked is None
    fills = scene.all(OrderFilled)
    assert len({each.trade for each in fills}) == len(fills) == len(venue.trades)
    holds(scene)
    assert list(recheck(scene.desk, scene.records)) == []


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_intents_are_orders_and_what_expired_or_was_refused(ops):
    scene, venue = play(ops, "reverse")
    settle(scene, venue)
    asked = {each.id for each in scene.all(OrderRequested)}
    expired = {each.id for each in scene.all(OrderExpired)}
    refused = {each.id for each in scene.all(OrderRefused)} - venue.orders.keys()

    assert len(asked) == len(scene.all(OrderRequested))
    assert asked == venue.orders.keys() | expired | refused
    assert not expired & venue.orders.keys()
    assert {each.id for each in scene.all(OrderCancelled)} <= venue.orders.keys()
