"""`candles fetch`: the venue's history over REST into the candle topics, each candle once."""

import asyncio
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chandler.core.events import CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms, utc
from chandler.exchanges.bitget.errors import RateLimited, VenueError, VenueRefused
from chandler.exchanges.bitget.rest import Rest
from chandler.replay.history.names import SYMBOL, spelled
from chandler.replay.history.sheet import HistoryError
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.history import shown
from services.cli.history.holding import held, publishing, unfilled
from services.cli.records.moments import moment
from services.exits import first_cause
from services.history.fetching import AGAIN, TRIES_MAX, Asked, Fetch, Fetched, span
from services.history.publishing import Publisher
from services.ingest.venue import venue_config
from services.profile import Profile

AT_ONCE_MAX = 4  # symbols; the venue's budget is one for all
DAY_FORM = "a UTC day or time such as 2024-01-31 or 2024-01-31T10:00"

Symbols = Annotated[list[str], typer.Argument(help="BTCUSDT ETHUSDT …")]
GranularityOption = Annotated[str, typer.Option(help="1m 5m 15m 30m 1H 4H 1D")]
From = Annotated[str, typer.Option("--from", help=f"{DAY_FORM}; the first candle")]
To = Annotated[str, typer.Option("--to", help="the end, itself not included; empty: now")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="though an ingest may still run")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


class Period(msgspec.Struct, frozen=True):
    """What was asked for of each symbol."""

    granularity: Granularity
    from_ms: int
    until_ms: int


