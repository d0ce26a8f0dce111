"""Answers that come late: they follow by themselves, and quote what they answer."""

import asyncio

from msgspec.structs import replace

from chandler.core.notices.text import Line
from services.notifier import loop
from services.notifier.talk import Query, Reply
from tests.services.notifier.test_loop import Kept, Life


async def test_an_answer_that_takes_long_follows_and_quotes_its_question(monkeypatch):
    """/why was given up after 4.5 s on a busy machine, and said that the order was not found."""
    monkeypatch.setattr(loop, "PATIENT_S", 0.05)
    found = asyncio.Event()

    async def answer(query: Query) -> Reply:
        if query.topic == "why":
            await found.wait()
        return Reply(lines=[Line(f"about {query.topic}")])

    async with Life(Kept(), answer) as life:
        await life.loop.ask(life.write(10, "/why order1"))
        await life.loop.ask(life.write(11, "/status"))  # is not held up by it
        await life.post.until(2)
        found.set()
        words = await life.post.until(3)

    assert words == [loop.LATER, "about status", "about why"]
    assert [each.reply_to for each in life.post.came][2] == 1_010


async def test_an_answer_below_other_messages_quotes_its_question_and_one_below_it_does_not():
    async with Life(Kept()) as life:
        await life.loop.ask(life.write(10, "/status"))
        await life.loop.ask(replace(life.write(11, "/status"), followed=True))
        await life.post.until(2)

    assert [each.reply_to for each in life.post.came] == [0, 1_011]
