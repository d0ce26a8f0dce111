"""Routes that only read: each answers from topics that are followed, the ledger, or files."""

from services.gateway.routes.reading import (
    desk,
    figures,
    market,
    runs,
    scanner,
    signals,
    system,
    trading,
    why,
)

READING = tuple(
    each.router for each in (desk, trading, signals, figures, why, market, scanner, system, runs)
)
