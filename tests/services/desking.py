"""What the tests of the desk's commands share: a story in topics, commands, what they say."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from sqlalchemy import make_url

from chandler.core.events import ConfigRecorded, Event
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.cli.app import main
from services.ledger.writer import LedgerWriter
from services.loading import configuration
from tests.story import Topics, Traded, decided, traded

PARTITIONS = 2
CONFIG = """
[agents.anna]
engines = ["scalper"]
leverage = 2
"""


class Placed(NamedTuple):
    """A record as the ledger takes it."""

    topic: str
    partition: int
    offset: int
    written_ms: int
    event: Event
    raw: bytes


class Said(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, f"nothing was printed, status {self.status}: {self.err}"
        return msgspec.json.decode(self.out.splitlines()[-1])


Run = Callable[..., Awaitable[Said]]


async def ran(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Runs a command of the command line, in a thread."""
    capsys.readouterr()
    status = await asyncio.to_thread(main, list(words))
    captured = capsys.readouterr()
    return Said(status, captured.out, captured.err)


async def told(
    desk: Installation, topics: Topics, *, exits: bool = True, publish: bool = True
) -> Traded:
    """The story of one signal in the topics, the configurations too."""
    profile = configuration(desk).profile
    engines = [each for each in plugins.resolve(profile) if each.name == "scalper"]
    code = plugins.code_hash()
    made = await decided(topics, engines, code=code)
    signal, place = made[-1]
    found = await traded(topics, signal, place, exits=exits, code=code)
    if publish:
        await found.publish(topics)
    text = found.scene.desk.text
    recorded = ConfigRecorded(hash=found.scene.desk.hash, text=text, service="executor")
    await topics.put("configs", recorded, recorded.hash)
    return found


async def into_ledger(desk: Installation, *more: str) -> None:
    """Fills the ledger from the topics (and `more` of them), as the recorder does."""
    writer = LedgerWriter(make_url(f"sqlite:///{desk.data / 'ledger.sqlite'}"), "cluster")
    writer.places()
    records = [
        Placed(*record[:4], record.event, record.raw or b"")
        async for record in read_topics(desk, ["signals", "exits", "orders", *more])
        if record.event is not None
    ]
    following = {(each.topic, each.partition): each.offset + 1 for each in records}
    assert writer.take(records, following).untold == []
    writer.close()
