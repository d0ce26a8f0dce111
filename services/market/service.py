"""market: movers, breadth, volume leaders and volatility ranks by window, on faust-streaming."""

import logging

from chandler.core.events import DeadLetter
from chandler.streams.exact.observe import StageObserver
from chandler.streams.faust_worker import FaustView, run_view
from services.declaration import Context, Metric, Metrics, Service
from services.market.views import MarketFold


class _Watcher:
    """Counts what the view took and published."""

    def __init__(self, metrics: Metrics, log: logging.Logger) -> None:
        self._metrics = metrics
        self._letters = StageObserver("market", metrics, log)

    def took(self, records: int, outputs: int) -> None:
        self._metrics.add("chandler_market_records_total", records)
        self._metrics.add("chandler_market_views_total", outputs)

    def dead_letter(self, letter: DeadLetter) -> None:
        self._letters.dead_letter(letter)


async def run(context: Context) -> None:
    """Shows the market at each 5m close until the stop."""
    setup = FaustView(
        service="market",
        topic="candles.5m",
        table="closes",
        view=MarketFold(),
        partitions=context.profile.kafka.symbol_partitions,
        replication=context.profile.kafka.replication,
        instance=context.instance,
    )
    await run_view(
        setup,
        installation=context.installation,
        stop=context.stop,
        health=context.health,
        watcher=_Watcher(context.metrics, context.log),
    )


SERVICE = Service(
    name="market",
    kind="views",
    doc="movers, breadth, leaders, volatility by window; nothing that decides reads it",
    reads=("candles.5m",),
    writes=("market", "dead-letters"),
    metrics=(
        Metric(name="chandler_market_records_total", kind="counter", doc="candles taken in"),
        Metric(name="chandler_market_views_total", kind="counter", doc="views published"),
        Metric(
            name="chandler_market_dead_letters_total",
            kind="counter",
            doc="what could not be read or done",
            labels=("cause",),
        ),
    ),
    run=run,
)
