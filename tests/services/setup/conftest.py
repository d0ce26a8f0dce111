"""An empty data directory, a bot at the stand-in, and the command that sets the two up."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from services.cli.app import main
from services.telegram_stand_in.people import Person
from services.telegram_stand_in.server import StandIn
from tests.conftest import free_port_base

TOKEN = "123456789:the-secret-of-the-wheel-bot-4711"
ANN = Person(user_id=1001, name="Ann")
NEW = 2002  # somebody who has not written to the bot


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


class Place:
    """A data directory, and the command line for it."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
        self.data = data
        self.url = url
        self.said: list[Said] = []
        self._capsys = capsys

    async def setup(self, *words: str) -> Said:
        """Runs `setup --json` at the stand-in, in a thread, for that answers in this one."""
        self._capsys.readouterr()
        line = ["setup", "--json", "--api-url", self.url, *words]
        status = await asyncio.to_thread(main, line)
        self.said.append(Said(status, *self._capsys.readouterr()))
        return self.said[-1]

    def files(self) -> dict[str, int]:
        """Every file with its mode."""
        return {
            str(path.relative_to(self.data)): path.stat().st_mode & 0o777
            for path in sorted(self.data.rglob("*"))
            if path.is_file()
        }

    def holders(self, secret: str) -> list[str]:
        """Files that hold a text."""
        return [name for name in self.files() if secret in (self.data / name).read_text()]


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with StandIn(people=(ANN,), bots={TOKEN: "wheel_bot"}) as found:
        yield found


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "given.token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def place(
    tmp_path: Path,
    stand_in: StandIn,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    data = tmp_path / "data"
    monkeypatch.setenv("CHANDLER_DATA", str(data))
    monkeypatch.setenv("CHANDLER_PORT_BASE", str(free_port_base()))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)
    return Place(data, capsys, stand_in.url)
