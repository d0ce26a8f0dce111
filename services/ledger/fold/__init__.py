"""The fold of events into rows: what an event changes in the ledger, and nothing else."""
