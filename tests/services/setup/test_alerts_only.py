"""A profile that tells signals and trades nothing: how `setup` makes one, and that it starts."""

import asyncio
import json

import pytest

from services.cli.app import main
from services.exits import MISCONFIGURED, WELL
from services.topology import services_of
from tests.services.setup.conftest import Place
from tests.services.setup.test_setup_options import LIVE, own


@pytest.mark.parametrize("option", ["--alerts-only", "--agents=none"])
async def test_a_profile_that_only_tells_comes_from_the_demo_and_starts(
    place: Place, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """There was no way to it but by hand: --engines none is about engines."""
    said = await place.setup("--profile", "demo", option)
    found = own(place)
    services = services_of(found)
    begin = await asyncio.to_thread(main, ["preflight", "--profile", "own", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    back = await place.setup("--no-alerts-only")

    assert said.status == WELL, said.err
    assert not found.trades
    assert [each for each in found.engines.values() if each.enabled]
    assert {"signals", "notifier"} <= set(services)
    assert not {"executor", "positions", "pump_guard"} & set(services)
    assert begin == WELL, [each for each in checks if each["outcome"] == "failure"]
    assert back.status == WELL, back.err
    assert {name for name, each in own(place).agents.items() if each.enabled} == {
        "scalper", "trend", "reverter", "venue",
    }  # fmt: skip


async def test_a_profile_that_only_tells_stays_one_and_asks_for_no_keys_and_no_balance(
    place: Place,
) -> None:
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "ground.toml").write_text(LIVE)
    line = ("--profile", "ground", "--telegram", "none")

    first = await place.setup(*line, "--alerts-only")
    again = await place.setup(*line, "--symbols", "7")
    paid = await place.setup("--profile", "demo", "--name", "two", "--alerts-only", "--balance=9")

    assert (first.status, again.status) == (WELL, WELL), again.err
    assert "has no keys" not in first.err + again.err
    assert not own(place).trades
    assert paid.status == MISCONFIGURED
    assert "--balance: the profile has no enabled agent" in paid.err
