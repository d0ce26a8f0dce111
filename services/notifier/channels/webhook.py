"""The second channel: each message as JSON, by POST to an address of the user's own."""

import re
from html import unescape
from typing import Any

import aiohttp

from chandler.core.notices.channel import ARRIVED, Outcome
from chandler.core.notices.inputs import Send

REQUEST_S = 10.0
RETRY_S_MAX = 600


async def webhook(message: Send, address: str, picture: bytes | None) -> Outcome:
    """POSTs {"id", "html", "text", "loud", "repeat"}; any 2xx has it. `id` tells a repeat."""
    body: dict[str, Any] = {
        "id": message.id,
        "html": message.html,
        "text": plain(message.html),
        "loud": message.loud,
        "repeat": message.repeat,
    }
    timeout = aiohttp.ClientTimeout(total=REQUEST_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(address, json=body, allow_redirects=False) as response,
        ):
            return _outcome(response)
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        return Outcome(what="never", reason="the address is none: set users.NAME.address")
    except aiohttp.ClientConnectorError as error:
        return Outcome(what="later", reason=f"it can't be reached: {type(error).__name__}")
    except (aiohttp.ClientError, TimeoutError) as error:
        return Outcome(what="later", reason=f"no answer: {type(error).__name__}", perhaps=True)


def plain(html: str) -> str:
    """The words without their marks."""
    return unescape(re.sub(r"<[^>]*>", "", html))


def _outcome(response: aiohttp.ClientResponse) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return ARRIVED
    if status in (408, 425, 429) or status >= 500:
        after = response.headers.get("Retry-After", "")
        wait_s = min(int(after), RETRY_S_MAX) if after.isdecimal() else 0
        return Outcome(what="later", reason=f"answer {status}", retry_after_ms=wait_s * 1_000)
    return Outcome(what="never", reason=f"answer {status}")
