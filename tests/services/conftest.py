"""Fixtures: the same ledger on SQLite and on PostgreSQL; the desk's topics and its commands."""

import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import URL, make_url

from chandler.streams.settings import Installation
from tests import story
from tests.conftest import Topics as Create
from tests.services.desking import CONFIG, PARTITIONS, Run, ran
from tests.services.postgres import Postgres, running


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """A command that is run in this process may set variables for services: for this test only.

    `up --profile dmo` left its profile behind, and no other command worked in the tests after it.
    """
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this session's own."""
    with running() as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """An empty place for a ledger: a file, or a fresh PostgreSQL database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return URL.create("sqlite", database=str(tmp_path / "ledger.sqlite"))
    server: Postgres = request.getfixturevalue("postgres")
    return make_url(server.database()).set(drivername="postgresql+psycopg")


@pytest.fixture
async def desk(
    installation: Installation,
    topics: Create,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Installation:
    """The topics of the desk, and an environment in which commands find them."""
    await topics(story.TOPICS, partitions=PARTITIONS)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "config.toml").chmod(0o600)
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    return msgspec.structs.replace(installation, data=tmp_path)


@pytest.fixture
def run(desk: Installation, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of the command line."""
    return partial(ran, capsys)


@pytest.fixture
async def written(desk: Installation) -> AsyncIterator[story.Topics]:
    """Writes to the desk's topics."""
    async with story.Topics(desk) as writer:
        yield writer
