"""Orders, refusals ("why no trade"), and why an order was made."""

import asyncio
from collections import Counter
from functools import partial

from chandler.core.granularity import DAY_MS
from chandler.core.notices.text import Line
from chandler.core.notices.words import (
    called,
    counted,
    in_words,
    lasting,
    money,
    number,
    one_line,
    price,
)
from chandler.core.trading.events import Refusal
from chandler.replay.audit.lineage import Link
from services.following.sources import UnanswerableError
from services.ledger import queries
from services.ledger.address import address
from services.ledger.errors import LedgerError
from services.notifier.answering.asked import Asked, cut, head, short, warned
from services.showing.orders import Life, life_of
from services.showing.tracing import Found
from services.showing.why import asked_of, explained

ORDERS_USUAL = 10
REFUSALS_USUAL = 8
WHILE_MS = DAY_MS  # venue's time over which refusals are counted
REASONS_MAX = 12
ID_SHOWN = 10  # characters: enough for why
WHY_S = 20.0  # less than its answer may take: so that it can say what to do
SAID_MAX = 200  # characters of a line of the chain
ALL_BUT_LAST = ("order", "candle")  # links whose last line says it


async def orders(asked: Asked) -> list[Line]:
    """The newest orders, with what became of them; older ones from the ledger."""
    count = asked.count(ORDERS_USUAL)
    engine = asked.query.engine
    lives = [each for each in asked.views.orders.lives() if engine in ("", each.source)]
    found = [each for each in lives if asked.fits(each.agent, each.symbol)]
    trouble = asked.views.trouble("orders")
    if len(found) < count and (trouble or asked.views.orders.orders_whole_ms):
        try:
            found = await _older(asked, found, count)
        except LedgerError as error:
            trouble = trouble or f"older ones are not known: {error}"
    if not found:
        return warned([Line("No orders yet.")], trouble)
    rows = [line for each in found[:count] for line in _order(each)]  # a tap copies the id
    return warned([head(f"Newest {min(count, len(found))} orders"), *rows], trouble)


async def refusals(asked: Asked) -> list[Line]:
    """Why there was no trade: reasons of the last day by number, and the newest ones in words."""
    tail = asked.views.orders
    mine = [each for each in tail.refused() if asked.fits(each.agent, each.symbol)]
    if asked.query.engine:
        mine = [each for each in mine if each.source == asked.query.engine]
    now = max(asked.views.clock_ms(), mine[0].at if mine else 0)
    lately = [each for each in mine if each.at > now - WHILE_MS]
    trouble = asked.views.trouble("orders")
    if not lately:
        return warned([Line("Nothing was refused in the last day of the venue's time.")], trouble)
    most = Counter(each.reason for each in lately).most_common(REASONS_MAX)
    words = {reason: in_words(reason) for reason, _ in most}
    since = now - lately[-1].at if tail.refusals_whole_ms else WHILE_MS
    count = asked.count(REFUSALS_USUAL)
    lines = [
        head(f"{len(lately)} refusals within {lasting(since)}"),
        Line(counted(dict(most), words)),
        *(_refusal(each) for each in mine[:count]),
    ]
    return warned(lines, trouble)


async def why(asked: Asked) -> list[Line]:
    """The chain from an order back to its candles, a line or two of each link."""
    if not asked.query.order:
        raise UnanswerableError("which order? name its id or the beginning of it: see the orders")
    found = await asked.sources.apart(partial(_chain, asked))
    lines = [head(f"Order {found.order[:ID_SHOWN]}")]
    for link in found.links:
        lines += _link(link)
    well = f"{found.differing} links differ" if found.differing else "nothing differs"
    return [*lines, Line(f"{len(found.links)} links, {well}")]


def _chain(asked: Asked) -> Found:
    """In a thread, with an event loop of its own: the ledger is asked between topics."""
    sources = asked.sources
    ledger = address(sources.installation, sources.profile.ledger.url)
    question = asked_of(sources.profile, asked.query.order, sorted(asked.agents))

    async def bounded() -> Found:
        async with asyncio.timeout(WHY_S):
            return await explained(sources.installation, question, ledger, sources.log.info)

    try:
        return asyncio.run(bounded())
    except TimeoutError:
        raise UnanswerableError(
            f"the lookup of {cut(asked.query.order)} took longer than {WHY_S:g} s, the machine is "
            "busy: ask again"
        ) from None


async def _older(asked: Asked, known: list[Life], count: int) -> list[Life]:
    """What is known, and what the ledger has beside it."""
    wanted = asked.wanted()._replace(limit=count)
    rows = await asked.sources.ledger(lambda connection: queries.order_rows(connection, wanted))
    there = {each.id for each in known}
    older = [life_of(row) for row in rows if row["requested_ms"] and row["id"] not in there]
    return sorted([*known, *older], key=lambda each: (-each.at, each.id))


def _order(each: Life) -> list[Line]:
    what = f"{short(each.at)} {called(each.symbol)}"
    at = f" at {price(each.price)}" if each.price else ""
    if not each.requested:  # it has no order of ours: the position is gone all the same
        filled = f"{number(each.filled)}{at}, fee {money(each.fees)}; {called(each.agent)}"
        return [Line(f"{what} {each.side} {each.told}", gap=True), Line(one_line(filled))]
    filled = f"{number(each.filled)} of {number(each.size)}{at}, fee {money(each.fees)}"
    told = f", {each.told}" if each.told else ""
    fault = f", {each.fault}" if each.fault else ""
    who = f"{called(each.agent)}, {in_words(each.source)}"
    return [
        Line(f"{what} {each.action} {each.side}: {each.state}", gap=True),
        Line(one_line(f"{filled}; {who}{told}{fault}")),
        Line(each.id[:ID_SHOWN], "code"),
    ]


def _refusal(each: Refusal) -> Line:
    who = f"{short(each.at)} {called(each.agent)} {called(each.symbol)} {each.side}"
    return Line(one_line(f"{who}: {in_words(each.reason)}: {each.detail}"))


def _link(link: Link) -> list[Line]:
    """A link as a telephone has room for it."""
    said = [each for each in link.says if not each.startswith("config ")]
    said = said[-1:] if link.name.startswith(ALL_BUT_LAST) else said[:2]
    mark = "differs" if link.faults else "not checked" if link.unchecked else "ok"
    lines = [f"{link.name}: {mark}{', ' if said else ''}{'; '.join(said)}"]
    lines += [f"differs: {each}" for each in link.faults]
    lines += [f"not checked: {each}" for each in link.unchecked]
    return [Line(one_line(each, SAID_MAX)) for each in lines]
