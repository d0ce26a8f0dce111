"""`setup` at a terminal: a person is asked, corrected, and has an installation at the end."""

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios

import pytest

from services.exits import INTERRUPTED, WELL
from services.layers import root
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.server import StandIn
from tests.services.setup.conftest import ANN, NEW, TOKEN, Place

WAIT_S_MAX = 120.0  # for the next words
LIVE = """
extends = "paper"
mode = "live"
[agents.trader]
mode = "live"
account = "main"
[accounts.main]
"""


def _as_at_a_terminal() -> None:
    """A terminal of its own, whose Ctrl-C counts: who runs in the background ignores it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Dialogue:
    """The command at a pseudo-terminal: `until` reads to a text, `type` is a line of the person."""

    def __init__(self) -> None:
        self.screen = ""  # all that was shown
        self._seen = 0
        self._more = asyncio.Event()
        self._over = False
        self._master = -1
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "services", "setup", *words,
            env={**os.environ, "PYTHONPATH": str(root()), "TERM": "dumb"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=_as_at_a_terminal,
        )  # fmt: skip
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            text = os.read(self._master, 65536).decode()
        except OSError:  # the other side is closed
            text = ""
        if not text:
            asyncio.get_running_loop().remove_reader(self._master)
            self._over = True
        self.screen += text
        self._more.set()

    async def until(self, text: str) -> None:
        while text not in self.screen[self._seen :]:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), WAIT_S_MAX)
            except TimeoutError:
                raise AssertionError(f"{text!r} does not come: {self.screen}") from None
            assert not self._over, f"it ended before {text!r}: {self.screen}"
        self._seen = self.screen.index(text, self._seen) + len(text)

    def type(self, line: str) -> None:
        os.write(self._master, line.encode() + b"\n")

    async def answers(self, *pairs: tuple[str, str]) -> None:
        """Waits for each question, and gives its answer."""
        for question, answer in pairs:
            await self.until(question)
            self.type(answer)

    def interrupt(self) -> None:
        os.write(self._master, b"\x03")

    async def end(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(WAIT_S_MAX):
            return await self._process.wait()

    async def close(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)


@pytest.fixture
async def dialogue(place: Place):
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "ground.toml").write_text(LIVE)
    found = Dialogue()
    await found.start("--api-url", place.url)
    yield found
    await found.close()


async def test_a_person_is_led_through_profile_bot_user_and_keys(
    place: Place, stand_in: StandIn, dialogue: Dialogue
) -> None:
    people = People(stand_in.bots[TOKEN])
    await dialogue.answers(
        ("profile to begin with", "grund"),
        ("nearest: ground", "ground"),
        ("name of your own profile", ""),
        ("symbols", "btc usdt"),
        ("is no symbol", "btcusdt"),
        ("engines", "scalper,trend"),
        ("alerts only", "n"),
        ("start balance", ""),
        ("Telegram, one of", "bot"),
        ("the bot's token", TOKEN[:12]),
    )
    await dialogue.until("holds no token")  # what is typed before the question is thrown away
    await dialogue.answers(
        ("the bot's token", TOKEN),
        ("your name here", ""),
        ("your Telegram id", ""),
    )
    await dialogue.until("write /start to @wheel_bot now")
    people.say(ANN, "/start")
    dialogue.type("")
    await dialogue.answers(
        (f"{ANN.user_id} wrote to the bot as 'Ann'", ""),  # the id is the default now
        ("role", "king"),
        ("expected one of", "owner"),
        ("account main, key", "bg_4711"),
        ("account main, secret", "two words"),
    )
    await dialogue.until("expected letters")
    await dialogue.answers(
        ("account main, secret", "the-secret-of-the-account"),
        ("account main, passphrase", "passing-phrase"),
        ("write this?", "y"),
    )
    status = await dialogue.end()

    assert status == WELL, dialogue.screen
    assert "test message sent" in dialogue.screen
    assert "up --profile own" in dialogue.screen
    for secret in (TOKEN, "the-secret-of-the-account", "passing-phrase"):
        assert secret not in dialogue.screen
        assert len(place.holders(secret)) == 1
    assert place.files()["telegram.token"] == place.files()["keys/main.toml"] == 0o600
    assert f"telegram_id = {ANN.user_id}" in (place.data / "config.toml").read_text()
    assert '"BTCUSDT"' in (place.data / "profiles" / "own.toml").read_text()


async def test_a_person_who_has_not_written_to_the_bot_is_asked_to_and_then_written_to(
    stand_in: StandIn, dialogue: Dialogue
) -> None:
    people = People(stand_in.bots[TOKEN])
    await dialogue.answers(
        ("profile to begin with", "paper"),
        ("name of your own profile", ""),
        ("symbols", ""),
        ("engines", ""),
        ("alerts only", "y"),
        ("Telegram, one of", ""),
        ("the bot's token", TOKEN),
        ("your name here", "ben"),
        ("your Telegram id", str(NEW)),
        ("role", ""),
        ("write this?", ""),
    )
    await dialogue.until("write /start to @wheel_bot first")
    people.say(Person(user_id=NEW, name="Ben"), "/start")
    dialogue.type("")
    status = await dialogue.end()

    assert status == WELL, dialogue.screen
    assert stand_in.state()["counts"] == {
        "getMe 200": 1, "sendMessage 200": 1, "sendMessage 400": 1,
    }  # fmt: skip


@pytest.mark.parametrize("last", ["engines", "the bot's token", "write this?"])
async def test_ctrl_c_at_a_question_writes_nothing(
    place: Place, dialogue: Dialogue, last: str
) -> None:
    before = place.files()
    questions = (
        ("profile to begin with", "paper"),
        ("name of your own profile", ""),
        ("symbols", ""),
        ("engines", ""),
        ("alerts only", "y"),
        ("Telegram, one of", ""),
        ("the bot's token", TOKEN),
        ("your name here", "ann"),
        ("your Telegram id", str(ANN.user_id)),
        ("role", ""),
        ("write this?", ""),
    )
    for question, answer in questions:
        await dialogue.until(question)
        if question == last:
            break
        dialogue.type(answer)
    dialogue.interrupt()
    status = await dialogue.end()

    assert status == INTERRUPTED, dialogue.screen
    assert place.files() == before


async def test_no_to_what_would_be_written_writes_nothing(place: Place, dialogue: Dialogue) -> None:
    before = place.files()
    await dialogue.answers(
        ("profile to begin with", "paper"),
        ("name of your own profile", ""),
        ("symbols", "9"),
        ("engines", ""),
        ("alerts only", "y"),
        ("Telegram, one of", "none"),
        ("write this?", "n"),
    )
    await dialogue.end()

    assert "nothing is written" in dialogue.screen
    assert place.files() == before
