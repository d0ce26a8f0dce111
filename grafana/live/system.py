"""The demo, PostgreSQL and Prometheus, started for a check and ended after it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from chandler.streams.settings import PORT_BASE_DEFAULT, PORT_METRICS, Installation, installation
from services.topology import INSTANCE_STRIDE, ORDER
from tests.services.postgres import running

ROOT = Path(__file__).resolve().parents[2]
SCRAPE, EVALUATE = "2s", "5s"
PORT_PROMETHEUS = 9  # + the port base: free below the services' metrics
SYMBOLS = 20
WORKERS = 2  # of indicators and signals, so that a service has instances
# What must happen so that the dashboards have something to show. Fills come with the candles.
FAULTS = (
    "cut=45s,drop=1%,duplicate=2%,late=1%,missing=0.2%,storm429=120s/4s,noreply=10%,ambiguous=10%"
)
READY_S_MAX, STOP_S_MAX, ANSWER_S_MAX = 240.0, 60.0, 5.0
READY = 'count({__name__=~"chandler_.+_ready", job="chandler"} == 1)'


class StartError(Exception):
    """It can't be started: the message is one line."""


class System(NamedTuple):
    """What runs."""

    here: Installation
    environ: dict[str, str]
    ledger: str  # URL
    prometheus: str  # URL
    up: subprocess.Popen[bytes]


@contextmanager
def system(speed: float) -> Iterator[System]:
    """All of it, ready; ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chandler-observe-"))
    try:
        with running() as postgres:
            ledger = postgres.database()
            environ = {
                **os.environ,
                "CHANDLER_DATA": str(folder / "data"),
                "CHANDLER_LEDGER": ledger,
            }
            here = installation(environ)
            with _up(folder, environ, speed) as up, _prometheus(folder, here) as url:
                yield System(here, environ, ledger, url, up)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def statuses(started: System) -> dict[str, Any]:
    """What `./chandler status` says of each worker."""
    done = subprocess.run(
        ["./chandler", "status", "--json"],
        cwd=ROOT,
        env=started.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise StartError(done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def is_ready(prometheus: str) -> bool:
    """Whether every worker answers and says that it is ready."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': READY})}"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S_MAX) as response:  # noqa: S310
            result = json.load(response)["data"]["result"]
    except OSError:  # it isn't up yet: asked again
        return False
    return bool(result) and int(result[0]["value"][1]) == len(ORDER) + 2 * (WORKERS - 1)


@contextmanager
def _up(folder: Path, environ: dict[str, str], speed: float) -> Iterator[subprocess.Popen[bytes]]:
    words = ["./chandler", "up", "--quiet", "--speed", str(speed), "--faults", FAULTS]
    words += ["--symbols", str(SYMBOLS)]
    for service in ("indicators", "signals"):
        words += ["--scale", f"{service}={WORKERS}"]
    with _process(words, folder / "up.log", environ) as process:
        yield process


@contextmanager
def _prometheus(folder: Path, here: Installation) -> Iterator[str]:
    """Prometheus with our rules, asking every worker; its URL."""
    address = f"127.0.0.1:{here.port(PORT_PROMETHEUS)}"
    held = folder / "prometheus.yml"
    held.write_text(yaml.safe_dump(_configuration(here)))
    words = [
        "prometheus",
        f"--config.file={held}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
    ]
    with _process(words, folder / "prometheus.log", dict(os.environ)):
        yield f"http://{address}"


def _configuration(here: Installation) -> dict[str, Any]:
    """That of prometheus/local, with this system's ports, all workers, and less patience."""
    held: dict[str, Any] = yaml.safe_load((ROOT / "prometheus/local/prometheus.yml").read_text())
    held["global"] = {
        "scrape_interval": SCRAPE,
        "scrape_timeout": SCRAPE,
        "evaluation_interval": EVALUATE,
    }
    held["rule_files"] = [str(ROOT / "prometheus/rules/*.yml")]
    del held["alerting"]
    held["scrape_configs"] = [
        each for each in held["scrape_configs"] if each["job_name"] == "chandler"
    ]
    targets = []
    for entry in held["scrape_configs"][0]["static_configs"]:
        service = entry["labels"]["service"]
        port = int(entry["targets"][0].rpartition(":")[2]) - PORT_BASE_DEFAULT
        assert port == PORT_METRICS + ORDER.index(service), f"{service} has another port"
        workers = WORKERS if service in ("indicators", "signals") else 1
        hosts = [f"127.0.0.1:{here.port(port + INSTANCE_STRIDE * at)}" for at in range(workers)]
        targets.append({**entry, "targets": hosts})
    held["scrape_configs"][0]["static_configs"] = targets
    return held


@contextmanager
def _process(
    words: list[str], log: Path, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs meanwhile; StartError with its last lines where it ended by itself."""
    with log.open("wb") as file:
        process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        yield process
        _still_runs(process, words[0], log)
    except StartError:
        _still_runs(process, words[0], log)  # it says more
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _still_runs(process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    if process.poll() is not None:
        last = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
        raise StartError(f"{name} ended with {process.returncode}: {last}")
