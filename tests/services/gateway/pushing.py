"""A client that sends signals and asks again until each is taken: a process of its own.

`python -m tests.services.gateway.pushing URL FIRST COUNT` with the API key in CHANDLER_TEST_KEY; a
line with key and id for each that was acknowledged.
"""

import asyncio
import os
import sys

import aiohttp
import msgspec

AT_ONCE = 20
AGAIN_S = 0.05
GIVEN_UP_S = 1_200.0
PASSING = (408, 429, 502, 503)  # statuses after which the same is asked again


async def push(url: str, key: str, first: int, count: int) -> None:
    """Sends signals number `first` to `first` + `count` - 1."""
    places = asyncio.Semaphore(AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": key}, timeout=timeout) as session,
        asyncio.timeout(GIVEN_UP_S),
        asyncio.TaskGroup() as group,
    ):

        async def one(name: str) -> None:
            async with places:
                print(name, await taken(session, url, name), flush=True)

        for number in range(first, first + count):
            group.create_task(one(f"key-{number}"))


async def taken(session: aiohttp.ClientSession, url: str, name: str) -> str:
    """The id of the signal, once the gateway has said that it is taken."""
    body = {"symbol": "BTCUSDT", "side": "long", "source": "push", "idempotency_key": name}
    raw = msgspec.json.encode(body)
    while True:
        try:
            async with session.post(
                f"{url}/v1/signals", data=raw, headers={"Content-Type": "application/json"}
            ) as answer:
                said = await answer.read()
                if answer.status in (200, 201):
                    return str(msgspec.json.decode(said)["id"])
                assert answer.status in PASSING, (answer.status, said)
        except (aiohttp.ClientError, TimeoutError):
            pass  # it is down, or was killed before it answered
        await asyncio.sleep(AGAIN_S)


if __name__ == "__main__":
    where, start, many = sys.argv[1:]
    asyncio.run(push(where, os.environ["CHANDLER_TEST_KEY"], int(start), int(many)))
