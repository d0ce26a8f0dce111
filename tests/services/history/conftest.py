"""Fixtures: an installation that commands find, and a way to run them."""

from functools import partial
from pathlib import Path

import msgspec
import pytest

from chandler.streams.settings import Installation
from tests.services.desking import Run, ran


@pytest.fixture
def place(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """The test's own topics, as commands find them; none is there yet."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)
    monkeypatch.setenv("CHANDLER_DATA", str(data))
    return msgspec.structs.replace(installation, data=data)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of the command line."""
    return partial(ran, capsys)
