"""What docs/gateway.md has people type into a shell, typed: it takes curl, as they do."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.services.gateway.house import House, link_for

pytestmark = pytest.mark.kafka

DOCUMENT = Path(__file__).parents[3] / "docs" / "gateway.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
TYPED_S_MAX = 60.0


async def typed(blocks: list[str], variables: dict[str, str]) -> list[Any]:
    """One shell for all of them; what they answered."""
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        "\necho\n".join(blocks),
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(TYPED_S_MAX):
        said, _ = await shell.communicate()
    assert shell.returncode == 0, said
    return [json.loads(line) for line in said.decode().splitlines() if line]


async def test_what_the_document_has_people_type_does_what_it_says(home: House) -> None:
    blocks = [each for each in BLOCK.findall(DOCUMENT.read_text()) if "curl" in each]
    ours = {"http://127.0.0.1:29005": home.url, '"you"': '"olga"', '"trend"': '"anna"'}
    ours["agents/trend"] = "agents/anna"
    for theirs, here in ours.items():
        assert any(theirs in each for each in blocks)
        blocks = [each.replace(theirs, here) for each in blocks]
    async with home.trading(), home.serving():
        token = await home.token("olga")
        await home.known(token)
        wanted = {"name": "test", "scopes": ["read", "signals"]}
        key = (await home.ask("POST", "/v1/keys", wanted, token=token)).body

        setup, me, signal, paused, patched = await typed(
            blocks, {"LINK": link_for(home.data, "olga"), "KEY": f"{key['id']}.{key['secret']}"}
        )

    assert (setup["name"], me["name"], me["role"]) == ("olga", "olga", "owner")
    assert signal["id"]
    assert [(each["agent"], each["outcome"]) for each in signal["outcomes"]] == [("anna", "order")]
    assert (paused["what"], paused["agent"], paused["outcome"]) == ("pause", "anna", "done")
    assert [each["what"] for each in patched["items"]] == ["buying", "limit"]
