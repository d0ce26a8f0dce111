"""An installation whose Kafka a test may start, kill and move."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chandler.streams import embedded
from chandler.streams.embedded.configuration import Layout
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


@pytest.fixture
def shared(kafka: Installation) -> Installation:
    """The session's Kafka, for tests that only look at it; it has to be the embedded one."""
    if not kafka.embedded:
        pytest.skip("looks at the embedded Kafka, but the session has another")
    return kafka


@pytest.fixture
def prepared(own: Installation, shared: Installation) -> Installation:
    """As `own`, with the session's storage before its first start: it starts twice as fast."""
    records = Layout(own).records
    records.mkdir(parents=True)
    for name in ("meta.properties", "bootstrap.checkpoint"):
        shutil.copy(Layout(shared).records / name, records)
    return own
