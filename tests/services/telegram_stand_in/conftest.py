"""A stand-in whose clock stands still, and the real library's bot beside it."""

import asyncio

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from services.telegram_stand_in.chats import Listener
from services.telegram_stand_in.clock import Clock
from services.telegram_stand_in.limits import OFF
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.server import TOKEN, StandIn

START_S = 1_700_000_000.0
WAIT_S_MAX = 60.0
ANN = Person(user_id=1001, name="Ann", username="ann")


def library(stand_in: StandIn, token: str = TOKEN) -> Bot:
    """The real library, unchanged but for its address."""
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(stand_in.url)))


class Room:
    """A stand-in, its bot's books, and a person at a telephone."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.books = stand_in.bots[TOKEN]
        self.people = People(self.books)

    @property
    def chat(self):
        return self.books.chats[ANN.user_id]

    @property
    def messages(self):
        return list(self.chat.messages.values())

    @property
    def texts(self):
        """What stands in Ann's chat, in order."""
        return [each.content.get("text", each.content.get("caption")) for each in self.messages]

    def say(self, text: str, person: Person = ANN):
        return self.people.say(person, text)[-1]

    async def until(self, true):
        """Waits until something holds that changes with a chat."""
        listener = Listener()
        self.books.listeners.add(listener)
        async with asyncio.timeout(WAIT_S_MAX):
            while not true():
                await listener.next()
        self.books.listeners.discard(listener)


@pytest.fixture
async def room():
    """Ann is known, nothing is limited, time stands still."""
    clock = Clock(lambda: START_S)
    async with StandIn(people=(ANN,), limits=OFF, clock=clock, webhook_retry_s=0.01) as stand_in:
        yield Room(stand_in)


@pytest.fixture
async def bot(room):
    found = library(room.stand_in)
    yield found
    await found.session.close()


@pytest.fixture
async def http(room):
    async with aiohttp.ClientSession(room.stand_in.url) as session:
        yield session
