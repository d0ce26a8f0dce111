"""Studies in the ledger's database, by Optuna; what is asked next, and what was told.

Optuna's tables stand apart from the ledger's (a file beside a SQLite ledger, a schema of their own
in PostgreSQL): both keep their revision in a table alembic_version, and each refuses the other's.

A trial is written when it is told, whole, in one transaction: what a dead process had asked is
not there, and is asked again. A trial is sampled from those before it in memory, by a seed of its
own, so that one process asks the same after an interruption as without one.
"""

import warnings
from pathlib import Path
from typing import Any

import msgspec
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from chandler.replay.optimise.scoring import LOOKS, bars, parts_of
from chandler.replay.optimise.space import Parameter
from services.cli.optimise.plan import Plan
from services.layers import ConfigurationError
from services.ledger.errors import explained

FILE_NAME = "optimise.sqlite"
SCHEMA = "chandler_optimise"
BUSY_S = 30
SEED_STEP = 1_000_003  # a prime: seeds of two searches don't run into each other soon

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A finished trial."""

    number: int
    params: dict[str, float]  # path → what the sampler asked; `Parameter.applied` was tried
    score: float | None  # None: refused, or stopped early
    values: list[float] = []  # of each window
    standing: list[float] = []  # its score so far at each look
    trades: int = 0
    longest_ms: int = 0
    total_return: float = 0.0
    digest: str = ""  # of its backtest
    refused: str = ""

    @property
    def stopped(self) -> bool:
        """Whether it went no further after a look."""
        return self.score is None and not self.refused


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """The one look at what was held out."""

    trial: int  # the winner: fixed before the look
    looked_at: str  # wall time, UTC; of the decision to look
    value: float | None = None  # None: the look was not finished
    trades: int = 0
    total_return: float = 0.0
    score: float = 0.0  # what the winner had in the sample


class Storage:
    """All studies of an installation."""

    def __init__(self, url: URL) -> None:
        """`url`: the ledger's, see services/ledger/address.py. Creates what lacks; LedgerError."""
        try:
            self._rdb = _opened(url)
        except DBAPIError as error:
            raise explained(error, url) from None

    def names(self) -> list[str]:
        return sorted(each.study_name for each in self._rdb.get_all_studies())

    def study(self, name: str) -> "Study | None":
        """The study of that name, with all its trials; None: there is none."""
        try:
            return Study(self._rdb, name, self._rdb.get_study_id_from_name(name))
        except KeyError:
            return None

    def begun(self, name: str, plan: Plan) -> "Study":
        """A new study."""
        number = self._rdb.create_new_study([StudyDirection.MAXIMIZE], name)
        self._rdb.set_study_user_attr(number, "plan", msgspec.json.encode(plan).decode())
        return Study(self._rdb, name, number)

    def looks(self, held: str, but: str) -> list[str]:
        """Other studies that have looked at the same candles."""
        found = []
        for each in self._rdb.get_all_studies():
            attributes = each.user_attrs
            if each.study_name != but and "plan" in attributes and "held_out" in attributes:
                plan = msgspec.json.decode(attributes["plan"], type=Plan)
                found += [each.study_name] if plan.held == held else []
        return sorted(found)

    def close(self) -> None:
        self._rdb.engine.dispose()


