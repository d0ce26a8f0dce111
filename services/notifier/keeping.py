"""The notifier's state in its compacted topic: kept in one transaction with what it publishes.

`@rest` holds all but the chats, each user's name its chat. Every transaction has a number and says
which keeper wrote it: after an error, what is read back says whether it is out.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence

import msgspec

from chandler.core.notices.outbox import Chat, State
from chandler.streams.exact import StateError
from chandler.streams.reader import ReadError
from chandler.streams.settings import Installation
from chandler.streams.writing import Kept, LostError, Outbox, Record, ReplacedError, kept
from services.notifier.talk import Talks

TOPIC = "notifier.state"
REST = "@rest"
AGAIN_S = 1.0  # between two tries while Kafka is away


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside the chats."""

    number: int  # of the transaction that wrote it
    keeper: str = ""  # who wrote it: another one may give the same number
    state: State  # without chats
    talks: Talks


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The whole state, and the number of the transaction that kept it; 0: none was."""

    number: int = 0
    keeper: str = ""
    state: State = State()
    talks: Talks = Talks()


class Keeper:
    """The one writer of the state; opening it ends an older one's. `close` it."""

    def __init__(self, installation: Installation, log: logging.Logger) -> None:
        self._installation = installation
        self._log = log
        self._outbox = Outbox(installation, "notifier")
        self._held = Held()
        self._name = secrets.token_hex(8)

    async def open(self) -> Held:
        """What an older notifier left. LostError; StateError where it can't be read."""
        await self._outbox.open()
        self._held = await self._read()
        return self._held

    async def keep(self, state: State, talks: Talks, records: Sequence[Record] = ()) -> None:
        """All of it, or nothing and never returns; waits while Kafka is away. ReplacedError."""
        before = self._held
        after = Held(number=before.number + 1, keeper=self._name, state=state, talks=talks)
        batch: list[Record | Kept] = [*records, *_changed(before, after)]
        while True:
            try:
                await self._outbox.write(batch)
                break
            except LostError as error:
                self._log.warning("%s: tried again", error)
            if await self._is_out(after):
                break
        self._held = after

    async def close(self) -> None:
        await self._outbox.close()

    async def _is_out(self, after: Held) -> bool:
        """Whether a transaction that may or may not be out is; waits until Kafka can say.

        It looks before it opens the outbox, too: opening ends whoever has taken over meanwhile.
        """
        while True:
            try:
                _check_ours(await self._read(), after)
                await self._outbox.open()
                found = await self._read()
            except LostError as error:
                self._log.debug("%s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            _check_ours(found, after)
            return found.number == after.number

    async def _read(self) -> Held:
        try:
            found = await kept(self._installation, TOPIC)
        except ReadError as error:  # Kafka is away, or hangs
            raise LostError(str(error)) from error
        raw = found.pop(REST, None)
        if raw is None:
            return Held()
        try:
            rest = msgspec.json.decode(raw, type=Rest)
            chats = {name: msgspec.json.decode(each, type=Chat) for name, each in found.items()}
        except msgspec.MsgspecError as error:
            raise StateError(
                f"topic {TOPIC} holds a state that this code can't read ({error}): run the code "
                "that wrote it, or delete the topic, and what waits to be sent is lost"
            ) from None
        state = msgspec.structs.replace(rest.state, chats=chats)
        return Held(number=rest.number, keeper=rest.keeper, state=state, talks=rest.talks)


def _check_ours(found: Held, after: Held) -> None:
    """ReplacedError where what is kept was written by somebody who came after us."""
    same = found.number == after.number and found.keeper == after.keeper
    if found.number >= after.number and not same:
        raise ReplacedError("notifier: another instance goes on with its state: this one ends")


def _changed(before: Held, after: Held) -> list[Kept]:
    """What is to be written: the rest always, for its number, and the chats that changed."""
    old, new = before.state.chats, after.state.chats
    rest = Rest(
        number=after.number,
        keeper=after.keeper,
        state=msgspec.structs.replace(after.state, chats={}),
        talks=after.talks,
    )
    chats = [
        Kept(TOPIC, name, msgspec.json.encode(chat) if chat is not None else None)
        for name in sorted(old.keys() | new.keys())
        if (chat := new.get(name)) is not old.get(name)
    ]
    return [*chats, Kept(TOPIC, REST, msgspec.json.encode(rest))]
