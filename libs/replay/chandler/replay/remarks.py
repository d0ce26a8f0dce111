"""What the reader of a result's figures has to know: a short period, agents that never traded."""

from collections.abc import Mapping, Sequence

from chandler.core.granularity import DAY_MS
from chandler.replay.result import Result

YEARLY_DAYS_MIN = 30  # below it a figure by the year is a few days' luck, carried on for a year
# Every agent is offered every signal: these say only that it was meant for others.
STRANGERS = ("engine_not_followed", "symbol_not_followed")


def remarks(result: Result, engines: Mapping[str, Sequence[str]]) -> list[str]:
    """Notes for people. `engines`: those that each agent follows; empty: all of them."""
    return [*_period(result), *_idle(result, engines)]


def _period(result: Result) -> list[str]:
    days = (result.to_ms - result.from_ms) / DAY_MS
    if not 0 < days < YEARLY_DAYS_MIN:
        return []
    return [
        f"the period is {days:.1f} days long: below {YEARLY_DAYS_MIN} days figures by the year "
        "(CAGR, Sharpe, Sortino, Calmar) say little"
    ]


def _idle(result: Result, engines: Mapping[str, Sequence[str]]) -> list[str]:
    traded = {trade.agent for trade in result.trades}
    return [
        f"agent {name} made no trade: {_why(result, name, followed)}"
        for name, followed in engines.items()
        if name not in traded
    ]


def _why(result: Result, agent: str, followed: Sequence[str]) -> str:
    refusals = result.refusals.get(agent, {})
    meant = {reason: count for reason, count in refusals.items() if reason not in STRANGERS}
    if meant:
        order = sorted(meant.items(), key=lambda each: (-each[1], each[0]))
        return "refused " + " ".join(f"{reason}={count}" for reason, count in order)
    names = list(followed) or sorted(result.signals)
    signals = sum(result.signals.get(each, 0) for each in names)
    if not signals:
        asked = f"none of its engines ({', '.join(followed)})" if followed else "no engine"
        return f"{asked} gave a signal on these candles"
    if refusals.get("symbol_not_followed"):
        return f"the {signals} signals of its engines were of symbols that it doesn't follow"
    return f"none of the {signals} signals of its engines came while it traded"
