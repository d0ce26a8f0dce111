"""`preflight`, and what `up` makes of it: said once, in a table or in lines, and nothing starts."""

import json
import re
from pathlib import Path

import pytest

from chandler.streams.settings import installation
from services.cli.app import main
from services.cli.running.preflight import before_start
from services.exits import MISCONFIGURED, NO_KAFKA, WELL
from services.loading import configuration
from services.topology import workers_of
from tests.conftest import free_port_base


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands find an installation whose brokers aren't there."""
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("CHANDLER_PORT_BASE", str(free_port_base()))
    monkeypatch.setenv("CHANDLER_BROKERS", "127.0.0.1:9")
    return tmp_path


def test_up_ends_with_a_table_and_its_status_before_it_starts_anything(
    environ: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["up", "--profile", "demo"])
    said = capsys.readouterr().out

    assert status == NO_KAFKA
    assert "CHANDLER_BROKERS" in said
    assert "what it does" not in said, "the table of what starts is not shown"
    assert not (environ / "logs").exists()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_one_line_is_enough_where_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    here = installation(
        {
            "CHANDLER_DATA": str(tmp_path),
            "CHANDLER_PORT_BASE": str(free_port_base()),
            "CHANDLER_LOG": log_format,
        }
    )
    profile = configuration(here, {}).profile

    status = before_start(here, profile, workers_of(profile))
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)["message"] if log_format == "json" else line

    assert status == WELL
    assert re.fullmatch(r"all \d+ checks well in \d+\.\d s", said)


def test_up_says_it_in_json_lines_where_it_is_asked_to(
    environ: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["up", "--log", "json"])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {line["outcome"] for line in said if line["what"] == "brokers"} == {"failure"}
    assert {line["outcome"] for line in said if line["what"] == "python"} == {"well"}


def test_preflight_tells_programs_all_of_it(
    environ: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["preflight", "--json"])
    said = json.loads(capsys.readouterr().out)

    assert status == NO_KAFKA
    assert said["well"] is False
    assert {"what", "outcome", "found", "cure"} == set(said["checks"][0])


def test_preflight_names_a_profile_that_can_not_be_used_and_looks_at_the_rest(
    environ: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANDLER_PROFILE", "dmo")
    monkeypatch.delenv("CHANDLER_BROKERS")

    status = main(["preflight"])
    said = capsys.readouterr().out

    assert status == MISCONFIGURED
    assert "nearest: demo" in said
    assert "failure=1" in said
    assert "java" in said