def fetch(
    symbols: Symbols,
    from_: From,
    to: To = "",
    granularity: GranularityOption = "5m",
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Puts the venue's history behind what is there; called again, it goes on where it ended."""
    names = [Symbol(each.upper()) for each in dict.fromkeys(symbols)]
    for name in names:
        if SYMBOL.fullmatch(name) is None:
            raise typer.BadParameter(f"symbol {name!r}: expected capital letters, as BTCUSDT")
    until_ms = moment(to, "--to") or sys.maxsize
    try:
        period = Period(spelled(granularity), moment(from_, "--from") or 0, until_ms)
    except HistoryError as error:
        raise typer.BadParameter(f"--granularity: {error}") from None
    if period.from_ms >= period.until_ms:
        raise typer.BadParameter(f"--from {from_} --to {to}: expected an end after the beginning")
    with held() as (installation, profile):
        work = _Work(installation, profile, period)
        asyncio.run(work.run(names, take_over=take_over))
    return work.say(as_json=as_json)


class _Work:
    """One call: all symbols, a few at once."""

    def __init__(self, installation: Installation, profile: Profile, period: Period) -> None:
        self._installation = installation
        self._profile = profile
        self._period = period
        self._config = venue_config(profile, installation)
        self._fetched: dict[Symbol, Fetched] = {}
        self._faults: dict[Symbol, str] = {}
        self._notes: list[str] = []
        self._began = time.monotonic()

    async def run(self, symbols: Sequence[Symbol], *, take_over: bool) -> None:
        """Fetches and publishes; a symbol that fails is named and the others go on."""
        granularities = [self._period.granularity]
        profile, rate = self._profile, self._profile.pace
        async with (
            Rest(self._config, rate) as rest,
            publishing(
                self._installation, profile, granularities, "fetch", take_over=take_over
            ) as publisher,
        ):
            now_ms = await self._venue_time(rest)
            period = self._period
            begin, end = span(period.from_ms, period.until_ms, period.granularity, now_ms)
            await self._look_before(publisher, symbols, begin)
            await self._all(rest, publisher, symbols, begin, end)
            for cause, count in rest.rejected.items():
                self._notes.append(f"{count} rows of the venue could not be used: {cause}")
            filled = {each for lanes in publisher.out.values() for each in lanes}
        absent = unfilled(profile, granularities, filled)
        if absent and self._sealed:
            self._notes.append(
                f"this profile reads {','.join(absent)}, too, and finds none of this time: fetch "
                "these, too"
            )

    async def _venue_time(self, rest: Rest) -> int:
        """The venue's clock; one that is busy is asked again, as for its candles."""
        again, random = AGAIN.scaled(self._profile.pace), Random()
        url, tries = self._config.rest_url, 0
        while True:
            tries += 1
            try:
                return await rest.server_time()
            except RateLimited as error:
                if tries == TRIES_MAX:
                    raise RateLimited(
                        f"the venue at {url} is too busy ({error}, {tries} times): try again later"
                    ) from None
                await asyncio.sleep(again.wait_s(tries, random))
            except VenueError as error:
                raise VenueError(
                    f"the venue at {url} doesn't answer ({error}): start the simulator with "
                    "./chandler run simulator, or name another venue with CHANDLER_PROFILE=paper"
                ) from None

    async def _look_before(
        self, publisher: Publisher, symbols: Sequence[Symbol], begin: int
    ) -> None:
        """A line for each symbol whose lane begins after what was asked for."""
        granularity = self._period.granularity
        wanted = {each for each in symbols if publisher.newest(each, granularity) is not None}
        if not wanted:
            return
        async for record in read_topics(self._installation, [f"candles.{granularity}"]):
            event = record.event
            if not isinstance(event, CandleSealed | CandleMissing) or event.symbol not in wanted:
                continue
            wanted.discard(event.symbol)
            if event.open_ms > begin:
                self._notes.append(
                    f"{event.symbol}: candles.{granularity} begins {utc(event.open_ms)}; what is "
                    "older can't be put before it, use another CHANDLER_DATA for that"
                )
            if not wanted:
                return

    async def _all(
        self, rest: Rest, publisher: Publisher, symbols: Sequence[Symbol], begin: int, end: int
    ) -> None:
        slots = max(0, end - begin) // interval_ms(self._period.granularity)
        turns = asyncio.Semaphore(AT_ONCE_MAX)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[why]}"),
        )
        console = Console(stderr=True)
        hidden = not sys.stderr.isatty()
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:

            async def one(symbol: Symbol) -> None:
                async with turns:
                    task = bar.add_task(symbol, total=slots, why="")
                    fetch = Fetch(
                        rest,
                        publisher,
                        Asked(symbol, self._period.granularity, begin, end),
                        rate=self._profile.pace,
                        tell=lambda done: bar.update(task, completed=done, why=""),
                        wait=lambda why: bar.update(task, why=why),
                    )
                    try:
                        self._fetched[symbol] = await fetch.run()
                    except VenueRefused as error:
                        self._faults[symbol] = f"{error}: expected a symbol that the venue lists"
                    except VenueError as error:
                        again = "what is out stays, the same command goes on after it"
                        self._faults[symbol] = f"{error}: {again}"

            try:
                async with asyncio.TaskGroup() as tasks:
                    for symbol in symbols:
                        tasks.create_task(one(symbol))
            except ExceptionGroup as group:
                raise first_cause(group) from None

    @property
    def _sealed(self) -> int:
        return sum(each.sealed for each in self._fetched.values())

    def say(self, *, as_json: bool) -> int:
        """What came of it; the exit status."""
        totals = {
            "candles": self._sealed,
            "missing": sum(each.missing for each in self._fetched.values()),
            "symbols": len(self._fetched),
            "refused": len(self._faults),
        }
        seconds = time.monotonic() - self._began
        if as_json:
            report = {
                **totals,
                "granularity": self._period.granularity,
                "seconds": round(seconds, 3),
                "lanes": {name: each._asdict() for name, each in sorted(self._fetched.items())},
                "faults": self._faults,
                "notes": self._notes,
            }
            typer.echo(msgspec.json.encode(report).decode())
        else:
            shown.lines(self._notes)
            shown.lines(f"{symbol}: {text}" for symbol, text in self._faults.items())
            for symbol, each in sorted(self._fetched.items()):
                new = f"{each.sealed} new, {each.missing} missing at the venue"
                if not each.sealed:
                    new = "nothing new at the venue"
                typer.echo(f"{symbol} {self._period.granularity}: {new}, up to {utc(each.end_ms)}")
            typer.echo(" ".join(f"{name}={number}" for name, number in totals.items()))
        return 1 if self._faults or not self._fetched else 0
