"""The cluster for a command that reads: the embedded Kafka runs while it is needed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chandler.streams import embedded
from chandler.streams.settings import Installation
from services.runner import installed


@contextmanager
def reading() -> Iterator[Installation]:
    """The installation; its embedded Kafka, if it holds records and doesn't run, runs meanwhile.

    An empty data directory stays as it is: the reader then says that Kafka can't be reached.
    """
    installation = installed()
    status = embedded.status(installation)
    if not installation.embedded or status.running or not status.data_bytes:
        yield installation
        return
    with embedded.lease(installation, lambda line: print(line, file=sys.stderr)):
        yield installation
