"""What the tests of answers share: views that real events were written to, a ledger, and texts.

Two agents: anna's figures are small, all of bert's have a 7 in them, and none of anna's has.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from sqlalchemy import make_url

from chandler.core.desk.state import AgentState, Day, Holding
from chandler.core.events import (
    CandlesOut,
    Event,
    InfraEvent,
    LogLine,
    MarketView,
    Signal,
    Symbol,
    Ticker,
)
from chandler.core.granularity import Granularity
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    BalanceChanged,
    OrderFilled,
    OrderRequested,
    PositionMarked,
    PositionOpened,
    Refusal,
)
from chandler.core.trading.paper import PaperAccount
from chandler.core.trading.position import Position
from chandler.streams.codec import encode
from chandler.streams.reader import Record
from chandler.streams.settings import Installation, KafkaSecurity
from services.ledger.writer import LedgerWriter
from services.notifier.answering import Sources, Views, answer
from services.notifier.talk import Query, Reply
from services.profile import Profile
from tests.services.ledgering import following, placed

DAY = 1_704_412_800_000  # 2024-01-05
NOW = DAY + 36_000_000  # 10:00
HOUR = 3_600_000
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
D = Decimal


def installation(data: Path, port_base: int = 29_000) -> Installation:
    """One without a Kafka that could be reached."""
    return Installation(
        data=data,
        profile="demo",
        port_base=port_base,
        brokers="127.0.0.1:9",
        security=KafkaSecurity(),
        topic_prefix="",
        log_format="text",
    )


def profile(*agents: str) -> Profile:
    return Profile(agents={name: AgentConfig(trading=name != "carl") for name in agents})


def state(
    agent: str, realised: str, symbol: Symbol | None = BTC, *, entry: str = "100"
) -> AgentState:
    """An agent that began with 1000, the day too, and may have a long of 2 open."""
    held = {}
    if symbol is not None:
        position = Position(
            symbol=symbol,
            side="long",
            size=D(2),
            cost=D(entry) * 2,
            leverage=3,
            opened_ms=NOW - 3 * HOUR,
            changed_ms=NOW - 3 * HOUR,
            entered=D(entry) * 2,
        )
        held[symbol] = Holding(
            id=f"{agent}-{symbol}", position=position, source="scalper", stop=D("95.5")
        )
    return AgentState(
        agent=agent,
        account=agent,
        start=D(1000),
        realised=D(realised),
        day=Day(start_ms=DAY, balance=D(1000)),
        paper=PaperAccount(deposited=D(1000)),
        holdings=held,
    )


def opened(of: AgentState, mark: str, symbol: Symbol = BTC) -> PositionOpened:
    """What positions says of what the agent has open."""
    holding = of.holdings[symbol]
    position = holding.position
    marked = PositionMarked(
        id=holding.id,
        account=of.agent,
        agent=of.agent,
        symbol=symbol,
        side=position.side,
        size=position.size,
        cost=position.cost,
        leverage=position.leverage,
        stop=holding.stop,
        targets=[],
        adds=0,
        opened_ms=position.opened_ms,
        source=holding.source,
        mark=D(mark),
        peak=D(mark),
        unrealised=(D(mark) * 2 - position.cost),
        realised=D(0),
        fees=D(0),
        funding=D(0),
    )
    return PositionOpened(position=marked, symbol=symbol, at=NOW)


def order(
    number: str, agent: str, symbol: Symbol = BTC, *, at: int = NOW, price: str | None = "100"
) -> list[Event]:
    """A request, and its fill where it has a price."""
    request = OrderRequested(
        id=f"order{number}",
        shard=0,
        seq=1,
        account=agent,
        agent=agent,
        symbol=symbol,
        position=f"trip{number}",
        leg="entry",
        action="open",
        side="long",
        size=D(2),
        leverage=3,
        price=D(100),
        cause=f"signal{number}",
        source="scalper",
        reason="weakness in an uptrend",
        at=at,
        ready_ms=at + 250,
    )
    return [request] if price is None else [request, fill(request, price, at + 1_000)]


def fill(request: OrderRequested, price: str, at: int) -> OrderFilled:
    return OrderFilled(
        id=request.id,
        trade=f"{request.id}-1",
        account=request.account,
        agent=request.agent,
        symbol=request.symbol,
        position=request.position,
        leg=request.leg,
        action=request.action,
        side=request.side,
        price=D(price),
        size=request.size,
        fee=D("0.25"),
        done=True,
        leverage=3,
        source=request.source,
        at=at,
    )


def trip(
    number: str, agent: str, exit_: str, *, at: int = NOW, symbol: Symbol = BTC
) -> list[Event]:
    """A round trip of 2 from 100 to a price, with what it did to the balance; fees are 0.5."""
    entry, filled = order(number, agent, symbol, at=at)
    assert isinstance(entry, OrderRequested)
    close = msgspec.structs.replace(
        entry, id=f"exit{number}", action="close", leg="stop", source="stop", cause=f"stop{number}"
    )
    pnl = (D(exit_) - 100) * 2 - D("0.5")
    changed = BalanceChanged(
        account=agent,
        agent=agent,
        kind="fill",
        change=pnl,
        balance=1000 + pnl,
        cause=close.id,
        at=at + HOUR,
        symbol=symbol,
    )
    return [entry, filled, close, fill(close, exit_, at + HOUR), changed]


def refusal(agent: str, reason: str, detail: str, *, at: int = NOW, seq: int = 1) -> Refusal:
    return Refusal(
        agent=agent,
        account=agent,
        symbol=BTC,
        side="long",
        cause="signal9",
        source="scalper",
        reason=reason,
        detail=detail,
        seq=seq,
        at=at,
    )


def signal(number: int, *agents: str, symbol: Symbol = BTC) -> Signal:
    return Signal(
        id=f"signal-{number}",
        symbol=symbol,
        side="long",
        strength=0.625,
        source="scalper",
        granularity=Granularity("5m"),
        close_ms=DAY + number * 300_000,
        expires_ms=DAY + number * 300_000 + 120_000,
        reason="weakness in an uptrend",
        agents=list(agents),
        inputs=[],
        config="c",
        code="d",
    )


def view(window: str = "1h") -> MarketView:
    return MarketView(
        window=window,
        at=NOW,
        symbols=40,
        movers_up=[(BTC, 0.021)],
        movers_down=[(ETH, -0.012)],
        leaders=[(BTC, 1_234_567.0)],
        volatility=[],
        up=0.6,
        down=0.3,
        above_ema=0.5,
    )


def out(symbol: Symbol = BTC, close_ms: int = NOW) -> CandlesOut:
    granularity = Granularity("5m")
    return CandlesOut(symbol=symbol, granularity=granularity, open_ms=close_ms - 300_000, hash="h")


def ticker(symbol: Symbol, at: int, mark: str) -> Ticker:
    return Ticker(
        symbol=symbol,
        at=at,
        last=mark,
        bid=mark,
        ask=mark,
        mark=mark,
        minute_open_ms=at - at % 60_000,
        minute_volume=1.0,
    )


def logged(service: str, text: str, at: int = NOW) -> LogLine:
    return LogLine(service=service, instance="elsewhere:1:0", level="info", text=text, at=at)


def infra(service: str, kind: str, detail: str = "", host: str = "elsewhere") -> InfraEvent:
    raw = {
        "type": "InfraEvent",
        "service": service,
        "instance": f"{host}:1:0",
        "kind": kind,
        "at": NOW,
        "detail": detail,
    }
    return msgspec.convert(raw, InfraEvent)


class Scene:
    """A notifier's views and sources, to be filled with events."""

    def __init__(self, data: Path, *agents: str, port_base: int = 29_000) -> None:
        self.sources = Sources(installation(data, port_base), profile(*agents))
        self.views = Views(self.sources)
        self._offsets: dict[str, int] = {}

    def stand(self, *states: AgentState, clock: int = NOW) -> None:
        """The desk's states, at a time."""
        for each in states:
            self._take("desk.state", msgspec.json.encode(each), each.agent)
        offsets = msgspec.json.encode({"seq": 1, "order": {"clock": clock}})
        self._take("desk.state", offsets, "@offsets")

    def see(self, topic: str, *events: Event) -> None:
        """Events as they come in a topic."""
        for event in events:
            self._take(topic, encode(event), "", event)

    def record(self, events: Sequence[Event], signals: Iterable[Event] = ()) -> None:
        """Events of topics orders and signals, as the recorder takes them into the ledger."""
        data = self.sources.installation.data
        writer = LedgerWriter(make_url(f"sqlite:///{data / 'ledger.sqlite'}"), "cluster/")
        writer.places()
        records = [*placed("orders", events), *placed("signals", signals)]
        assert writer.take(records, following(records)).untold == []
        writer.close()

    async def ask(self, topic: str, **more: object) -> Reply:
        query = msgspec.convert({"topic": topic, "user": "olga", **more}, Query)
        return await answer(query, self.views, self.sources)

    async def text(self, topic: str, **more: object) -> str:
        """The answer's lines as they are read."""
        return "\n".join(line.text for line in (await self.ask(topic, **more)).lines)

    def _take(self, topic: str, raw: bytes, key: str, event: Event | None = None) -> None:
        offset = self._offsets.get(topic, -1) + 1
        self._offsets[topic] = offset
        record = Record(topic, 0, offset, NOW + offset, key, event, raw, {})
        if topic in ("desk.state", "positions", "tickers"):
            self.views.desk.take(record)
        elif topic == "orders":
            self.views.orders.take(record)
        else:
            self.views.lately.take(record)
