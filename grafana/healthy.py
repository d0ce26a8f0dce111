"""Is it healthy? Services, lags, ages, restarts, what it needs of the machine, and its messages."""

from grafana.panels import RATE, lines, prom, quantiles, row, sql, stat, table

SERVICE = '{job="chandler", service=~"$service"}'
NAMED = '{service=~"$service"}'
ANSWERS = (
    "Whether every service answers, is ready and keeps up; what ended, and what was told of it. "
    "Alerts have pages in docs/runbooks."
)
PANELS = [
    row("Now"),
    stat(
        "Services that answer",
        "Workers that Prometheus could ask.",
        "none",
        prom('sum(up{job="chandler"})'),
    ),
    stat(
        "Not ready",
        "Services that answer and say that they aren't ready.",
        "none",
        prom("count(service:chandler_ready:min == 0) or vector(0)"),
        steps=[(1, "red")],
    ),
    stat(
        "Alerts",
        "Alerts that fire.",
        "none",
        prom('count(ALERTS{alertstate="firing"}) or vector(0)'),
        steps=[(1, "red")],
    ),
    stat(
        "Behind",
        "The most that a service is behind its inputs.",
        "s",
        prom("max(service:chandler_behind_seconds:max)"),
        steps=[(5, "orange"), (30, "red")],
    ),
    stat(
        "Candles overdue",
        "Wall time since a newer candle was due, of the worst granularity.",
        "s",
        prom("max(granularity:chandler_candle_overdue_seconds:max)"),
        steps=[(15, "orange"), (30, "red")],
    ),
    stat(
        "Telegram",
        "1 while Telegram, or what stands in for it, answers.",
        "none",
        prom("max(chandler_notifier_telegram_up)"),
    ),
    row("Services"),
    lines(
        "Ready",
        "1 while every worker of the service is ready.",
        "none",
        prom(f"service:chandler_ready:min{NAMED}", "{{service}}"),
    ),
    lines(
        "Lag",
        "Records that a service has not taken yet; of ingest, slots that REST has to fill.",
        "none",
        prom(f"service:chandler_lag_records:sum{NAMED}", "{{service}}"),
    ),
    lines(
        "Behind",
        "Age of the newest record that was taken, while more of them wait.",
        "s",
        prom(f"service:chandler_behind_seconds:max{NAMED}", "{{service}}"),
    ),
    lines(
        "Age",
        "Wall time since the newest record that was taken was written; -1 before the first.",
        "s",
        prom(f"service:chandler_age_seconds:max{NAMED}", "{{service}}"),
    ),
    lines(
        "Starts",
        "Processes that began, and parts that started anew after an error, in 15 minutes.",
        "none",
        prom(f"service:chandler_starts:increase15m{NAMED}", "{{service}}"),
        prom(f"service:chandler_starts_anew:increase15m{NAMED}", "{{service}} anew"),
    ),
    lines(
        "Dead letters",
        "What could not be read or done, in 15 minutes; it stands in topic dead-letters.",
        "none",
        prom(f"service:chandler_dead_letters:increase15m{NAMED}", "{{service}}"),
    ),
    table(
        "What happened to services",
        "Ends, restarts, connections lost and back, from the ledger.",
        sql(
            """SELECT to_timestamp(at / 1000.0) AS "time", service, kind, detail
            FROM infra_events WHERE kind NOT IN ('started', 'ready') AND within(at)
            ORDER BY at DESC LIMIT 100"""
        ),
        width=24,
    ),
    row("Machine"),
    lines(
        "Processor",
        "Cores that a service uses.",
        "none",
        prom(f"sum by (service) (rate(process_cpu_seconds_total{SERVICE}{RATE}))", "{{service}}"),
        stacked=True,
        width=6,
    ),
    lines(
        "Memory",
        "Resident memory of a service's workers.",
        "bytes",
        prom(f"sum by (service) (process_resident_memory_bytes{SERVICE})", "{{service}}"),
        stacked=True,
        width=6,
    ),
    lines(
        "Open files",
        "Open file descriptors as a share of those allowed.",
        "percentunit",
        prom(
            f"max by (service) (process_open_fds{SERVICE} / process_max_fds{SERVICE})",
            "{{service}}",
        ),
        width=6,
    ),
    lines(
        "Running since",
        "How long the youngest worker of a service has run.",
        "s",
        prom(
            f"time() - max by (service) (process_start_time_seconds{SERVICE})",
            "{{service}}",
        ),
        width=6,
    ),
    row("Messages"),
    lines(
        "Messages",
        "Messages handed to a channel, by what became of them.",
        "mps",
        prom(
            f"sum by (outcome) (rate(chandler_notifier_messages_total{RATE}))",
            "{{outcome}}",
        ),
        width=6,
    ),
    lines(
        "Waiting and given up",
        "Messages in all queues, and those that were given up, by user.",
        "none",
        prom("sum(chandler_notifier_waiting_messages)", "waiting"),
        prom("sum by (user) (chandler_notifier_undelivered_total)", "given up: {{user}}"),
        width=6,
    ),
    lines(
        "Commands",
        "Commands that people gave.",
        "ops",
        prom(f"sum by (what) (rate(chandler_notifier_commands_total{RATE}))", "{{what}}"),
        width=6,
    ),
    lines(
        "Telegram's stand-in",
        "Answers to the bot, by method and status; the demo's only.",
        "reqps",
        prom(
            f"sum by (answer) (rate(chandler_telegram_stand_in_answers_total{RATE}))",
            "{{answer}}",
        ),
        width=6,
    ),
    row("Gateway"),
    lines(
        "Requests",
        "Requests that the gateway answered, by the class of their status.",
        "reqps",
        prom(
            f"sum by (status) (rate(chandler_gateway_requests_total{RATE}))",
            "{{status}}",
        ),
        width=6,
    ),
    lines(
        "From a request to its answer",
        "What programs and people wait for the gateway.",
        "s",
        *quantiles("chandler_gateway_request_seconds"),
        width=6,
    ),
    lines(
        "Until Kafka has it",
        "A transaction with all signals and commands that waited for it.",
        "s",
        *quantiles("chandler_gateway_acknowledge_seconds"),
        width=6,
    ),
    lines(
        "Requests that wait for Kafka",
        "Signals and commands that are not in a transaction yet.",
        "none",
        prom("sum(chandler_gateway_waiting_requests)", "waiting"),
        width=6,
    ),
    lines(
        "Signals from outside",
        "Signals that were taken, and those that had been before.",
        "ops",
        prom(
            f"sum by (outcome) (rate(chandler_gateway_signals_total{RATE}))",
            "{{outcome}}",
        ),
        width=8,
    ),
    lines(
        "Commands from outside",
        "Commands that programs and the page gave.",
        "ops",
        prom(f"sum by (what) (rate(chandler_gateway_commands_total{RATE}))", "{{what}}"),
        width=8,
    ),
    lines(
        "Logins",
        "Logins, by what became of them.",
        "ops",
        prom(
            f"sum by (outcome) (rate(chandler_gateway_logins_total{RATE}))",
            "{{outcome}}",
        ),
        width=8,
    ),
    lines(
        "WebSockets",
        "Open streams: pages and programs that listen.",
        "none",
        prom("sum(chandler_gateway_sockets)", "open"),
        width=6,
    ),
    lines(
        "WebSockets that ended",
        "Those closed from here, by why: a session was over, too slow, the gateway stopped.",
        "ops",
        prom(
            f"sum by (why) (rate(chandler_gateway_sockets_ended_total{RATE}))",
            "{{why}}",
        ),
        width=6,
    ),
    lines(
        "Messages to WebSockets",
        "Messages that the stream made, before each is written to all who listen.",
        "ops",
        prom(f"sum(rate(chandler_gateway_stream_messages_total{RATE}))", "made"),
        width=6,
    ),
    lines(
        "Messages that wait for a reader",
        "Of the WebSocket for which most wait; one that is too slow is closed and comes back.",
        "none",
        prom("sum(chandler_gateway_stream_waiting_messages)", "waiting"),
        width=6,
    ),
]
