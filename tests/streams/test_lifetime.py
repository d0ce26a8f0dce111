"""A client starts and is closed whole and in bounded time, whatever cancels whoever uses it."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError

from chandler.streams.clients import admin, consumer, producer
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

Work = Callable[[Any], Coroutine[Any, Any, None]]


class Slow:
    """A consumer that takes some turns of the loop to start and to stop."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.started = self.stopped = False

    async def start(self) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.started = True

    async def stop(self) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.stopped = True


class Failing:
    """A client whose closing fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def start(self) -> None:
        raise self._error

    async def stop(self) -> None:
        raise self._error


@pytest.mark.parametrize("work", [start, close])
async def test_a_cancellation_does_not_interrupt_it(work: Work) -> None:
    """A notifier that ended cancelled its readers: connections stayed open."""
    reader = Slow()
    working = asyncio.create_task(work(reader))
    await reader.begun.wait()

    working.cancel()
    await asyncio.sleep(0)
    reader.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert (reader.started, reader.stopped) == (work is start, work is close)


async def test_what_cannot_be_closed_is_given_up() -> None:
    reader = Slow()

    await close(reader, within_s=0.01)

    assert reader.begun.is_set()
    assert not reader.stopped


async def test_that_kafka_is_away_is_no_error_of_the_closing() -> None:
    await close(Failing(KafkaConnectionError("no node")))


async def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await close(Failing(ZeroDivisionError()))


async def test_why_a_start_failed_is_said() -> None:
    with pytest.raises(KafkaConnectionError):
        await start(Failing(KafkaConnectionError("no node")))


@pytest.mark.kafka
@pytest.mark.parametrize("make", [consumer, producer, admin])
async def test_no_connection_outlives_a_start_that_was_cancelled(
    installation: Installation, make
) -> None:
    """A notifier that ended while its readers started left connections to the first broker open."""
    for turns in range(40):
        client = make(installation)
        starting = asyncio.create_task(start(client))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await close(client)

    open_ = [each for each in gc.get_objects() if isinstance(each, AIOKafkaConnection)]
    assert not [each for each in open_ if each.connected()]