class Study:
    """One study: its plan, its finished trials, and the sampler's memory of them."""

    def __init__(self, rdb: RDBStorage, name: str, identity: int) -> None:
        self.name = name
        self._rdb, self._id = rdb, identity
        attributes = rdb.get_study_user_attrs(identity)
        if "plan" not in attributes:
            raise ConfigurationError(
                f"study {name} was not begun by ./chandler optimise: choose another --study"
            )
        self.plan = msgspec.json.decode(attributes["plan"], type=Plan)
        looked = attributes.get("held_out")
        self.held_out = msgspec.json.decode(looked, type=HeldOut) if looked else None
        self._ranges = {each.path: _range(each) for each in self.plan.target.parameters}
        self._memory = optuna.create_study(direction="maximize")
        self.done: dict[int, Done] = {}
        self._flying: dict[int, optuna.Trial] = {}
        kept = [_done(each) for each in rdb.get_all_trials(identity, deepcopy=False)]
        for each in sorted(kept, key=lambda one: one.number):
            self.done[each.number] = each
            self._memory.add_trial(_frozen(each, self._ranges))
        self._next = max(self.done, default=-1) + 1

    @property
    def flying(self) -> int:
        """How many were asked and not told."""
        return len(self._flying)

    def bars(self) -> list[float | None]:
        """Below which the next trial is stopped, at each look; [] where none is."""
        if not self.plan.stop_early:
            return []
        parts = len(parts_of(self.plan.split.windows()))
        return bars([each.standing for each in self.done.values()], min(LOOKS, parts - 1))

    def best(self) -> Done | None:
        """The greatest score; of equal ones the earliest."""
        found = [each for each in self.done.values() if each.score is not None]
        return min(found, key=lambda each: (-(each.score or 0.0), each.number), default=None)

    def ask(self) -> tuple[int, dict[str, float]]:
        """A new trial's number and parameters. The first tries the profile as it is."""
        asked = len(self.done) + len(self._flying)
        if not asked:
            now = {each.path: each.now for each in self.plan.target.parameters}
            self._memory.enqueue_trial(now)
        self._memory.sampler = TPESampler(seed=(self.plan.seed * SEED_STEP + asked) % 2**32)
        trial = self._memory.ask(self._ranges)
        number, self._next = self._next, self._next + 1
        self._flying[number] = trial
        return number, {name: float(value) for name, value in trial.params.items()}

    def tell(self, done: Done) -> bool:
        """Writes it; False where it is known already, or was never asked."""
        trial = self._flying.pop(done.number, None)
        if trial is None:
            return False
        if done.score is None:
            for look, value in enumerate(done.standing):
                trial.report(value, look)
            self._memory.tell(trial, state=TrialState.PRUNED)
        else:
            self._memory.tell(trial, done.score)
        self._rdb.create_new_trial(self._id, template_trial=_frozen(done, self._ranges))
        self.done[done.number] = done
        return True

    def take_back(self) -> None:
        """What was asked and not told is given up."""
        for trial in self._flying.values():
            self._memory.tell(trial, state=TrialState.FAIL)
        self._flying.clear()

    def look(self, held_out: HeldOut) -> None:
        """Writes what is known of the look: before it, and after it."""
        known = self.held_out
        assert known is None or known.value is None, "what is held out is looked at once"
        assert known is None or known.trial == held_out.trial, "another winner can't look"
        self._rdb.set_study_user_attr(self._id, "held_out", msgspec.json.encode(held_out).decode())
        self.held_out = held_out


def _range(parameter: Parameter) -> BaseDistribution:
    if parameter.whole:
        return IntDistribution(round(parameter.low), round(parameter.high))
    return FloatDistribution(parameter.low, parameter.high)


def _frozen(done: Done, ranges: dict[str, BaseDistribution]) -> FrozenTrial:
    params: dict[str, Any] = {
        name: int(value) if isinstance(ranges[name], IntDistribution) else value
        for name, value in done.params.items()
    }
    return optuna.create_trial(
        state=TrialState.PRUNED if done.score is None else TrialState.COMPLETE,
        value=done.score,
        params=params,
        distributions=ranges,
        intermediate_values=dict(enumerate(done.standing)),
        user_attrs={"trial": msgspec.json.encode(done).decode()},
    )


def _done(trial: FrozenTrial) -> Done:
    return msgspec.json.decode(trial.user_attrs["trial"], type=Done)


def _opened(url: URL) -> RDBStorage:
    connect: dict[str, Any] = {"timeout": BUSY_S}
    if url.drivername == "sqlite":
        file = Path(url.database or "").with_name(FILE_NAME)
        file.parent.mkdir(parents=True, exist_ok=True)
        url = url.set(database=str(file))
    else:
        connect = {"connect_timeout": 5}
        engine = create_engine(url, connect_args=connect)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        engine.dispose()
        url = url.update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = RDBStorage(
            url.render_as_string(hide_password=False), engine_kwargs={"connect_args": connect}
        )
    if url.drivername == "sqlite":
        event.listen(storage.engine, "connect", _connected)
        storage.engine.dispose()
    return storage


def _connected(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A killed process loses nothing by it; a power cut may take the newest trial.
    connection.execute("PRAGMA synchronous = NORMAL")
