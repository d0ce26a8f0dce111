"""The paper venue: pure functions that place, cancel and meet tickers, over a frozen account.

The desk's fold, the simulator's private side and the paper broker keep one `PaperAccount` for each
account and give it every ticker. One-way mode, margins isolated by symbol, one quote coin. Knows
nothing of agents, events or ids: orders have the caller's id, what happened comes back as Structs.

    account = open_account(Decimal(10_000))
    account, refused = place(account, order, terms=terms, ticker=newest, rules=rules)
    account, happened = on_ticker(account, ticker, terms=terms, funding=rate, rules=rules)

A caller that drops tickers not newer than the symbol's newest may still give the newest one again
(an order whose `ready_ms` is that ticker's time): what has happened doesn't happen twice.
wallet = deposited + Σ realised - Σ fees - Σ funding, exactly, whatever the sequence.
"""

from chandler.core.trading.paper.account import (
    Dropped,
    Fill,
    Funding,
    Happening,
    Liquidation,
    PaperAccount,
    PaperOrder,
    Refused,
    RefusedCode,
    Rules,
    available,
    equity,
    open_account,
    rules_of,
    transfer,
)
from chandler.core.trading.paper.meeting import on_ticker
from chandler.core.trading.paper.placing import cancel, place

__all__ = [
    "Dropped",
    "Fill",
    "Funding",
    "Happening",
    "Liquidation",
    "PaperAccount",
    "PaperOrder",
    "Refused",
    "RefusedCode",
    "Rules",
    "available",
    "cancel",
    "equity",
    "on_ticker",
    "open_account",
    "place",
    "rules_of",
    "transfer",
]
