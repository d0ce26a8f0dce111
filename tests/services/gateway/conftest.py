"""The gateway's house as a fixture."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from chandler.streams.settings import Installation
from tests.conftest import Topics as Create
from tests.services.gateway.house import House, house


@pytest.fixture
async def home(installation: Installation, topics: Create, tmp_path: Path) -> AsyncIterator[House]:
    own = msgspec.structs.replace(installation, data=tmp_path)
    async with house(own, topics) as made:
        yield made
