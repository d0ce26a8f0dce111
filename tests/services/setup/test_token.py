"""Where the bot's token comes from; none is shown, and the stand-in has one of its own."""

from pathlib import Path

import pytest

from chandler.streams.settings import PORT_TELEGRAM, Installation, installation
from services.notifier.token import TokenError, token_of
from services.profile import Profile, TelegramConfig
from services.telegram import API_URL, STAND_IN_TOKEN, api_url

SECRET = "a-token-that-nobody-else-may-see"
REAL = Profile()
PLAY = Profile(telegram=TelegramConfig(stand_in=True))


def token(number: int) -> str:
    return f"{number:09}:{SECRET}"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return installation({"CHANDLER_DATA": str(tmp_path)})


def put(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_file_that_is_named_wins_then_the_variable_then_the_data_directory(
    here: Installation,
) -> None:
    named = put(here.data / "mounted", token(1) + "\n", 0o444)
    both = {"CHANDLER_TELEGRAM_TOKEN_FILE": str(named), "CHANDLER_TELEGRAM_TOKEN": token(2)}
    put(here.data / "telegram.token", token(3) + "\n")

    assert token_of(here, REAL, both) == token(1)
    assert token_of(here, REAL, {"CHANDLER_TELEGRAM_TOKEN": token(2)}) == token(2)
    assert token_of(here, REAL, {}) == token(3)


def test_there_may_be_none(here: Installation) -> None:
    assert token_of(here, REAL, {"CHANDLER_TELEGRAM_TOKEN": " "}) == ""


def test_the_stand_in_gets_its_own_and_never_a_real_one(here: Installation) -> None:
    put(here.data / "telegram.token", token(3))

    assert token_of(here, PLAY, {"CHANDLER_TELEGRAM_TOKEN": token(2)}) == STAND_IN_TOKEN


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_of_the_data_directory_that_others_may_read_is_refused(
    here: Installation, mode: int
) -> None:
    file = put(here.data / "telegram.token", token(3), mode)

    with pytest.raises(TokenError, match=f"chmod 600 {file}"):
        token_of(here, REAL, {})


@pytest.mark.parametrize(
    "text",
    ["", "abc", f"abc:{SECRET}", f"12345678{SECRET}", f"{token(1)} x", f"{token(1)}\n{token(2)}"],
)
def test_what_is_no_token_is_refused_in_one_line_that_does_not_show_it(
    here: Installation, text: str
) -> None:
    put(here.data / "telegram.token", text)

    with pytest.raises(TokenError) as refused:
        token_of(here, REAL, {})

    assert SECRET not in str(refused.value)
    assert "telegram.token" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_variable_with_what_is_no_token_is_named(here: Installation) -> None:
    with pytest.raises(TokenError, match=r"^CHANDLER_TELEGRAM_TOKEN holds no token"):
        token_of(here, REAL, {"CHANDLER_TELEGRAM_TOKEN": "12:x"})


def test_a_file_that_is_named_and_not_there_is_not_passed_over(here: Installation) -> None:
    put(here.data / "telegram.token", token(3))

    with pytest.raises(TokenError, match=r"CHANDLER_TELEGRAM_TOKEN_FILE: .*nowhere can't be read"):
        token_of(here, REAL, {"CHANDLER_TELEGRAM_TOKEN_FILE": str(here.data / "nowhere")})


def test_the_server_is_the_one_that_is_named_else_the_stand_in_else_telegrams(
    here: Installation,
) -> None:
    assert api_url(here, TelegramConfig()) == API_URL
    assert api_url(here, TelegramConfig(stand_in=True)).endswith(f":{here.port(PORT_TELEGRAM)}")
    assert api_url(here, TelegramConfig(stand_in=True, api_url="http://h:1/")) == "http://h:1"
