"""ingest: the venue's candles and tickers into topics, each sealed candle exactly once."""

from chandler.core.granularity import INTERVAL_MS
from services.declaration import Metric, Service
from services.ingest.complaints import LIMITED
from services.ingest.edge import run
from services.ingest.tickers import DROPPED

SERVICE = Service(
    name="ingest",
    kind="edge",
    doc="seals the venue's candles, each once and in order, and passes on its tickers",
    reads=("candles.last", "tickers"),
    writes=(
        *(f"candles.{granularity}" for granularity in INTERVAL_MS),
        "candles.last",
        "candles.corrections",
        "instruments",
        "funding",
        "tickers",
        "dead-letters",
    ),
    metrics=(
        Metric(
            name="chandler_ingest_last_candle_age_seconds",
            kind="gauge",
            doc="venue time since the close of the newest candle that is out",
            labels=("granularity",),
        ),
        Metric(
            name="chandler_ingest_furthest_candle_age_seconds",
            kind="gauge",
            doc="venue time since the newest candle's close, of the symbol that is furthest behind",
            labels=("granularity",),
        ),
        Metric(
            name="chandler_ingest_requests_left",
            kind="gauge",
            doc="requests that the venue would still have taken in its second: the fewest it told",
            labels=("endpoint",),
        ),
        Metric(
            name="chandler_ingest_request_weight_total", kind="counter", doc="REST requests made"
        ),
        Metric(
            name="chandler_ingest_reconnects_total",
            kind="counter",
            doc="connections that were lost or could not be opened",
        ),
        Metric(
            name="chandler_ingest_gaps_total",
            kind="counter",
            doc="stretches of slots that REST had to fill more than one interval after their close",
        ),
        Metric(
            name="chandler_ingest_sealed_total",
            kind="counter",
            doc="candles published",
            labels=("granularity",),
        ),
        Metric(
            name="chandler_ingest_missing_total",
            kind="counter",
            doc="slots published as missing at the venue",
        ),
        Metric(
            name="chandler_ingest_end_to_end_delay_seconds",
            kind="histogram",
            doc="wall time from a candle's close at the venue to its commit",
        ),
        Metric(
            name="chandler_ingest_updates_total",
            kind="counter",
            doc="candle and ticker pushes taken from the socket",
        ),
        Metric(
            name="chandler_ingest_rejected_total",
            kind="counter",
            doc="input that was not as it should be",
            labels=("cause",),
            known=(LIMITED,),
        ),
        Metric(
            name="chandler_ingest_tickers_dropped_total",
            kind="counter",
            doc="tickers that came too late to be published",
            labels=("cause",),
            known=DROPPED,
        ),
        Metric(
            name="chandler_ingest_untrusted",
            kind="gauge",
            doc="connections whose word alone seals no candle",
        ),
    ),
    run=run,
)
