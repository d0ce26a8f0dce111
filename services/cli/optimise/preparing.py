"""Makes ready what a search needs: the target, the candles, the plan, its study."""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from chandler.replay.backtest import Past, Setting, span
from chandler.replay.optimise.windows import WindowError, split
from chandler.streams.settings import Installation
from services.cli.optimise.plan import Plan, differences
from services.cli.optimise.store import Storage, Study
from services.cli.optimise.target import Target, target_of
from services.cli.optimise.trying import Task, code_hash, config_of, data_hash, until
from services.layers import ConfigurationError
from services.ledger.address import address
from services.past.sources import Period, Read, of_files, of_topics
from services.profile import Profile

FOLDER = "optimise"


class Wish(NamedTuple):
    """What people asked for."""

    word: str
    profile: str
    changes: Sequence[str]
    candles: Sequence[Path]  # none: those of the topics
    period: Period
    symbols: Sequence[str]
    objective: str
    folds: int
    hold_out: float
    purge_ms: int
    rolling: bool
    trades_min: int
    stop_early: bool
    seed: int
    study: str


class Prepared(NamedTuple):
    """All that is needed."""

    storage: Storage
    study: Study
    past: Past  # the whole: the hold-out's candles are in it
    sample: Past  # what trials read
    notes: list[str]

    def task(self, installation: Installation, threads: int) -> Task:
        plan = self.study.plan
        return Task(
            installation=installation,
            target=plan.target,
            past=self.sample,
            windows=plan.split.windows(),
            objective=plan.objective,
            step_ms=plan.split.step_ms,
            threads=threads,
            study=self.study.name,
            code=plan.code,
            data=plan.data,
        )


@contextmanager
def prepared(installation: Installation, wish: Wish) -> Iterator[Prepared]:
    """The study, new or as it was left. ConfigurationError: it can't be, or is another one's.

    The embedded Kafka has to run where the candles are the topics'.
    """
    target = target_of(installation, wish.word, wish.profile, wish.changes)
    base = target.tried(installation)
    storage = storage_of(installation, base.profile)
    try:
        before = storage.study(wish.study) if wish.study else None
        period = _period(wish.period, before)
        read = _read(installation, wish, base.setting, period)
        sample, plan = _plan(target, base.setting, wish, read)
        name = wish.study or plan.name
        with _alone(installation, name):
            study = storage.study(name)
            if study is None:
                study = storage.begun(name, plan)
            elif changed := differences(study.plan, plan):
                raise ConfigurationError(
                    f"study {name} was begun otherwise ({', '.join(changed)}): choose another "
                    "--study, or repeat its command"
                )
            notes = read.told(base.notes, _looked(storage, plan, name))
            yield Prepared(storage, study, read.past, sample, notes)
    finally:
        storage.close()


def storage_of(installation: Installation, profile: Profile) -> Storage:
    """Where studies are: beside the ledger."""
    return Storage(address(installation, profile.ledger.url))


def file_of(installation: Installation, name: str) -> Path:
    """Where the profile that was found goes."""
    return installation.data / FOLDER / f"{name}.toml"


def extended(installation: Installation, target: Target) -> str:
    """The profile that the found one extends, so that it is found from anywhere."""
    name = target.profile or installation.profile
    return str(Path(name).resolve()) if name.endswith(".toml") else name


def _period(asked: Period, before: Study | None) -> Period:
    """A study that goes on stays with its candles, though the topics have more by now."""
    if before is None or asked.to_ms is not None:
        return asked
    cut = before.plan.split
    return Period(asked.from_ms, (cut.hold_out or cut.in_sample).to_ms)


def _read(installation: Installation, wish: Wish, setting: Setting, period: Period) -> Read:
    if wish.candles:
        return of_files(wish.candles, setting, period, wish.symbols)
    return asyncio.run(of_topics(installation, setting, period, wish.symbols))


def _plan(target: Target, setting: Setting, wish: Wish, read: Read) -> tuple[Past, Plan]:
    try:
        cut = split(
            *span(read.past.lanes),
            folds=wish.folds,
            hold_out=wish.hold_out,
            purge_ms=wish.purge_ms,
            rolling=wish.rolling,
        )
    except WindowError as error:
        raise ConfigurationError(str(error)) from None
    sample = until(read.past, cut.in_sample.to_ms)
    plan = Plan(
        target=target,
        objective=wish.objective,
        split=cut,
        purge_ms=wish.purge_ms,
        rolling=wish.rolling,
        trades_min=wish.trades_min,
        stop_early=wish.stop_early,
        seed=wish.seed,
        symbols=list(wish.symbols),
        source=read.past.source,
        config=config_of(setting),
        code=code_hash(),
        data=data_hash(sample),
        held=data_hash(read.past),
    )
    # As it comes back from the database.
    return sample, msgspec.json.decode(msgspec.json.encode(plan), type=Plan)


def _looked(storage: Storage, plan: Plan, name: str) -> list[str]:
    others = storage.looks(plan.held, name) if plan.split.hold_out else []
    if not others:
        return []
    return [
        f"these candles were held out and looked at before, by {', '.join(others)}: the more "
        "looks, the less a good figure says"
    ]


@contextmanager
def _alone(installation: Installation, name: str) -> Iterator[None]:
    """One search of a study at a time, on this machine."""
    path = installation.data / FOLDER / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"study {name} is being worked on by another ./chandler optimise: wait for it, or "
                "choose another --study"
            ) from None
        yield
    finally:
        os.close(descriptor)
