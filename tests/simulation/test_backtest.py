"""A backtest over what a session recorded gives the session's fills and balances (P4)."""

import asyncio

import pytest

from services.cli.backtest.command import Told, differing
from services.loading import configuration
from tests.simulation.session import Session

pytestmark = [pytest.mark.kafka, pytest.mark.system]


def test_a_backtest_of_a_paper_session_is_that_session(session: Session) -> None:
    """Services were killed meanwhile: what came late then is counted, by its cause."""
    installation = session.system.installation
    profile = configuration(installation, session.system.environ).profile

    found = asyncio.run(differing(installation, profile, Told(None)))

    assert session.killed
    assert found.fills > 0
    assert found.differing == 0, found.lines
    assert bool(found.pnl_difference) <= bool(found.explained)
