"""The dashboards asked for real: against the running demo, its Prometheus and its ledger."""
