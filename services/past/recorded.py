"""A recorded session as a backtest's past, and what it gave otherwise (DESIGN.md, P4).

The past is read from INPUTS alone; what the session decided is read for the comparison only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from chandler.core.desk.config import Desk
from chandler.core.events import (
    Event,
    FundingRate,
    Instrument,
    Signal,
    Symbol,
)
from chandler.core.granularity import Granularity
from chandler.core.trading.events import (
    BalanceChanged,
    Command,
    DeskTaken,
    FundingPaid,
    OrderFilled,
    OrdersOut,
)
from chandler.core.watermarks.places import place_of
from chandler.replay.backtest import Past
from chandler.replay.dense.lanes import Lane, lane
from chandler.replay.difference import Late, Shard
from chandler.replay.remarks import STRANGERS
from chandler.replay.sparse.entries import Entry
from chandler.streams.columns import gather_candles, gather_tickers
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.layers import ConfigurationError
from services.past.sources import of_tickers

INPUTS = ("candles", "tickers", "instruments", "funding", "signals.external", "commands")


async def recorded_past(
    installation: Installation, granularities: Sequence[Granularity]
) -> tuple[Past, list[str]]:
    """What the desk could know: candles, tickers, external signals, commands; lines for people."""
    candles = await gather_candles(installation, granularities)
    tickers = await gather_tickers(installation)
    if not (candles.columns and tickers.columns):
        raise ConfigurationError(
            "there is no recorded session in the topics: run ./chandler up for a while first"
        )
    lanes: dict[Symbol, dict[Granularity, Lane]] = {}
    for (symbol, granularity), columns in candles.columns.items():
        lanes.setdefault(symbol, {})[granularity] = lane(symbol, granularity, columns._asdict())
    instruments: dict[Symbol, list[Instrument]] = {}
    funding: dict[Symbol, list[FundingRate]] = {}
    entries: list[Entry] = []
    async for record in read_topics(installation, INPUTS[2:]):
        event = record.event
        if isinstance(event, Instrument):
            instruments.setdefault(event.symbol, []).append(event)
        elif isinstance(event, FundingRate):
            funding.setdefault(event.symbol, []).append(event)
        elif isinstance(event, Signal | Command):
            entries.append(Entry(*place_of(record.topic, event), event))
    past = Past(
        lanes=lanes,
        instruments=instruments,
        funding=funding,
        prices={symbol: of_tickers(each) for symbol, each in tickers.columns.items()},
        entries=sorted(entries, key=lambda each: each[:5]),
        source="topics",
    )
    return past, [*candles.report.warnings, *tickers.report.warnings]


async def recorded_orders(
    installation: Installation, desks: Sequence[Desk]
) -> tuple[list[Event], dict[int, Shard], list[Late]]:
    """What the paper shards recorded, and which of their inputs came late.

    ConfigurationError where the session ran under other agents than the profile's.
    """
    late = await _late(installation, {desk.shard: desk for desk in desks})
    paper = {name for desk in desks for name in desk.agents}
    home = {name: desk.shard for desk in desks for name in desk.agents}
    begin: dict[int, int] = {}  # the first input's place; of an older session's: the first word
    out: dict[int, int] = {}
    events: list[Event] = []
    async for record in read_topics(installation, ["orders"]):
        event = record.event
        if isinstance(event, OrdersOut):
            out[event.shard] = max(event.at, out.get(event.shard, -1))
            begin[event.shard] = min(event.at, begin.get(event.shard, event.at))
        elif isinstance(event, OrderFilled | BalanceChanged | FundingPaid) and event.agent in paper:
            events.append(event)
            if isinstance(event, BalanceChanged) and event.kind == "start":
                began = begin.get(home[event.agent], event.at)
                begin[home[event.agent]] = min(began, event.at)
    shards = {
        desk.shard: Shard(
            frozenset(desk.agents), begin.get(desk.shard, -1), out.get(desk.shard, -1)
        )
        for desk in desks
    }
    return sorted(events, key=lambda each: getattr(each, "at", 0)), shards, late


async def _late(installation: Installation, desks: Mapping[int, Desk]) -> list[Late]:
    late: list[Late] = []
    others: Counter[str] = Counter()
    everyone = {number: frozenset(desk.agents) for number, desk in desks.items()}
    async for record in read_topics(installation, ["desk"]):
        taken = record.event
        if not isinstance(taken, DeskTaken) or taken.shard not in desks:
            continue
        if taken.config != desks[taken.shard].hash:
            others[taken.config] += 1
        if taken.kind == "WindowClosed":
            late.append(Late(everyone[taken.shard], taken.at, "window closed"))
        elif taken.late:
            late.append(Late(_concerned(taken), taken.at, f"late {taken.kind}"))
        elif _expired(taken):
            late.append(Late(everyone[taken.shard], taken.at, "expired Command"))
    if others:
        raise ConfigurationError(
            f"{sum(others.values())} decisions of the session were made under other agents or "
            "settings than the profile's: compare with the profile that it ran with"
        )
    return late


def _expired(taken: DeskTaken) -> bool:
    """Whether a command was read too late by the wall, which no backtest has."""
    if taken.kind != "Command":
        return False
    command = msgspec.json.decode(taken.input, type=Command)
    return 0 < command.expires_ms <= taken.seen.taken_ms


class _Said(msgspec.Struct):
    """What of an output tells whom an input concerned."""

    agent: str = ""
    reason: str = ""


def _concerned(taken: DeskTaken) -> frozenset[str]:
    """The agents that acted on an input, or refused it for more than not following it."""
    said = [msgspec.json.decode(raw, type=_Said) for raw in taken.outputs]
    return frozenset(each.agent for each in said if each.agent and each.reason not in STRANGERS)
