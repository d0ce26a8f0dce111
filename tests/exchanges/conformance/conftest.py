"""Each case gets a fresh venue of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.exchanges.conformance.bench import Case
from tests.exchanges.conformance.benches import BENCHES, bench_of


@pytest.fixture(params=BENCHES)
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    async with bench_of(request.param, tmp_path) as bench:
        yield Case(bench, request.node.name)
