"""The topic catalogue: every topic, its key, events, partitions, retention and writers.

A topic that isn't here is an error. `{g}` in a name stands for a granularity.
"""

import msgspec

from chandler.core import events as ev
from chandler.core.granularity import DAY_MS, INTERVAL_MS
from chandler.core.trading import events as tr

SYMBOL_PARTITIONS_DEFAULT = 8
DESK_PARTITIONS = 8  # one per shard of the executor
TRIAL_PARTITIONS = 16  # as many workers can share a study
FOR_EVER = -1


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as it has to be on the cluster."""

    name: str  # without the installation's prefix
    key: str  # what the key is
    events: tuple[type[ev.Event], ...]  # () for a stage's state
    writers: tuple[str, ...]  # service names; ("all",) for any
    doc: str
    partitions: int | None = None  # None: as many as all topics keyed by symbol
    compacted: bool = False
    retention_ms: int = FOR_EVER


def _by_granularity(
    stem: str, events: tuple[type[ev.Event], ...], writer: str, doc: str, retention_ms: int
) -> list[Topic]:
    return [
        Topic(
            name=f"{stem}.{granularity}",
            key="symbol",
            events=events,
            writers=(writer,),
            doc=doc,
            retention_ms=retention_ms,
        )
        for granularity in INTERVAL_MS
    ]


def _state(service: str) -> Topic:
    return Topic(
        name=f"state.{service}",
        key="state key, or @offsets",
        events=(),
        writers=(service,),
        doc=f"state and input offsets of {service}",
        compacted=True,
    )


TOPICS: tuple[Topic, ...] = (
    *_by_granularity(
        "candles", (ev.CandleSealed, ev.CandleMissing), "ingest", "sealed candles", FOR_EVER
    ),
    Topic(
        name="candles.last",
        key="symbol|granularity",
        events=(ev.CandlesOut,),
        writers=("ingest",),
        doc="what is out, so that a restarted ingest never repeats",
        compacted=True,
    ),
    Topic(
        name="candles.corrections",
        key="symbol",
        events=(ev.CandleCorrected,),
        writers=("ingest",),
        doc="what the venue changed afterwards; no fold reads it",
    ),
    Topic(
        name="instruments",
        key="symbol",
        events=(ev.Instrument,),
        writers=("ingest",),
        doc="steps, sizes, fees",
        compacted=True,
    ),
    Topic(
        name="funding",
        key="symbol",
        events=(ev.FundingRate,),
        writers=("ingest",),
        doc="funding rates",
    ),
    Topic(
        name="configs",
        key="hash",
        events=(ev.ConfigRecorded,),
        writers=("all",),
        doc="the text behind each configuration hash",
    ),
    Topic(
        name="tickers",
        key="symbol",
        events=(ev.Ticker, tr.TickersOut),
        writers=("ingest",),
        doc="last prices at event time, and how far each ingest shard has come",
        retention_ms=7 * DAY_MS,
    ),
    *_by_granularity(
        "indicators", (ev.IndicatorRow,), "indicators", "one row per candle", 7 * DAY_MS
    ),
    _state("indicators"),
    Topic(
        name="matrix",
        key="symbol",
        events=(ev.MatrixRow,),
        writers=("signals",),
        doc="notes by engine and evaluator, one record per evaluated close",
        retention_ms=7 * DAY_MS,
    ),
    _state("signals"),
    Topic(
        name="signals",
        key="symbol",
        events=(ev.Signal,),
        writers=("signals",),
        doc="engines' signals, every one",
    ),
    Topic(
        name="signals.external",
        key="symbol",
        events=(ev.Signal,),
        writers=("gateway",),
        doc="signals from the API, webhooks, people",
    ),
    Topic(
        name="pumps",
        key="symbol",
        events=(tr.PumpState,),
        writers=("pump_guard",),
        doc="pump started, ended, and heartbeats; each record the whole state",
        retention_ms=90 * DAY_MS,
    ),
    _state("pump_guard"),
    Topic(
        name="orders",
        key="symbol",
        events=(
            tr.OrderRequested,
            tr.OrderSent,
            tr.OrderAccepted,
            tr.OrderFilled,
            tr.OrderCancelled,
            tr.OrderRefused,
            tr.OrderUnknown,
            tr.OrderExpired,
            tr.Refusal,
            tr.FundingPaid,
            tr.Liquidated,
            tr.BalanceChanged,
            tr.OrdersOut,
        ),
        writers=("executor",),
        doc="the life of every order, refusals, funding, balances",
    ),
    Topic(
        name="positions",
        key="symbol",
        events=(tr.PositionOpened, tr.PositionUpdated, tr.PositionClosed),
        writers=("positions",),
        doc="positions by agent: opened, updated, closed",
        retention_ms=90 * DAY_MS,
    ),
    Topic(
        name="exits",
        key="symbol",
        events=(tr.ExitRequested, tr.ExitsOut),
        writers=("positions",),
        doc="what the watch fired, and how far it has come",
    ),
    _state("positions"),
    _state("positions_live"),
    Topic(
        name="commands",
        key="id",
        events=(tr.Command,),
        writers=("all",),
        doc="who asks for what",
        partitions=1,
    ),
    Topic(
        name="answers",
        key="command",
        events=(tr.Answer,),
        writers=("all",),
        doc="what became of a command",
        partitions=1,
    ),
    Topic(
        name="desk",
        key="shard",
        events=(tr.DeskTaken,),
        writers=("executor",),
        doc="the executor's journal; one partition per shard",
        partitions=DESK_PARTITIONS,
    ),
    Topic(
        name="desk.state",
        key="agent, @offsets or @market",
        events=(),
        writers=("executor",),
        doc="the executor's state and input offsets; one partition per shard",
        partitions=DESK_PARTITIONS,
        compacted=True,
    ),
    Topic(
        name="notices",
        key="agent",
        events=(tr.NoticeAsked,),
        writers=("all",),
        doc="what people are to be told",
        partitions=1,
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        name="market",
        key="window",
        events=(ev.MarketView,),
        writers=("market",),
        doc="movers, breadth, leaders, volatility ranks",
        partitions=1,
        retention_ms=DAY_MS,
    ),
    Topic(
        name="infra",
        key="service",
        events=(ev.InfraEvent,),
        writers=("all",),
        doc="what happened to services",
        partitions=1,
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        name="logs",
        key="service",
        events=(ev.LogLine,),
        writers=("all",),
        doc="what services log",
        partitions=1,
        retention_ms=DAY_MS,
    ),
    Topic(
        name="notifier.state",
        key="@rest or a user's name",
        events=(),
        writers=("notifier",),
        doc="what the notifier has told, is to tell, and was asked",
        partitions=1,
        compacted=True,
    ),
    Topic(
        name="gateway.state",
        key="@rest, or a signal's or command's id",
        events=(),
        writers=("gateway",),
        doc="idempotency keys that the gateway has taken, for a day",
        partitions=1,
        compacted=True,
    ),
    Topic(
        name="trials",
        key="study",
        events=(ev.TrialAsked,),
        writers=("all",),
        doc="trials of an optimisation that wait for a worker",
        partitions=TRIAL_PARTITIONS,
        retention_ms=7 * DAY_MS,
    ),
    Topic(
        name="trials.told",
        key="study",
        events=(ev.TrialTold,),
        writers=("all",),
        doc="what came of trials",
        partitions=1,
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        name="dead-letters",
        key="source",
        events=(ev.DeadLetter,),
        writers=("all",),
        doc="what could not be read",
        partitions=1,
        retention_ms=30 * DAY_MS,
    ),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}


def topic(name: str) -> Topic:
    """The topic called `name`; KeyError says that the catalogue lacks it."""
    if name not in BY_NAME:
        raise KeyError(f"topic {name!r} is not in the catalogue (chandler.streams.catalogue)")
    return BY_NAME[name]
