"""A process that uses the embedded Kafka, for tests of several: says what it has, then waits.

python -m tests.kafka.user once|lease DATA PORT_BASE
"""

import sys

from chandler.streams import embedded
from chandler.streams.settings import Installation, installation


def say(found: Installation) -> None:
    print(embedded.status(found).pid, flush=True)


def main(kind: str, data: str, port_base: str) -> None:
    mine = installation({"CHANDLER_DATA": data, "CHANDLER_PORT_BASE": port_base})
    if kind == "once":
        embedded.ensure_running(mine)
        say(mine)
        return
    with embedded.lease(mine):
        say(mine)
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
