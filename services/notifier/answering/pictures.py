"""Pictures beside answers and notices, as PNG; what is to be drawn is said in a few words.

- `equity PERIOD [AGENT …]`: PnL over day, week, month, all, or a UTC day such as 2024-01-05;
  of all agents where none is named
- `candles SYMBOL GRANULARITY CLOSE_MS [AGENT|SIDE|ENTRY|STOP …]`: candles up to a close, and
  positions with their entries and stops

Agents' names are quoted as in URLs, so that there is no blank in them. A picture shows what its
words name and nothing more: whoever makes them says whose figures are drawn.
"""

import asyncio
import os
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, cast, get_args
from urllib.parse import unquote

from sqlalchemy import Connection

from chandler.core.events import Symbol
from chandler.core.granularity import DAY_MS, parse_granularity
from chandler.core.trading.money import positive
from services.exits import one_line
from services.following.sources import Sources, UnanswerableError, is_outage
from services.ledger import queries
from services.ledger.queries import Wanted
from services.notifier.answering.asked import cut
from services.notifier.answering.statistics import Period, Span, span_of

DRAW_S = 20.0  # for a whole picture
BYTES_MAX = 300_000
SPEC_MAX = 2_000  # characters
LEVELS_MAX = 10
CANDLES = 100


class Level(NamedTuple):
    """An open position as it is drawn."""

    agent: str
    side: str
    entry: Decimal
    stop: Decimal | None


async def drawn(spec: str, sources: Sources) -> bytes | None:
    """The picture as PNG; None where it can't be drawn, and the log says why."""
    try:
        async with asyncio.timeout(DRAW_S):
            png = await _drawn(spec, sources)
    except TimeoutError:
        why = f"it took longer than {DRAW_S:g} s"
    except Exception as error:
        if not (is_outage(error) or isinstance(error, ValueError)):
            raise
        why = one_line(error)
    else:
        if len(png) <= BYTES_MAX:
            return png
        why = f"it has {len(png)} bytes, expected at most {BYTES_MAX}"
    sources.log.warning("the picture %r is not drawn: %s", cut(spec), why)
    return None


async def _drawn(spec: str, sources: Sources) -> bytes:
    words = spec[:SPEC_MAX].split()
    if len(spec) <= SPEC_MAX and len(words) >= 2 and words[0] == "equity":
        return await _equity(sources, words[1], tuple(map(unquote, words[2:])))
    if len(spec) <= SPEC_MAX and len(words) >= 4 and words[0] == "candles":
        return await _candles(sources, words[1:4], [_level(each) for each in words[4:]])
    raise UnanswerableError("expected equity PERIOD or candles SYMBOL GRANULARITY CLOSE_MS")


async def _equity(sources: Sources, period: str, agents: tuple[str, ...]) -> bytes:
    def ask(connection: Connection) -> tuple[Span, list[dict[str, Any]]]:
        span, until_ms = _span(period, connection)
        wanted = Wanted(agents=agents, since_ms=span.since_ms, until_ms=until_ms)
        return span, queries.earnings(connection, wanted)

    span, rows = await sources.ledger(ask)
    if not rows:
        raise UnanswerableError(f"nothing was earned or paid, {span}")
    return await sources.apart(partial(_draw_equity, sources, span, rows))


async def _candles(sources: Sources, words: list[str], levels: list[Level]) -> bytes:
    symbol, granularity = Symbol(words[0]), parse_granularity(words[1])
    if not words[2].isdecimal() or len(words[2]) > len(str(2**52)):
        raise UnanswerableError(f"{cut(words[2])} is no close: expected a time in ms")
    found = await sources.candles(symbol, granularity, int(words[2]), CANDLES)
    if not found:
        raise UnanswerableError(f"candles.{granularity} holds none of {cut(symbol)} up to then")
    return await sources.apart(partial(_draw_candles, sources, found, levels[:LEVELS_MAX]))


def _draw_equity(sources: Sources, span: Span, rows: list[dict[str, Any]]) -> bytes:
    _prepare(sources)
    from services.notifier.answering.drawing import equity

    return equity(span, rows)


def _draw_candles(sources: Sources, found: Any, levels: list[Level]) -> bytes:
    _prepare(sources)
    from services.notifier.answering.drawing import chart

    return chart(found, levels)


def _prepare(sources: Sources) -> None:
    os.environ.setdefault("MPLCONFIGDIR", str(sources.installation.data / "matplotlib"))


def _span(period: str, connection: Connection) -> tuple[Span, int]:
    """The stretch of time, and where it ends; 0: at what is newest."""
    if period in get_args(Period):
        return span_of(cast(Period, period), 0, connection), 0
    try:
        day = datetime.strptime(period, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UnanswerableError(
            f"{cut(period)} is no period: expected day, week, month, all or a day like 2024-01-05"
        ) from None
    since_ms = round(day.timestamp()) * 1_000
    now_ms = max(since_ms, min(queries.newest_ms(connection), since_ms + DAY_MS - 1))
    return Span(since_ms, now_ms), since_ms + DAY_MS


def _level(text: str) -> Level:
    agent, side, entry, stop, *rest = (*text.split("|"), "", "", "")
    if side not in ("long", "short") or any(rest):
        raise UnanswerableError(f"{cut(text)} is no position: expected AGENT|SIDE|ENTRY|STOP")
    return Level(unquote(agent), side, positive(entry), positive(stop) if stop else None)
