"""How fast? From a candle's close to the order and into the ledger, hop by hop."""

from grafana.panels import RATE, heat, lines, prom, quantiles, row, sql, table

NAMED = '{service=~"$service"}'
ANSWERS = (
    "How long each hop takes, from a candle's close at the venue to its order and to the ledger, "
    "and how much passes through."
)
PANELS = [
    row("Candle → topic"),
    heat(
        "Close → commit",
        "Wall time from a candle's close at the venue to its commit; REST's word takes 15 s.",
        "chandler_ingest_end_to_end_delay_seconds",
    ),
    lines(
        "Close → commit, quantiles",
        "Half, nine of ten and 99 of 100 candles are faster.",
        "s",
        *quantiles("chandler_ingest_end_to_end_delay_seconds"),
        width=12,
    ),
    row("Topic → signal"),
    heat(
        "Candle → signal",
        "From the record of a candle to the commit of the signal that it led to.",
        "chandler_signals_candle_to_signal_seconds",
    ),
    lines(
        "Candle → signal, quantiles",
        "Half, nine of ten and 99 of 100 signals are faster; of 5 minutes is what alerts watch.",
        "s",
        *quantiles("chandler_signals_candle_to_signal_seconds"),
        prom("chandler:candle_to_signal_seconds:p99_5m", "p99 over 5 minutes"),
        width=12,
    ),
    heat(
        "Indicators",
        "From the first candle of a transaction to its commit.",
        "chandler_indicators_transaction_seconds",
    ),
    heat(
        "Signals",
        "From the first row of indicators of a transaction to its commit.",
        "chandler_signals_transaction_seconds",
    ),
    lines(
        "Transactions, p99",
        "From the first input of a transaction to its commit, by service.",
        "s",
        prom(f"service:chandler_transaction_seconds:p99_5m{NAMED}", "{{service}}"),
    ),
    lines(
        "Slow notes",
        "Notes that took their evaluator more than 50 ms: every signal waits for them.",
        "cps",
        prom(
            f"sum by (evaluator) (rate(chandler_signals_slow_notes_total{RATE}))",
            "{{evaluator}}",
        ),
    ),
    lines(
        "Late share",
        "Share of the last hour in which a granularity's candles were overdue by over 30 s.",
        "percentunit",
        prom("granularity:chandler_candle_late:avg1h", "{{granularity}}"),
    ),
    row("Signal → order"),
    heat(
        "Signal → order",
        "From the record of a signal to that of the order that it opens, by Kafka's times.",
        "chandler_recorder_signal_to_order_seconds",
    ),
    lines(
        "Signal → order, quantiles",
        "Half, nine of ten and 99 of 100 orders are faster.",
        "s",
        *quantiles("chandler_recorder_signal_to_order_seconds"),
        width=12,
    ),
    heat(
        "Signal → venue",
        "From the record of a signal to that of the venue's word that it has the order.",
        "chandler_recorder_signal_to_venue_seconds",
    ),
    lines(
        "Signal → venue, quantiles",
        "Half, nine of ten and 99 of 100 orders of live accounts are faster.",
        "s",
        *quantiles("chandler_recorder_signal_to_venue_seconds"),
        width=12,
    ),
    heat(
        "Executor",
        "From the first input of a transaction of the desk to its commit.",
        "chandler_executor_transaction_seconds",
    ),
    lines(
        "Behind the tickers",
        "Event time from a shard's clock to the newest ticker that it has read.",
        "ms",
        prom("max by (shard) (chandler_executor_clock_lag_ms)", "shard {{shard}}"),
        width=12,
    ),
    lines(
        "Waited for in vain, or late",
        "Inputs that the desk went on without, and those that came after their place.",
        "cps",
        prom(
            f"sum by (input) (rate(chandler_executor_windows_closed_total{RATE}))",
            "in vain: {{input}}",
        ),
        prom(f"sum by (input) (rate(chandler_executor_late_total{RATE}))", "late: {{input}}"),
    ),
    lines(
        "Tickers that wait",
        "Tickers that the pump guard holds until their minute's candle is there.",
        "none",
        prom("sum(chandler_pump_guard_held_ticks)", "held"),
    ),
    table(
        "Signal → order by agent",
        "From the ledger: orders that signals opened, and how long they took.",
        sql(
            """SELECT o.agent, o.source AS engine, count(*) AS orders,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY (o.written_ms - s.written_ms) / 1000.0)
            AS "p50, s",
            percentile_cont(0.99) WITHIN GROUP (ORDER BY (o.written_ms - s.written_ms) / 1000.0)
            AS "p99, s"
            FROM orders o JOIN signals s ON s.id = o.cause
            WHERE o.action = 'open' AND within(o.written_ms) AND among(agent, o.agent)
            GROUP BY o.agent, o.source ORDER BY 5 DESC"""
        ),
        width=8,
    ),
    row("Event → ledger"),
    heat(
        "Event → ledger",
        "Wall time from an event's record in Kafka to its commit in the ledger.",
        "chandler_recorder_ledger_delay_seconds",
    ),
    heat(
        "Ledger's transactions",
        "From a batch at hand to its commit, waiting included.",
        "chandler_recorder_ledger_transaction_seconds",
    ),
    row("How much"),
    lines(
        "Pushes from the venue",
        "Candle and ticker pushes taken from the socket.",
        "cps",
        prom(f"sum(rate(chandler_ingest_updates_total{RATE}))", "pushes"),
    ),
    lines(
        "Taken in",
        "Records that a service takes in.",
        "cps",
        prom(
            f'sum by (service) (rate({{__name__=~"chandler_.+_records_total"}}{RATE}))',
            "{{service}}",
        ),
    ),
    lines(
        "Published",
        "Events that a service publishes.",
        "cps",
        prom(
            f'sum by (service) (rate({{__name__=~"chandler_.+_outputs_total"}}{RATE}))',
            "{{service}}",
        ),
        prom(f"sum(rate(chandler_market_views_total{RATE}))", "market"),
    ),
]
