"""Starts and closes Kafka clients: whole, in bounded time, whatever becomes of who asked for it."""

import asyncio
import logging
from typing import Any, Protocol, TypeAlias

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

CLOSE_S_MAX = 5.0
START_S_MAX = 5.0  # of a start that nobody waits for any more


class Consumer(Protocol):
    """A consumer or a producer."""

    async def start(self) -> Any: ...

    async def stop(self) -> Any: ...


Client: TypeAlias = Consumer | AIOKafkaAdminClient


async def start(client: Client) -> None:
    """Starts a client; what can be wrong with that is the client's own error.

    A cancellation that comes meanwhile goes on once the start has ended: a client that is
    interrupted while it asks the first broker forgets that connection, and never closes it.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=START_S_MAX)
        starting.cancel()  # nothing, where it is done
        await asyncio.gather(starting, return_exceptions=True)
        raise


async def close(client: Client, within_s: float = CLOSE_S_MAX) -> None:
    """Stops a client that may be broken already, and is wanted no more.

    A cancellation that comes meanwhile goes on afterwards: a client whose closing is interrupted
    never closes its connections, and says nothing of it. What can't be closed within `within_s`
    seconds is given up. That Kafka is away is no error here.
    """
    stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    stopping = asyncio.ensure_future(stop())
    try:
        await asyncio.wait([stopping], timeout=within_s)
    except asyncio.CancelledError:
        await asyncio.wait([stopping], timeout=within_s)
        await _ended(stopping)
        raise
    await _ended(stopping)


async def _ended(stopping: "asyncio.Future[Any]") -> None:
    stopping.cancel()  # nothing, where it is done
    found = (await asyncio.gather(stopping, return_exceptions=True))[0]
    if isinstance(found, KafkaError | OSError | asyncio.CancelledError):
        logging.getLogger(__name__).debug("a client was not closed whole: %r", found)
    elif isinstance(found, BaseException):
        raise found
