"""Kafka, as its clients see it: lag, throughput, transactions, what couldn't be read."""

from grafana.panels import RATE, lines, prom, row

NAMED = '{service=~"$service"}'
ANSWERS = (
    "What waits in the topics, how much passes, how transactions go. It is what the clients "
    "measure: brokers export nothing here."
)


def rate(name: str) -> str:
    return f'sum by (service) (rate({{__name__=~"chandler_.+_{name}", service=~"$service"}}{RATE}))'


PANELS = [
    row("What waits"),
    lines(
        "Lag",
        "Records between what was taken and the end of the inputs; of ingest, slots to be filled.",
        "none",
        prom(f"service:chandler_lag_records:sum{NAMED}", "{{service}}"),
        width=12,
    ),
    lines(
        "Behind",
        "Age of the newest record that was taken, while more of them wait.",
        "s",
        prom(f"service:chandler_behind_seconds:max{NAMED}", "{{service}}"),
        width=12,
    ),
    row("What passes"),
    lines(
        "Taken in",
        "Records that a service takes in.",
        "cps",
        prom(rate("records_total"), "{{service}}"),
    ),
    lines(
        "Published",
        "Events that a service publishes in transactions.",
        "cps",
        prom(rate("outputs_total"), "{{service}}"),
    ),
    lines(
        "Into the ledger",
        "Events taken into the ledger, by topic, and rows that they made.",
        "cps",
        prom(
            f"sum by (topic) (rate(chandler_recorder_ledger_events_total{RATE}))",
            "{{topic}}",
        ),
        prom(f"sum(rate(chandler_recorder_ledger_rows_total{RATE}))", "rows"),
    ),
    row("Transactions"),
    lines(
        "Transactions",
        "Transactions a second.",
        "cps",
        prom(rate("transaction_seconds_count"), "{{service}}"),
    ),
    lines(
        "Their p99",
        "From the first input of a transaction to its commit.",
        "s",
        prom(f"service:chandler_transaction_seconds:p99_5m{NAMED}", "{{service}}"),
    ),
    lines(
        "Starts anew",
        "Parts that started anew after an error of Kafka's, or of their own, in 15 minutes.",
        "none",
        prom(f"service:chandler_starts_anew:increase15m{NAMED}", "{{service}}"),
    ),
    row("What went wrong"),
    lines(
        "Dead letters by cause",
        "What could not be read or done, in total.",
        "none",
        prom(
            'sum by (service, cause) ({__name__=~"chandler_.+_dead_letters_total", '
            'service=~"$service"})',
            "{{service}}: {{cause}}",
        ),
        width=12,
    ),
    lines(
        "The ledger had to wait",
        "Tries that the ledger could not take: locked, full, away.",
        "cps",
        prom(f"sum(rate(chandler_recorder_ledger_waits_total{RATE}))", "tries"),
        width=12,
    ),
]
