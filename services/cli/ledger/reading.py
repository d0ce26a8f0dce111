"""The ledger for a command that reads: open while it is needed, errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from services.ledger.address import address
from services.ledger.errors import explained
from services.ledger.opening import open_reader
from services.loading import configuration
from services.runner import installed


def ledger_url() -> URL:
    """Where this installation's ledger is."""
    installation = installed()
    return address(installation, configuration(installation).profile.ledger.url)


@contextmanager
def ledger() -> Iterator[Connection]:
    """A connection that can only read; one snapshot for all that is asked in it."""
    url = ledger_url()
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise explained(error, url) from None
    finally:
        engine.dispose()
