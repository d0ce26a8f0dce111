"""A reader is closed whole, whatever cancels whoever reads meanwhile."""

import asyncio
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer

from chandler.streams.reader import closed


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


async def test_a_second_cancellation_does_not_interrupt_the_closing() -> None:
    """A notifier that ended cancelled its readers twice: connections stayed open."""
    reader = Slow()
    closing = asyncio.create_task(closed(cast(AIOKafkaConsumer, reader)))
    await reader.begun.wait()

    closing.cancel()
    await asyncio.sleep(0)
    reader.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert reader.stopped
