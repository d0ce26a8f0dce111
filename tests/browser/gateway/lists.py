"""Lists as the gateway answers them, and what each may be asked with."""

import base64

# What each list may be asked with: anything else is refused, as the gateway does.
PAGED = ("limit", "after")
TIMED = (*PAGED, "since_ms", "until_ms")
OF_AGENTS = (*TIMED, "agent", "symbol", "source", "reason")
ASKED = {
    "symbols": ("symbol",),
    "agents": (),
    "balances": ("agent",),
    "positions": ("agent", "symbol"),
    "signals": (*TIMED, "symbol", "source", "side", "agent", "external"),
    "pumps": ("symbol", "all"),
    "matrix": ("symbol", "engine"),
    "equity": ("agent", "since_ms", "until_ms", "points"),
    "infra": TIMED,
    "dead-letters": (*PAGED, "source"),
    "topics": (),
    "engines": (),
    "candles": ("symbol", "granularity", "before_ms", "limit"),
    "indicators": ("symbol", "granularity", "before_ms", "limit"),
    "trades": (*OF_AGENTS, "side", "state"),
    "orders": (*OF_AGENTS, "state", "cause"),
    "refusals": (*OF_AGENTS, "cause"),
    "why": (),
    "commands": ("limit",),
    "me": (),
    "keys": (),
    "hooks": (),
    "backtests": (*PAGED, "profile", "symbol"),
    "market": (),
    "pnl": ("agent", "symbol", "source", "since_ms", "until_ms", "by"),
}


def page(rows, query, most=500):
    """A list's answer: a part of the rows, and the cursor of the next."""
    limit = int(query.get("limit", 50))
    assert limit <= most, f"limit is {limit}: at most {most}"
    after = query.get("after", "")
    begin = int(base64.urlsafe_b64decode(after)) if after else 0
    more = begin + limit < len(rows)
    cursor = base64.urlsafe_b64encode(str(begin + limit).encode()).decode() if more else ""
    return {"items": rows[begin : begin + limit], "next": cursor}


def fitting(rows, query, *names):
    return [
        row
        for row in rows
        if all(not query.get(name) or row.get(name) == query[name] for name in names)
    ]


def whole(market, rows, empty):
    """A list that is not paged."""
    return {
        "items": [] if empty else rows,
        "next": "",
        "at_ms": market.now_ms,
        "stale": "",
    }
