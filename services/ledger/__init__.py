"""The ledger: what happened, as rows of a database; the recorder writes it, others read it."""
