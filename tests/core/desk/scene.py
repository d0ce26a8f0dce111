"""A desk with a market around it: every take goes through JSON and into a journal."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from chandler.core.desk.config import Desk, resolve
from chandler.core.desk.journal import record
from chandler.core.desk.live.inputs import Input
from chandler.core.desk.state import AgentState, slots
from chandler.core.desk.step import take
from chandler.core.events import Event, FundingRate, Instrument, Signal, Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.core.stage import Output
from chandler.core.trading.agents import (
    AccountConfig,
    AgentConfig,
    DeskConfig,
    PaperConfig,
    PumpConfig,
)
from chandler.core.trading.events import (
    BalanceChanged,
    Command,
    DeskTaken,
    ExitRequested,
    OrderRequested,
    PumpState,
    Quote,
    Refusal,
    Seen,
)
from chandler.core.trading.modes import Leg, TradingMode, View, carried_out
from chandler.strategies.modes import dca, fixed, trailing

START_MS = 1_800_000_000_000 - 1_800_000_000_000 % 86_400_000
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
LATENCY_MS = 250
E = TypeVar("E")
Price = Decimal | str | int


class BrokenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the mode that raises."""

    depth: int = 0


def _raises(settings: Any, cause: Signal | ExitRequested, view: View) -> tuple[Leg, ...]:
    raise RuntimeError("boom")


def _adds(settings: Any, cause: Signal | ExitRequested, view: View) -> tuple[Leg, ...]:
    if isinstance(cause, ExitRequested):
        return carried_out(cause)
    if view.position is None:
        return (Leg(action="open", leg="entry"),)
    return (Leg(action="add", leg=f"again-{cause.id}"),)


broken = TradingMode(
    name="broken",
    version="1.0",
    doc="Raises.",
    config=BrokenConfig,
    plan=_raises,
    watch=lambda settings, held, prices: (held, None),
)
adding = TradingMode(
    name="adding",
    version="1.0",
    doc="Adds at every signal of its side.",
    config=BrokenConfig,
    plan=_adds,
    watch=lambda settings, held, prices: (held, None),
)
MODES = {mode.name: mode for mode in (fixed, dca, trailing, broken, adding)}
ENGINES = ("scalper", "trend")


def desks(agents: Mapping[str, AgentConfig], **given: Any) -> tuple[Desk, ...]:
    """All shards, with the shipped trading modes and two engines."""
    return resolve(agents, modes=MODES, engines=ENGINES, **given)


def instrument(symbol: Symbol = BTC, **changed: Any) -> Instrument:
    fields: dict[str, Any] = {
        "price_step": "0.1",
        "size_step": "0.001",
        "size_min": "0.001",
        "notional_min": "5",
        "maker_fee": "0.0002",
        "taker_fee": "0.0006",
        "leverage_max": 50,
        "status": "normal",
        "seen_at": START_MS,
    }
    return Instrument(symbol=symbol, **{**fields, **changed})


def ticker(at: int, price: Price, symbol: Symbol = BTC) -> Ticker:
    last = Decimal(price)
    return Ticker(
        symbol=symbol,
        at=at,
        last=str(last),
        bid=str(last - Decimal("0.1")),
        ask=str(last + Decimal("0.1")),
        mark=str(last),
        minute_open_ms=at - at % 60_000,
        minute_volume=1.0,
    )


