"""`make deploy-test`: builds the images, runs the demo by compose, breaks it, and counts.

Needs Docker with its compose plugin, nothing of ours: python3 -m deploy.trial
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator

from deploy.trial import full, refused, steps
from deploy.trial.engine import Compose, TrialError, check_there
from deploy.trial.figures import Figure, table

PARTS: dict[str, Callable[[Compose], Iterator[Figure]]] = {
    "start": steps.start,
    "kills": steps.kills,
    "again": steps.again,
    "refusals": refused.refusals,
    "away": steps.away,
    "own": steps.own,
    "full": full.full,
}


def main() -> int:
    """0 when every figure is as it should be; 1 else, 2 where there is no engine."""
    parser = argparse.ArgumentParser(prog="deploy-test", description=__doc__)
    parser.add_argument("--offline", action="store_true", help="docker-compose.offline.yml too")
    parser.add_argument("--no-build", action="store_true", help="takes the images that are there")
    parser.add_argument("--backtests", action="store_true", help="that image too")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--port-base", type=int, default=29_000)
    parser.add_argument(
        "--patience", type=int, default=1, help="waits so many times as long: on a busy machine"
    )
    parser.add_argument("--away", type=float, default=60.0, help="seconds that Kafka is stopped")
    parser.add_argument("--json", action="store_true", help="for programs")
    words = parser.parse_args()
    found: list[Figure] = []
    failed = ""
    try:
        check_there()
        for figure in steps.images(
            build_them=not words.no_build, offline=words.offline, backtests=words.backtests
        ):
            _take(found, figure)
        with Compose(
            offline=words.offline,
            port_base=words.port_base,
            patience=words.patience,
            away_s=words.away,
        ) as compose:
            compose.publish()
            for part in PARTS:
                if part == "start" or part in words.only:
                    for figure in PARTS[part](compose):
                        _take(found, figure)
    except TrialError as error:
        failed = str(error)
    if words.json:
        shown = {"figures": [each._asdict() | {"well": each.well} for each in found]}
        sys.stdout.write(json.dumps(shown | {"failed": failed}) + "\n")
    else:
        sys.stdout.write(table(found))
    if failed:
        sys.stderr.write(f"deploy-test: {failed}\n")
    return 1 if failed or not found or any(not each.well for each in found) else 0


def _take(found: list[Figure], figure: Figure) -> None:
    found.append(figure)
    sys.stderr.write(f"{figure.line}\n")


if __name__ == "__main__":
    sys.exit(main())
