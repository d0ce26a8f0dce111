"""An installation whose Kafka a test may start, kill and move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chandler.streams import embedded
from chandler.streams.settings import Installation, installation
from tests.conftest import free_port_base


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """Nothing runs there yet; what runs at the end is ended."""
    mine = installation(
        {"CHANDLER_DATA": str(tmp_path), "CHANDLER_PORT_BASE": str(free_port_base())}
    )
    yield mine
    embedded.stop(mine)
