"""`optimise worker`: takes trials in a consumer group, makes them, tells, then commits.

It makes only what it makes alike: with the same code, the same profile and the same candles as
the one that asks. If it can't, it says so, and the trial is asked for again.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from chandler.core.events import TrialAsked, TrialTold
from chandler.replay.backtest import Past
from chandler.replay.optimise.windows import Window
from chandler.streams.clients import consumer, group_name, producer, topic_name
from chandler.streams.codec import UndecodableError, decode, encode
from chandler.streams.edge import letter
from chandler.streams.settings import Installation
from services.cli.optimise.crews import Notes
from services.cli.optimise.target import Target
from services.cli.optimise.topics import ASKED, TOLD, made_ready
from services.cli.optimise.trying import (
    Task,
    Trier,
    code_hash,
    config_of,
    data_hash,
    until,
)
from services.exits import MISCONFIGURED, WELL, is_kafka
from services.layers import ConfigurationError
from services.past.setting import Chosen
from services.past.sources import Period, of_files, of_topics

GROUP = "optimise"
POLL_MS = 200  # how late a stop may be noticed


class UnfitError(Exception):
    """This worker can't make the trial as the one that asks would: one line."""


class Maker:
    """Makes trials; keeps the candles of the last study."""

    def __init__(self, installation: Installation, candles: Sequence[Path]) -> None:
        self._installation, self._candles = installation, candles
        self._code = code_hash()
        self._read: tuple[str, Past] | None = None  # of which data hash
        self._trier: tuple[tuple[str, str], Trier] | None = None  # of which study and run
        self.name = f"{socket.gethostname()}:{os.getpid()}"

    def __call__(self, asked: TrialAsked) -> TrialTold:
        """What came of it, or why this worker can't."""
        try:
            told = self._made(asked)
        except UnfitError as error:
            told = TrialTold(
                study=asked.study,
                run=asked.run,
                number=asked.number,
                unfit=str(error),
                code=self._code,
                data=asked.data,
            )
        return msgspec.structs.replace(told, run=asked.run, worker=self.name)

    def _made(self, asked: TrialAsked) -> TrialTold:
        if asked.code != self._code:
            raise UnfitError(
                f"its code is {self._code}, expected {asked.code}: bring both machines to the same "
                "version, with the same plug-ins"
            )
        kind, _, name = asked.target.partition(":")
        target = Target(
            kind="engine" if kind == "engine" else "agent",
            name=name,
            profile=asked.profile,
            agents=asked.agents,
            changes=[],
            without=[],
            parameters=[],
        )
        try:
            chosen = target.tried(self._installation, asked.changes)
        except ConfigurationError as error:
            raise UnfitError(str(error)) from None
        if config_of(chosen.setting) != asked.config:
            raise UnfitError(
                f"its profile {chosen.profile.name} is another one: give both machines the same"
            )
        search = (asked.study, asked.run)
        if self._trier is None or self._trier[0] != search:
            self._trier = search, Trier(self._task(asked, target, chosen))
        return self._trier[1](asked.number, asked.changes, asked.bars)

    def _task(self, asked: TrialAsked, target: Target, chosen: Chosen) -> Task:
        return Task(
            installation=self._installation,
            target=target,
            past=self._past(asked, chosen),
            windows=[Window(*each) for each in asked.windows],
            objective=asked.objective,
            step_ms=asked.step_ms,
            threads=len(os.sched_getaffinity(0)),
            study=asked.study,
            code=self._code,
            data=asked.data,
        )

    def _past(self, asked: TrialAsked, chosen: Chosen) -> Past:
        if self._read is not None and self._read[0] == asked.data:
            return self._read[1]
        period = Period(asked.from_ms, asked.to_ms)
        try:
            if self._candles:
                read = of_files(self._candles, chosen.setting, period, asked.symbols)
            else:
                read = asyncio.run(
                    of_topics(self._installation, chosen.setting, period, asked.symbols)
                )
        except ConfigurationError as error:
            raise UnfitError(str(error)) from None
        past = until(read.past, asked.to_ms)
        if (found := data_hash(past)) != asked.data:
            raise UnfitError(
                f"its candles are others ({found}, expected {asked.data}): give both machines the "
                "same files, or the same topics"
            )
        self._read = asked.data, past
        return past


def serve(installation: Installation, candles: Sequence[Path], notes: Notes) -> int:
    """Until Ctrl-C; the trial that is being made is told first. The exit status."""
    return asyncio.run(_serve(installation, Maker(installation, candles), notes))


async def _serve(installation: Installation, make: Maker, notes: Notes) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await made_ready(installation)
    begun_ms = round(time.time() * 1_000)
    reader: Any = consumer(installation, group_name(installation, GROUP))
    reader.subscribe([topic_name(installation, ASKED)])
    made = 0
    async with reader, producer(installation) as writer:
        notes(f"worker {make.name} waits for trials; Ctrl-C ends it")
        while not stop.is_set():
            batches = await reader.getmany(timeout_ms=POLL_MS, max_records=1)
            for place, records in batches.items():
                for raw in records:
                    told = await _told(installation, raw, make, writer)
                    await _commit(reader, place, raw.offset + 1)
                    if told is None:
                        continue
                    asked, answer = told
                    if answer.unfit:
                        notes(f"trial {asked.number} of {asked.study}: {answer.unfit}")
                        if asked.asked_ms >= begun_ms:  # older ones nobody may wait for
                            return MISCONFIGURED
                    else:
                        made += 1
                        notes(_line(answer))
    notes(f"trials={made}")
    return WELL


async def _told(
    installation: Installation, raw: Any, make: Maker, writer: Any
) -> tuple[TrialAsked, TrialTold] | None:
    """Makes the trial and tells it; None for what is none, which is a dead letter then."""
    try:
        asked = decode(ASKED, raw.value)
    except UndecodableError as error:
        dead = letter(
            GROUP, "undecodable", str(error), ASKED, raw.partition, raw.offset, raw.value or b""
        )
        await writer.send_and_wait(
            topic_name(installation, "dead-letters"), encode(dead), key=GROUP.encode()
        )
        return None
    assert isinstance(asked, TrialAsked)
    # In a thread: the group's heartbeats go on meanwhile.
    answer = await asyncio.to_thread(make, asked)
    await writer.send_and_wait(
        topic_name(installation, TOLD), encode(answer), key=asked.study.encode()
    )
    return asked, answer


async def _commit(reader: Any, place: Any, offset: int) -> None:
    try:
        await reader.commit({place: offset})
    except Exception as error:
        if not is_kafka(error):
            raise
        # The partition went to another worker meanwhile: told twice counts once.


def _line(told: TrialTold) -> str:
    said = told.refused or f"{told.trades} trades, return {told.total_return:+.2%}"
    return f"trial {told.number} of {told.study}: {said}"
