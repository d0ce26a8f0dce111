"""Ends of services as they are kept and shown."""

import json
from pathlib import Path

import pytest

from chandler.streams.settings import Installation, installation
from services.cli.app import main
from services.watchdog.crashes import CRASHES_KEPT, Crash, crashes, file_of, keep


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    return installation({"CHANDLER_DATA": str(tmp_path)})


def crash(number: int, service: str = "ingest") -> Crash:
    return Crash(
        at=1_700_000_000_000 + number,
        worker=service,
        service=service,
        what="crashed",
        status=-9,
        reason="was ended by signal 9",
        lived_s=12.5,
        again_s=3.0,
        lines=["took 7 candles", "[bold]not markup[/bold]"],
    )


def test_what_is_kept_comes_back_and_a_torn_line_costs_only_itself(here: Installation) -> None:
    keep(here, crash(1))
    with file_of(here).open("ab") as output:
        output.write(b'{"at":17000,"work\n')
    keep(here, crash(2))

    assert crashes(here) == [crash(1), crash(2)]


def test_the_oldest_go_when_the_file_is_too_long(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.watchdog.crashes.BYTES_MAX", 40_000)
    for number in range(300):
        keep(here, crash(number))

    found = crashes(here)
    assert CRASHES_KEPT <= len(found) < 300
    assert found == [crash(number) for number in range(300 - len(found), 300)]


def test_the_command_shows_them_with_what_they_said_last(
    here: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(here, crash(1))
    keep(here, crash(2, "signals"))

    assert main(["crashes", "--lines", "--service", "ingest"]) == 0
    shown = capsys.readouterr().out
    assert main(["crashes", "--json", "--limit", "1"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "was ended by signal 9" in shown
    assert "[bold]not markup[/bold]" in shown
    assert "signals" not in shown
    assert "crashes=1 " in shown
    assert (told["crashes"], [each["service"] for each in told["shown"]]) == (2, ["signals"])


def test_without_any_and_of_a_service_that_is_none(
    here: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crashes"]) == 0
    assert "crashes=0 " in capsys.readouterr().out
    assert main(["crashes", "--service", "no_such"]) == 2
    assert "no service is called 'no_such': there are" in capsys.readouterr().err
