"""A client is closed whole and in bounded time, whatever cancels whoever uses it."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from chandler.streams.closing import close


class Slow:
    """A consumer that takes some turns of the loop to stop."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.stopped = False

    async def stop(self) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.stopped = True


class Failing:
    """A client whose closing fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def stop(self) -> None:
        raise self._error


async def test_a_second_cancellation_does_not_interrupt_the_closing() -> None:
    """A notifier that ended cancelled its readers twice: connections stayed open."""
    reader = Slow()
    closing = asyncio.create_task(close(reader))
    await reader.begun.wait()

    closing.cancel()
    await asyncio.sleep(0)
    reader.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert reader.stopped


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
