"""A token whose server could not be asked: it is written, and said to be unchecked."""

from pathlib import Path

import pytest

from services.exits import FAILED
from tests.services.setup.conftest import TOKEN, Place
from tests.services.setup.test_setup_options import ANN_OWNS


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", "nobody takes the connection"),
        ("http://nowhere.invalid", "no address is known for its name"),
    ],
)
async def test_a_token_that_nobody_could_check_is_taken_and_that_is_said(
    place: Place, token_file: Path, url: str, words: str
) -> None:
    """An invented one was written with status 0 and an empty "message", and people were shown
    ClientConnectorDNSError."""
    line = ("--profile", "paper", "--api-url", url, "--token-file", str(token_file), *ANN_OWNS)
    said = await place.setup(*line)
    silent = await place.setup(*line, "--no-message")

    assert (said.status, silent.status) == (FAILED, FAILED), "it is written, and may be no token"
    assert (said.report["checked"], said.report["bot"]) == (False, "")
    assert said.report["message"] == (
        f"not sent: {url} can't be reached, {words}: check the network, and telegram.api_url"
    )
    assert silent.report["message"] == ""
    assert "the token is not checked" in said.err
    assert "Error" not in said.err
    assert TOKEN not in said.err + said.out
    assert place.holders(TOKEN) == ["telegram.token"]
