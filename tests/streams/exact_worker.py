"""A worker of a small counting stage, run as a process of its own so that it can be killed.

Usage: exact_worker.py [POINT:N]. POINT is begin, send or commit, before- or after-;
the worker ends itself with SIGKILL at the N-th time that it gets there.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from chandler.core.events import CandleSealed, DeadLetter, Event, IndicatorRow, InputRef
from chandler.core.granularity import DAY_MS, Granularity, interval_ms
from chandler.core.stage import HoleError, Output, Stage
from chandler.streams.exact import run_stage
from chandler.streams.exact.fetched import Taken
from chandler.streams.settings import installation

INPUTS = ("candles.5m", "candles.1H")


class Counted(msgspec.Struct, frozen=True):
    """How many candles of a symbol and granularity were taken in, and the sum of their closes."""

    count: int = 0
    total: float = 0.0
    close_ms: int = 0


def count(state: Counted, event: Event) -> tuple[Counted, list[Output]]:
    assert isinstance(event, CandleSealed)
    if event.close_ms <= state.close_ms:
        return state, []
    if state.close_ms and event.open_ms != state.close_ms:
        raise HoleError(f"{event.symbol} {event.granularity}: nothing for {state.close_ms}")
    after = Counted(state.count + 1, state.total + event.close, event.close_ms)
    row = IndicatorRow(
        symbol=event.symbol,
        granularity=event.granularity,
        close_ms=event.close_ms,
        values={"count": float(after.count), "total": after.total},
        candle=InputRef(
            symbol=event.symbol,
            granularity=event.granularity,
            close_ms=event.close_ms,
            hash=event.hash,
        ),
        config="test",
        code="test",
    )
    return after, [Output(f"indicators.{event.granularity}", event.symbol, row)]


def key(event: Event) -> str:
    assert isinstance(event, CandleSealed)
    return f"{event.symbol}|{event.granularity}"


STAGE = Stage(
    name="indicators", state_type=Counted, key=key, start=lambda _key: Counted(), step=count
)
REACH_MS = {topic: interval_ms(Granularity(topic.split(".")[1])) for topic in INPUTS}


class Health:
    ready = False
    state = ""
    lag = 0
    age_s = 0.0


class Silent:
    """An observer that keeps nothing but the letters and the restarts."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.restarts: list[str] = []

    def published(self, outputs: Sequence[tuple[Output, Taken]]) -> None: ...

    def committed(self, records: int, outputs: int, seconds: float) -> None:
        pass

    def dead_letter(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def restarted(self, cause: str) -> None:
        self.restarts.append(cause)


def deadly(method: Callable[..., Any], *, after: bool, nth: int) -> Callable[..., Any]:
    """`method`, but the nth call ends the process before or after it."""
    calls = 0

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        number = calls
        if number == nth and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await method(*args, **kwargs)
        if number == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


POINTS = {"begin": "begin_transaction", "send": "send", "commit": "commit_transaction"}


async def main(point: str) -> None:
    if point:
        place, nth = point.split(":")
        when, _, what = place.partition("-")
        name = POINTS[what]
        method = deadly(getattr(AIOKafkaProducer, name), after=when == "after", nth=int(nth))
        setattr(AIOKafkaProducer, name, method)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_stage(
        STAGE,
        installation=installation(),
        service="indicators",
        reach_ms=REACH_MS,
        stop=stop,
        health=Health(),
        observer=Silent(),
        ahead_max_ms=10 * DAY_MS,
    )


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LOGLEVEL", "WARNING"),
        format="%(asctime)s %(process)d %(name)s %(message)s",
    )
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
