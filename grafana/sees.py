"""What does it see? Candles, gaps, the venue's connections and limits, notes, signals, pumps."""

from grafana.panels import RATE, lines, prom, row, series, sql, stat, table

ANSWERS = (
    "What comes from the venue and what is missing of it, how much of its rate budget is used, "
    "and what the engines make of it."
)
PANELS = [
    row("Candles"),
    lines(
        "Overdue",
        "Wall time since a newer candle of the granularity was due.",
        "s",
        prom("granularity:chandler_candle_overdue_seconds:max", "{{granularity}}"),
    ),
    lines(
        "Age of the newest candle",
        "Venue time since the close of the newest candle that is out.",
        "s",
        prom(
            "max by (granularity) (chandler_ingest_last_candle_age_seconds)",
            "{{granularity}}",
        ),
    ),
    lines(
        "Furthest behind",
        "The same of the symbol that is furthest behind: an outage of one of them.",
        "s",
        prom("granularity:chandler_symbol_overdue_seconds:max", "{{granularity}}"),
    ),
    lines(
        "Sealed",
        "Candles published, by granularity.",
        "cps",
        prom(
            f"sum by (granularity) (rate(chandler_ingest_sealed_total{RATE}))",
            "{{granularity}}",
        ),
        width=6,
    ),
    lines(
        "Gaps",
        "Stretches that REST had to fill late, and slots that the venue itself lacks, in total.",
        "none",
        prom("sum(chandler_ingest_gaps_total)", "filled late"),
        prom("sum(chandler_ingest_missing_total)", "missing at the venue"),
        width=6,
    ),
    lines(
        "Rejected",
        "Input that was not as it should be, by cause.",
        "cps",
        prom(f"sum by (cause) (rate(chandler_ingest_rejected_total{RATE}))", "{{cause}}"),
        width=6,
    ),
    lines(
        "Tickers dropped",
        "Tickers that came too late to be published.",
        "cps",
        prom(
            f"sum by (cause) (rate(chandler_ingest_tickers_dropped_total{RATE}))",
            "{{cause}}",
        ),
        width=6,
    ),
    row("Venue"),
    stat(
        "REST requests",
        "Requests a second against the venue's limits; more strategies don't raise it.",
        "reqps",
        prom(f"sum(rate(chandler_ingest_request_weight_total{RATE}))"),
    ),
    stat(
        "Untrusted connections",
        "Connections whose word alone seals no candle; REST confirms those.",
        "none",
        prom("sum(chandler_ingest_untrusted)"),
        steps=[(1, "orange")],
    ),
    stat(
        "Simulator's speed",
        "Venue seconds per wall second.",
        "none",
        prom("max(chandler_simulator_speed_ratio)"),
    ),
    stat(
        "Simulator's time",
        "The venue's time; a real venue is no simulator and has none here.",
        "dateTimeAsIso",
        prom("max(chandler_simulator_time_seconds) * 1000"),
        width=6,
    ),
    stat(
        "Plug-ins left out",
        "Plug-ins and engines that can't be used.",
        "none",
        prom("max(chandler_signals_left_out)"),
        width=6,
        steps=[(1, "red")],
    ),
    lines(
        "Requests left",
        "What the venue would still have taken in its second, by endpoint: the fewest it told.",
        "none",
        prom("min by (endpoint) (chandler_ingest_requests_left)", "{{endpoint}}"),
        width=6,
    ),
    lines(
        "Reconnects",
        "Connections that were lost or could not be opened, in 15 minutes.",
        "none",
        prom("sum(increase(chandler_ingest_reconnects_total[15m]))", "lost"),
        width=6,
    ),
    lines(
        "Simulator's connections",
        "Open connections, and the channels that are listened to over them.",
        "none",
        prom("max(chandler_simulator_connections)", "connections"),
        prom("max(chandler_simulator_subscriptions)", "channels"),
        width=6,
    ),
    lines(
        "Simulator's events",
        "Frames written, ticks, connections and how they ended, REST requests.",
        "cps",
        prom(f"sum by (event) (rate(chandler_simulator_events_total{RATE}))", "{{event}}"),
        width=6,
    ),
    row("Engines"),
    lines(
        "Signals",
        "Signals by engine, from the ledger.",
        "none",
        series(
            """SELECT slot(written_ms) AS "time", source AS metric, count(*) AS value FROM signals
            WHERE within(written_ms) AND among(engine, source) AND among(symbol)
            GROUP BY 1, 2 ORDER BY 1"""
        ),
        stacked=True,
    ),
    lines(
        "Notes behind signals",
        "What evaluators said where it became a signal, on average; -1 is fully short.",
        "none",
        series(
            """SELECT slot(written_ms) AS "time", note.key AS metric,
            avg(note.value::float8) AS value
            FROM signals, jsonb_each_text(notes::jsonb) AS note
            WHERE within(written_ms) AND among(engine, source) AND among(symbol)
            GROUP BY 1, 2 ORDER BY 1"""
        ),
        points=True,
    ),
    lines(
        "Recorded",
        "Signals read, by whether the file had them already.",
        "cps",
        prom(
            f"sum by (verdict) (rate(chandler_recorder_signals_total{RATE}))",
            "{{verdict}}",
        ),
    ),
    stat(
        "Signals on file",
        "Signals in signals.jsonl.",
        "none",
        prom("max(chandler_recorder_file_signals)"),
    ),
    table(
        "Newest signals",
        "With the engine's reason, from the ledger.",
        sql(
            """SELECT to_timestamp(written_ms / 1000.0) AS "time", symbol, source AS engine, side,
            strength, reason FROM signals WHERE within(written_ms)
            AND among(engine, source) AND among(symbol)
            ORDER BY written_ms DESC LIMIT 50"""
        ),
        width=20,
    ),
    row("Market"),
    lines(
        "Pumps",
        "Symbols in a pump or a crash, and those that began in 15 minutes.",
        "none",
        prom("sum(chandler_pump_guard_pumped)", "pumped"),
        prom("sum(increase(chandler_pump_guard_started_total[15m]))", "begun"),
        width=12,
    ),
    table(
        "Newest pumps",
        "Began and ended, with the change and the volume that made them, from the ledger.",
        sql(
            """SELECT to_timestamp(written_ms / 1000.0) AS "time", symbol, pump, kind, change,
            volume_ratio FROM pumps WHERE within(written_ms) AND among(symbol)
            ORDER BY written_ms DESC LIMIT 50"""
        ),
    ),
]
