"""Logs: lines for people, JSON for programs, and no secret in either."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.streams.telemetry.logs import set_up, without_secrets


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    before = logging.getLogger()
    handlers, level = list(before.handlers), before.level
    yield
    before.handlers[:] = handlers
    before.setLevel(level)


def written(log_format: str, message: str, *, environ: dict[str, str], **extra: str) -> str:
    stream = io.StringIO()
    set_up("ingest", log_format, stream=stream, environ=environ).info(message, extra=extra)
    return stream.getvalue()


def test_a_line_for_people_has_time_level_service_and_values() -> None:
    line = written("text", "sealed", environ={}, symbol="BTCUSDT")

    assert line[10] == "T"
    assert line.endswith("INFO    ingest: sealed · symbol=BTCUSDT\n")


def test_a_line_for_programs_is_one_json_object() -> None:
    entry = json.loads(written("json", 'a "quoted" word', environ={}, symbol="BTCUSDT"))

    assert entry["message"] == 'a "quoted" word'
    assert (entry["level"], entry["service"], entry["symbol"]) == ("info", "ingest", "BTCUSDT")


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "message",
    [
        "login with password=hunter2hunter2",
        '{"passphrase": "hunter2hunter2", "a": 1}',
        "ACCESS-KEY: hunter2hunter2",
        "Authorization: Bearer hunter2hunter2",
        "GET /?symbol=BTCUSDT&signature=hunter2hunter2&x=1",
        "the broker said hunter2hunter2",
    ],
)
def test_a_secret_is_never_written(log_format: str, message: str) -> None:
    environ = {"CHANDLER_BITGET_SECRET": "hunter2hunter2", "HOME": "ingest"}

    line = written(log_format, message, environ=environ)

    assert "hunter2hunter2" not in line
    assert "ingest" in line


@given(st.from_regex(r"[A-Za-z0-9+/]{8,40}", fullmatch=True))
def test_the_value_behind_a_secrets_name_is_hidden(secret: str) -> None:
    assert secret not in without_secrets(f"x token={secret} y").replace("token", "")


def test_an_ordinary_line_stays_as_it_is() -> None:
    line = "chandler: 40 symbols, 3 keys, design of signals at 12:05: sealed=12"

    assert without_secrets(line) == line
