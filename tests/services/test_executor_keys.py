"""An account's keys that aren't there yet: whose are waited for, and who is told."""

import asyncio
import logging

import pytest

from chandler.core.desk.live.inputs import AccountLost
from chandler.core.trading.broker import AccountAwaited, AccountError, Broker, BrokerError
from services.executor import venue as venue_module
from services.executor.venue import Venue
from tests.services.test_executor import LOG, Moody, desk, told_to
from tests.streams.exact_cluster import DEADLINE_S


class Late:
    """Gives the broker only after it was asked twice in vain."""

    def __init__(self, error: BrokerError) -> None:
        self.broker = Moody()
        self.asked = 0
        self.given = asyncio.Event()
        self._error = error

    def __call__(self) -> Broker:
        self.asked += 1
        if self.asked <= 2:
            raise self._error
        self.given.set()
        return self.broker


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AccountAwaited("no keys yet"), [("INFO", "demo: waiting for the simulator's keys")]),
        (AccountError("no keys main"), [("ERROR", "demo: no keys main")] * 2),
    ],
)
async def test_keys_that_the_simulator_is_about_to_make_are_waited_for_quietly(
    error: BrokerError,
    said: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log of a healthy demo began with an error, and an alarm went out: the executor is there
    before the simulator has written its keys."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(venue_module, "AWAIT_S", 0.01)
    monkeypatch.setattr(venue_module, "OPEN_AGAIN_S", 0.01)
    make, stop = Late(error), asyncio.Event()
    venue = Venue(desk(), make, reconcile_s=60.0, log=LOG, tell=told_to([]))
    task = asyncio.create_task(venue.run(stop))
    async with asyncio.timeout(DEADLINE_S):
        await make.given.wait()
    stop.set()
    await task
    lost = [each for each in venue.inbox.drain() if isinstance(each, AccountLost)]

    assert [(each.levelname, each.getMessage()) for each in caplog.records][: len(said)] == said
    assert len(lost) == sum(level == "ERROR" for level, _ in said)


async def test_keys_that_never_come_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_module, "AWAIT_S_MAX", 0.0)
    make, stop = Late(AccountAwaited("no keys yet")), asyncio.Event()
    monkeypatch.setattr(venue_module, "OPEN_AGAIN_S", 0.01)
    venue = Venue(desk(), make, reconcile_s=60.0, log=LOG, tell=told_to([]))
    task = asyncio.create_task(venue.run(stop))
    async with asyncio.timeout(DEADLINE_S):
        await make.given.wait()
    stop.set()
    await task

    assert "no keys yet" in {
        each.reason for each in venue.inbox.drain() if isinstance(each, AccountLost)
    }
