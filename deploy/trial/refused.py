"""What a container can't do: it says why in one line, and ends with a status that tells which."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from deploy.trial.engine import IMAGE, PROJECT, Compose, docker
from deploy.trial.figures import Figure

REFUSED_S_MAX = 60.0
LEDGER = "CHANDLER_DATA=/tmp/data chandler ledger migrate >/dev/null"
REVISION = (
    "import sqlite3; c = sqlite3.connect('/tmp/data/ledger.sqlite'); "
    "c.execute('update alembic_version set version_num = \\'{}\\''); c.commit()"
)


class Case(NamedTuple):
    """One thing that is wrong."""

    what: str
    words: tuple[str, ...]
    environ: dict[str, str]
    status: int
    says: str  # part of the line
    shell: bool = False


def _schema(revision: str, then: str) -> tuple[str, ...]:
    code = REVISION.format(revision)
    return ("-ec", f'{LEDGER}; python -c "{code}"; CHANDLER_DATA=/tmp/data exec {then}')


CASES = (
    Case("a wrong profile", ("run", "ingest"), {"CHANDLER_PROFILE": "nosuch"}, 3, "nosuch"),
    Case("no such service", ("run", "nosuch"), {}, 3, "nosuch"),
    Case("no service at all", (), {}, 2, "SERVICE"),
    Case(
        "a secret that is missing",
        ("run", "notifier"),
        {"CHANDLER_ALERTS_SECRET_FILE": "/run/secrets/nothing"},
        3,
        "CHANDLER_ALERTS_SECRET_FILE",
    ),
    Case(
        "candles as Parquet",
        ("run", "simulator"),
        {"CHANDLER_SET_simulator__candles": "/etc/hostname"},
        3,
        "pyarrow",
    ),
    Case(
        "topics with other settings",
        ("topics", "create"),
        {"CHANDLER_SET_kafka__symbol_partitions": "3"},
        3,
        "partitions",
    ),
    Case("no Kafka yet", ("run", "ingest"), {"CHANDLER_BROKERS": "nowhere:9092"}, 4, "look at"),
    Case("a backtest", ("backtest",), {}, 1, "image for backtests"),
    Case("a ledger of later code", _schema("9999", "chandler ledger migrate"), {}, 3, "9999", True),
    Case(
        "a ledger of older code, read",
        _schema("0000", "chandler ledger orders"),
        {},
        3,
        "0000",
        True,
    ),
)


def refusals(compose: Compose) -> Iterator[Figure]:
    """Each case in a container of its own: the last line is the reason, and the only one."""
    for case in CASES:
        status, lines = _run(case)
        reasons = [line for line in lines if case.says in line]
        well = status == case.status and reasons == lines[-1:] and "Traceback" not in str(lines)
        shown = _message(lines[-1]) if lines else "nothing said"
        yield Figure("refused", case.what, f"status {status}: {shown}", demanded=well)


def _message(line: str) -> str:
    """Of a line of the log, or the line itself where a command said it."""
    return str(json.loads(line)["message"]) if line.startswith("{") else line


def _run(case: Case) -> tuple[int, list[str]]:
    """Its status, and the lines that it said; one that doesn't end is killed and has status -1."""
    name = f"{PROJECT}-{uuid.uuid4().hex[:8]}"
    words = ["docker", "run", "--rm", "--name", name, "--network", f"{PROJECT}_default"]
    words += ["--read-only", "--tmpfs", "/tmp"]  # noqa: S108 - of the container
    for variable, value in {"CHANDLER_BROKERS": "kafka:9092", **case.environ}.items():
        words += ["--env", f"{variable}={value}"]
    words += ["--entrypoint", "sh"] if case.shell else []
    try:
        done = subprocess.run(
            [*words, IMAGE, *case.words],
            capture_output=True,
            text=True,
            timeout=REFUSED_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        docker("kill", name)
        told = (expired.stderr or b"").decode(errors="replace")
        return -1, told.splitlines()
    return done.returncode, (done.stdout + done.stderr).splitlines()
