"""A scene around a live account: what the venue says is said by the test."""

from decimal import Decimal
from typing import Any

from chandler.core.desk.live.inputs import AccountOpened, NotFound
from chandler.core.events import Symbol
from chandler.core.trading.agents import AccountConfig, AgentConfig
from chandler.core.trading.broker import VALID_MS, Accepted, VenueFill, VenueOrder
from chandler.core.trading.events import OrderRequested, Quote
from tests.core.desk.scene import BTC, ETH, Scene, only

D = Decimal
WALL_MS = 1_900_000_000_000
ACCOUNTS = {"main": AccountConfig(on_simulator=True)}


class Live(Scene):
    """The scene of a live account whose venue does what it is told."""

    def __init__(self, **agents: Any) -> None:
        agents = agents or {"anna": {}}
        configs = {
            name: AgentConfig(mode="live", account="main", **given)
            for name, given in agents.items()
        }
        super().__init__(configs, accounts=ACCOUNTS, shard=1)
        self.wall_ms = WALL_MS
        self.tick(100)
        self.tick(100, ETH, ms=0)
        self.trades = 0
        price = D("100.1")
        self.quotes = {name: Quote(price=price, best=price, size=D(1)) for name in configs}
        self.take(AccountOpened(account="main", at=self.now))

    def enter(self, side: Any = "long", symbol: Symbol = BTC, **given: Any) -> OrderRequested:
        return only(self.signal(side, symbol, **given), OrderRequested)

    def entered(self, side: Any = "long", symbol: Symbol = BTC, **given: Any) -> OrderRequested:
        made = self.enter(side, symbol, **given)
        self.accept(made)
        self.fill(made)
        return made

    def accept(self, made: OrderRequested) -> list[Any]:
        return self.take(Accepted(id=made.id, venue_id=f"v-{made.id}", at=self.now))

    def fill(
        self, made: OrderRequested, size: Any = None, price: Any = "100.1", **changed: Any
    ) -> list[Any]:
        self.trades += 1
        return self.take(self.trade(made, size, price, **changed))

    def trade(
        self, made: OrderRequested, size: Any = None, price: Any = "100.1", **changed: Any
    ) -> VenueFill:
        fields: dict[str, Any] = {
            "id": made.id,
            "venue_id": f"v-{made.id}",
            "trade": f"t{self.trades}",
            "symbol": made.symbol,
            "buys": made.buys,
            "price": D(price),
            "size": made.size if size is None else D(size),
            "fee": D("0.5"),
            "at": self.now,
        }
        return VenueFill(**{**fields, **changed})

    def order(self, made: OrderRequested, state: Any, filled: Any) -> list[Any]:
        return self.take(
            VenueOrder(
                id=made.id,
                venue_id=f"v-{made.id}",
                symbol=made.symbol,
                state=state,
                buys=made.buys,
                reduce_only=made.reduce_only,
                size=made.size,
                filled=D(filled),
                at=self.now,
            )
        )

    def lost(self, made: OrderRequested, after_ms: int = VALID_MS + 1) -> list[Any]:
        return self.take(NotFound(id=made.id, asked_ms=made.sent_ms + after_ms, at=self.now))
