"""Records the text behind each configuration hash in topic `configs`, before it is used."""

from collections.abc import Iterable

from chandler.core.events import ConfigRecorded
from chandler.core.hashing import digest
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation


async def record_configs(installation: Installation, service: str, texts: Iterable[str]) -> None:
    """Publishes each text under its hash; twice the same is no harm."""
    sender = producer(installation)
    try:
        await start(sender)
        for text in texts:
            event = ConfigRecorded(hash=digest(text), text=text, service=service)
            await sender.send_and_wait(
                topic_name(installation, "configs"), encode(event), key=event.hash.encode()
            )
    finally:
        await close(sender)
