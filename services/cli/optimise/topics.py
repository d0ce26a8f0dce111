"""A crew over the topics: trials go to `trials`, what came of them is in `trials.told`.

Each trial is put where no other one waits, so that as many workers as there are partitions share
them. One that dies leaves its trial to another: it commits only what it has told.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from chandler.core.events import Symbol, TrialAsked, TrialTold
from chandler.replay.optimise.windows import Window
from chandler.streams.admin import create_topics
from chandler.streams.catalogue import SYMBOL_PARTITIONS_DEFAULT, TRIAL_PARTITIONS
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.lifetime import close, start
from chandler.streams.reader import follow_batches
from chandler.streams.settings import Installation
from services.cli.optimise.crews import Bars, Given, Notes
from services.cli.optimise.trying import Task, config_of
from services.layers import ConfigurationError

ASKED, TOLD = "trials", "trials.told"
TOPICS = (ASKED, TOLD, "dead-letters")
EARLIER_MS = 60_000  # clocks of two machines may differ by so much
SILENT_S = 15.0  # without any answer: people are told that workers are needed

T = TypeVar("T")


async def made_ready(installation: Installation, replication: int = 1) -> None:
    """The topics are there."""
    await create_topics(installation, SYMBOL_PARTITIONS_DEFAULT, replication, TOPICS)


class OverTopics:
    """Workers anywhere. Knows them by their answers only."""

    def __init__(self, task: Task, sample: Window, size: int, notes: Notes) -> None:
        self.size = min(size or TRIAL_PARTITIONS, TRIAL_PARTITIONS)
        self._task, self._sample, self._notes = task, sample, notes
        self._run = uuid.uuid4().hex
        self._places: dict[int, tuple[int, Given]] = {}  # trial → partition, what was given
        self._last = 0  # the partition that was used last
        self._refused: list[TrialTold] = []
        self._begun = self._heard = time.monotonic()
        self._silence_told = False
        self._runner = asyncio.Runner()
        since_ms = round(time.time() * 1_000) - EARLIER_MS
        self._batches = follow_batches(task.installation, [TOLD], since_ms)
        self._writer: Any = self._done(self._opened())

    def give(self, number: int, changes: Sequence[str], bars: Bars = ()) -> None:
        task = self._task
        try:
            config = config_of(task.target.tried(task.installation, changes).setting)
        except ConfigurationError as error:
            self._refused.append(
                TrialTold(
                    study=task.study,
                    run=self._run,
                    number=number,
                    refused=str(error),
                    code=task.code,
                    data=task.data,
                )
            )
            return
        self._done(self._asked((number, list(changes), list(bars)), config))

    def take(self) -> list[TrialTold]:
        if self._refused:
            found, self._refused = self._refused, []
            return found
        batch = self._done(anext(self._batches))
        told = [each.event for each in batch if isinstance(each.event, TrialTold)]
        ours = [each for each in told if each.run == self._run and each.number in self._places]
        found = []
        for each in ours:
            if each.number not in self._places:
                continue  # told twice within the batch
            _, given = self._places.pop(each.number)
            if each.unfit:
                self._notes(f"worker {each.worker} can't make trial {each.number}: {each.unfit}")
                self.give(*given)
            else:
                found.append(each)
        self._listen(heard=bool(ours))
        return found

    def close(self) -> None:
        with contextlib.suppress(RuntimeError, StopAsyncIteration):
            self._done(self._batches.aclose())
        self._done(close(self._writer))
        self._runner.close()

    def _listen(self, *, heard: bool) -> None:
        now = time.monotonic()
        if heard:
            self._heard, self._silence_told = now, False
        elif now - self._heard > SILENT_S and not self._silence_told:
            self._silence_told = True
            self._notes(
                f"{len(self._places)} trials wait for an answer: start ./chandler optimise worker, "
                "here or on another machine"
            )

    def _done(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _opened(self) -> Any:
        await made_ready(self._task.installation)
        writer = producer(self._task.installation)
        await start(writer)
        return writer

    async def _asked(self, given: Given, config: str) -> None:
        task, target = self._task, self._task.target
        number, changes, bars = given
        busy = {partition for partition, _ in self._places.values()}
        order = [(self._last + step) % TRIAL_PARTITIONS for step in range(1, TRIAL_PARTITIONS + 1)]
        place = next(each for each in order if each not in busy)
        self._last, self._places[number] = place, (place, given)
        asked = TrialAsked(
            study=task.study,
            run=self._run,
            number=number,
            target=target.word,
            profile=target.profile,
            agents=target.agents,
            changes=[*target.changes, *target.without, *changes],
            config=config,
            code=task.code,
            data=task.data,
            symbols=[Symbol(each) for each in sorted(task.past.lanes)],
            from_ms=self._sample.from_ms,
            to_ms=self._sample.to_ms,
            windows=[(each.from_ms, each.to_ms) for each in task.windows],
            step_ms=task.step_ms,
            objective=task.objective,
            bars=list(bars),
            asked_ms=round(time.time() * 1_000),
        )
        await self._writer.send_and_wait(
            topic_name(task.installation, ASKED),
            encode(asked),
            key=task.study.encode(),
            partition=place,
        )
