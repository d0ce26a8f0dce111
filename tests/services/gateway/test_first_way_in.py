"""`gateway link`, `gateway key`, and what `up` says of the gateway."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from chandler.streams.settings import Installation, installation
from services.cli.app import main
from services.cli.gateway import pages
from services.loading import configuration
from services.profile import GatewayConfig
from services.topology import workers_of
from tests.services.gateway.door import door
from tests.services.gateway.house import PASSWORD


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)
    return installation()


def test_a_link_and_a_key_of_the_command_line_open_the_gateway(
    here: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "link"]) == 0
    old = capsys.readouterr().out.strip()
    assert main(["gateway", "link", "you", "--json"]) == 0
    link = msgspec.json.decode(capsys.readouterr().out)
    assert main(["gateway", "key", "bot", "--scopes", "read,signals"]) == 0
    key = capsys.readouterr().out.strip()

    async def opened() -> list[int]:
        async with door(here.data, configuration(here).profile) as at:
            said = {"name": "you", "password": PASSWORD}
            paths = [each.partition("/#")[2] for each in (old, link["url"])]
            answers = [await at.ask("POST", f"/v1{path}", said) for path in paths]
            answers.append(await at.ask("GET", "/v1/me", headers={"X-API-Key": key}))
            return [each.status for each in answers]

    assert link["user"] == "you"
    assert asyncio.run(opened()) == [404, 200, 200]


def test_who_is_not_known_gets_no_link_and_no_key_beyond_the_scopes(
    here: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "link", "mallory"]) == 3
    assert "mallory" in capsys.readouterr().err
    assert main(["gateway", "key", "bot", "--scopes", "everything"]) == 2


def test_up_says_where_the_page_is_and_the_first_link_until_an_owner_has_a_password(
    here: Installation,
) -> None:
    profile = configuration(here).profile
    workers = workers_of(profile)
    first = pages(here, profile, workers)
    link = next(address for what, address in first.items() if "password" in what)

    async def set_it() -> int:
        async with door(here.data, profile) as at:
            said = {"name": "you", "password": PASSWORD}
            return (await at.ask("POST", f"/v1{link.partition('/#')[2]}", said)).status

    assert first["the page"] == "http://127.0.0.1:29005/"
    assert asyncio.run(set_it()) == 200
    assert pages(here, profile, workers) == {"the page": "http://127.0.0.1:29005/"}
    assert pages(here, profile, workers_of(profile, "trading")) == {}


def test_a_profile_may_have_no_gateway(here: Installation) -> None:
    profile = configuration(here).profile
    without = msgspec.structs.replace(profile, gateway=GatewayConfig(enabled=False))

    assert "gateway" in {each.service for each in workers_of(profile, "telegram")}
    assert "gateway" not in {each.service for each in workers_of(without)}
    nobody = msgspec.structs.replace(profile, users={})
    assert "gateway" not in {each.service for each in workers_of(nobody)}
