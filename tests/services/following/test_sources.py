"""Questions that are looked up in threads: few at once, some may wait, the rest are refused."""

import asyncio
import threading
from pathlib import Path

import pytest

from services.following.sources import APART_MAX, Sources, UnanswerableError
from tests.services.notifier.answering.scene import installation, profile


async def test_questions_wait_for_a_thread_up_to_a_bound(tmp_path: Path) -> None:
    sources = Sources(installation(tmp_path), profile("anna"), waiting_max=2)
    goes_on = threading.Event()
    working = threading.Semaphore(0)

    def work() -> str:
        working.release()
        goes_on.wait()
        return "answered"

    asked = [asyncio.create_task(sources.apart(work)) for _ in range(APART_MAX + 2)]
    for _ in range(APART_MAX):
        await asyncio.to_thread(working.acquire)

    with pytest.raises(UnanswerableError, match="5 questions before this one"):
        await sources.apart(work)

    assert not working.acquire(blocking=False)  # the two others wait
    goes_on.set()
    assert await asyncio.gather(*asked) == ["answered"] * (APART_MAX + 2)
    assert await sources.apart(work) == "answered"


async def test_a_question_that_nobody_waits_for_gives_its_place_back(tmp_path: Path) -> None:
    sources = Sources(installation(tmp_path), profile("anna"), waiting_max=1)
    goes_on = threading.Event()
    asked = [asyncio.create_task(sources.apart(goes_on.wait)) for _ in range(APART_MAX + 1)]
    await asyncio.sleep(0)

    asked[-1].cancel()  # it had no thread yet
    await asyncio.wait([asked[-1]])
    another = asyncio.create_task(sources.apart(goes_on.wait))
    await asyncio.sleep(0)
    goes_on.set()

    assert await another
    assert all(await asyncio.gather(*asked[:-1]))


async def test_what_goes_wrong_in_a_thread_is_told_and_its_place_is_free(tmp_path: Path) -> None:
    sources = Sources(installation(tmp_path), profile("anna"))

    def fails() -> None:
        raise ValueError("as it is")

    for _ in range(2 * APART_MAX):
        with pytest.raises(ValueError, match="as it is"):
            await sources.apart(fails)
