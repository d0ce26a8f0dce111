"""Commands that read the ledger, or make it anew."""