class Scene:
    """One shard in a market. `now` moves on with `wait` and `tick`."""

    def __init__(
        self,
        agents: Mapping[str, AgentConfig] | None = None,
        *,
        paper: PaperConfig | None = None,
        pump: PumpConfig | None = None,
        desk: DeskConfig | None = None,
        accounts: Mapping[str, AccountConfig] | None = None,
        shard: int = 0,
        pace: float = 1.0,
    ) -> None:
        agents = {"anna": AgentConfig()} if agents is None else agents
        found = desks(agents, paper=paper, pump=pump, desk=desk, accounts=accounts, pace=pace)
        self.desk = found[shard]
        self.states: dict[str, AgentState] = {}
        self.tickers: dict[str, Ticker] = {}
        self.instruments = {each: instrument(each) for each in (BTC, ETH)}
        self.pumps: dict[str, PumpState] = {}
        self.fundings: dict[str, FundingRate] = {}
        self.quotes: dict[str, Quote] = {}
        self.records: list[DeskTaken] = []
        self.said: list[Event] = []
        self.now = START_MS
        self.wall_ms = 0
        self.taken_ms = 0
        self._signals = 0

    def seen(self, symbol: str) -> Seen:
        guard = self.pumps.get(symbol)
        return Seen(
            ticker=self.tickers.get(symbol),
            guard=guard,
            instrument=self.instruments.get(symbol),  # type: ignore[call-overload]
            funding=self.fundings.get(symbol),
            quotes=self.quotes,
            wall_ms=self.wall_ms,
            taken_ms=self.taken_ms,
        )

    def take(self, event: Input, *, late: bool = False) -> list[Event]:
        """What the desk says to an input at `now`."""
        outputs = self.outputs(event, late=late)
        return [output.event for output in outputs]

    def outputs(self, event: Input, *, late: bool = False) -> tuple[Output, ...]:
        symbol = str(getattr(event, "symbol", ""))
        seen, seq = self.seen(symbol), len(self.records)
        taken = take(self.desk, self.states, event, seen, at=self.now, seq=seq, late=late)
        for agent, state in taken.states.items():
            again = msgspec.json.decode(msgspec.json.encode(state), type=AgentState)
            assert again == state
            self.states[agent] = again
        if taken.outputs or taken.states:
            made = record(
                self.desk, taken, event, seen, at=self.now, seq=seq, code="code", late=late
            )
            read = msgspec.json.decode(msgspec.json.encode(made), type=DeskTaken)
            self.records.append(read)
        self.said += [output.event for output in taken.outputs]
        return taken.outputs

    def wait(self, ms: int) -> None:
        self.now += ms

    def guard(
        self, pump: Any = "none", symbol: Symbol = BTC, age_ms: int = 0, *, both: bool = False
    ) -> None:
        """The pump guard says how it is, `age_ms` ago."""
        self.pumps[symbol] = PumpState(
            symbol=symbol,
            at=self.now - age_ms,
            kind="heartbeat",
            pump=pump,
            both=both,
            since_ms=self.now - 1_000,
            change=0.05,
        )

    def tick(self, price: Price, symbol: Symbol = BTC, ms: int = 1_000) -> list[Event]:
        """A ticker `ms` later; the guard keeps up with it."""
        self.wait(ms)
        self.guard(self.pumps[symbol].pump if symbol in self.pumps else "none", symbol)
        self.tickers[symbol] = ticker(self.now, price, symbol)
        return self.take(self.tickers[symbol])

    def signal(self, side: Any = "long", symbol: Symbol = BTC, **changed: Any) -> list[Event]:
        """A signal of now."""
        return self.take(self.wish(side, symbol, **changed))

    def wish(self, side: Any = "long", symbol: Symbol = BTC, **changed: Any) -> Signal:
        self._signals += 1
        fields: dict[str, Any] = {
            "id": f"signal{self._signals}",
            "strength": 0.8,
            "source": "scalper",
            "granularity": Granularity("5m"),
            "close_ms": self.now,
            "expires_ms": self.now + 120_000,
            "reason": "because",
            "inputs": [],
            "config": "config",
            "code": "code",
        }
        return Signal(symbol=symbol, side=side, **{**fields, **changed})

    def exit(self, agent: str = "anna", symbol: Symbol = BTC, **changed: Any) -> ExitRequested:
        """An exit of the agent's position, due now."""
        holding = self.states[agent].holdings[symbol]
        fields: dict[str, Any] = {
            "id": f"exit-{holding.id}-{changed.get('leg', 'stop')}",
            "position": holding.id,
            "account": self.states[agent].account,
            "side": holding.position.side,
            "kind": "stop",
            "leg": "stop",
            "action": "close",
            "size": None,
            "price": Decimal(self.tickers[symbol].last),
            "reason": "the stop was touched",
            "at": self.now - LATENCY_MS,
            "due_ms": self.now,
        }
        return ExitRequested(agent=agent, symbol=symbol, **{**fields, **changed})

    def command(self, what: Any, **changed: Any) -> list[Event]:
        fields: dict[str, Any] = {"id": f"command{len(self.said)}", "who": "cli", "at": self.now}
        return self.take(Command(what=what, **{**fields, **changed}))

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.said if isinstance(event, kind)]


def ready(price: Price = 100, **given: Any) -> Scene:
    """A scene with a price of both symbols."""
    scene = Scene(**given)
    scene.tick(price)
    scene.tick(price, ETH, ms=0)
    return scene


def entered(side: Any = "long", price: Price = 100, **given: Any) -> Scene:
    """A scene in which agent anna holds a position in BTC."""
    scene = ready(price, **given)
    scene.signal(side)
    scene.tick(price)
    assert BTC in scene.states["anna"].holdings
    return scene


def of(events: Sequence[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def only(events: Sequence[Event], kind: type[E]) -> E:
    found = of(events, kind)
    assert len(found) == 1, f"expected one {kind.__name__}: {events}"
    return found[0]


def reasons(events: Sequence[Event]) -> list[str]:
    return [event.reason for event in of(events, Refusal)]


def holds(scene: Scene) -> None:
    """What is true of the books after every input."""
    for name, state in scene.states.items():
        config = scene.desk.agents[name].config
        assert state.balance == state.start + state.realised - state.fees - state.funding
        told = [each for each in scene.all(BalanceChanged) if each.agent == name]
        assert told[-1].balance == state.balance
        assert sum(each.change for each in told) == state.balance
        assert len(slots(state)) <= config.positions_max
        for symbol, holding in state.holdings.items():
            assert holding.position.size > 0
            assert holding.position.symbol == symbol
        if state.paper is not None:
            assert state.paper.wallet == state.balance
            assert state.paper.positions == {
                symbol: holding.position for symbol, holding in state.holdings.items()
            }
            waiting = {key for key, each in state.intents.items() if each.phase == "waiting"}
            assert set(state.paper.orders) == set(state.intents) - waiting


def requests(events: Sequence[Event]) -> list[OrderRequested]:
    return of(events, OrderRequested)
