"""The ledger for a command that reads: open while it is needed, errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection

from services.ledger.address import address
from services.ledger.opening import snapshot
from services.loading import configuration
from services.runner import installed


def ledger_url() -> URL:
    """Where this installation's ledger is."""
    installation = installed()
    return address(installation, configuration(installation).profile.ledger.url)


@contextmanager
def ledger() -> Iterator[Connection]:
    """A connection that can only read; one snapshot for all that is asked in it."""
    with snapshot(ledger_url()) as connection:
        yield connection
