"""Docker and its compose, called by their command lines."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "chandler:local"
PROJECT = "chandler-trial"  # volumes and containers of its own
CALL_S_MAX = 120.0
BUILD_S_MAX = 3600.0
UP_S_MAX = 600.0
LOOK_S = 0.5
SPEED = 60.0  # of the demo's venue
SESSION_MS = 3000  # after which Kafka takes its own node for gone
ANSWER_S_MAX = 5.0


class TrialError(Exception):
    """What was expected did not come: one line for people."""


def docker(
    *words: str,
    limit_s: float = CALL_S_MAX,
    environ: Mapping[str, str] | None = None,
    errors: bool = False,
) -> str:
    """What it prints, with `errors` also as errors; TrialError with its last line."""
    done = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
        raise TrialError(f"docker {' '.join(words[:4])} …: {said[-1]}")
    return done.stdout + (done.stderr if errors else "")


def logs(container: str, *words: str) -> list[str]:
    """Lines of a container's log."""
    return docker("logs", *words, container, errors=True).strip().splitlines()


def check_there() -> None:
    """TrialError where there is no engine, or no compose."""
    if shutil.which("docker") is None:
        raise TrialError("docker isn't on PATH: install Docker with its compose plugin")
    try:
        docker("version", "--format", "{{.Server.Version}}")
        docker("compose", "version", "--short")
    except TrialError as error:
        raise TrialError(f"an engine and docker compose are needed: {error}") from None


def build(target: str, tag: str) -> float:
    """Seconds that it took."""
    begun = time.monotonic()
    words = ("build", "--target", target, "--tag", tag, ".")
    docker(*words, limit_s=BUILD_S_MAX, environ={"DOCKER_BUILDKIT": "1"})
    return time.monotonic() - begun


def megabytes(tag: str) -> float:
    """Of all layers, unpacked."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", tag)) / 1e6


class Compose:
    """One project: which files, which environment; `with` takes it all down again."""

    def __init__(
        self, *, offline: bool, port_base: int, patience: int = 1, away_s: float = 60.0
    ) -> None:
        self.patience = patience  # how many times as long as usual is waited
        self.away_s = away_s  # that Kafka is stopped
        self._place = tempfile.TemporaryDirectory(prefix="chandler-trial-")
        self.folder = Path(self._place.name)
        self._files = ["docker-compose.yml"]
        if offline:
            self._files.append("docker-compose.offline.yml")
        self.simulator = f"http://127.0.0.1:{port_base + 2}"
        self.telegram = f"http://127.0.0.1:{port_base + 3}"
        self.environ = {
            "COMPOSE_PROFILES": "demo",
            "CHANDLER_SIMULATOR_PORT": str(port_base + 2),
            "CHANDLER_TELEGRAM_PORT": str(port_base + 3),
        }
        self.ports = json.loads((ROOT / "deploy" / "ports.json").read_text())

    def __enter__(self) -> "Compose":
        self.call("down", "--volumes", "--remove-orphans")
        return self

    def __exit__(self, *_: object) -> None:
        self.call("down", "--volumes", "--remove-orphans")
        self._place.cleanup()

    def add(
        self, name: str, services: dict[str, Any], volumes: dict[str, Any] | None = None
    ) -> None:
        """One more file over the others."""
        self._add_text(name, json.dumps({"services": services, "volumes": volumes or {}}))

    def _add_text(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        self._files.append(str(path))

    def publish(self) -> None:
        """Every service's health and metrics at a port of 127.0.0.1 that is free."""
        found: dict[str, Any] = {
            name: {"ports": [f"127.0.0.1::{self.port(name)}"]} for name in self.services(ours=True)
        }
        if self.patience > 1:
            waits = {"timeout": 10 * self.patience, "start_period": 180 * self.patience}
            slower = {"CHANDLER_SET_simulator__speed": f"{SPEED / self.patience:g}"}
            for each in found.values():
                each["environment"] = slower
            session = f"{SESSION_MS * self.patience}"
            found["kafka"] = {"environment": {"KAFKA_BROKER_SESSION_TIMEOUT_MS": session}}
            for name in self.services():
                check = {wait: f"{seconds}s" for wait, seconds in waits.items()}
                found.setdefault(name, {})["healthcheck"] = check
        self.add("ports.json", found)

    def own_image(self, tag: str) -> None:
        """Every service from another image; plugins/ is not mounted over what that one brings."""
        config = json.loads(self.call("config", "--format", "json"))["services"]
        lines = ["services:"]
        for name in [*self.services(ours=True), "prepare"]:
            kept = [each for each in config[name]["volumes"] if each["target"] != "/app/plugins"]
            # Without the tag compose would add them to those that are there.
            lines += [
                f"  {name}:",
                f"    image: {tag}",
                f"    volumes: !override {json.dumps(kept)}",
            ]
        self._add_text("own.yml", "\n".join(lines))

    @contextmanager
    def small_disks(self, megabytes: dict[str, int]) -> Iterator["Hold"]:
        """Starts anew, with volumes of this size each; what holds them, to fill and clear them."""
        self.call("down", "--volumes", "--remove-orphans")
        owned = "uid=10001,gid=10001,mode=0700"
        made = {
            name: {
                "driver": "local",
                "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"size={size}m,{owned}"},
            }
            for name, size in megabytes.items()
        }
        self.add("small.json", {}, made)
        self.call("create", "--no-build")  # the volumes
        mounts = [word for name in made for word in ("--volume", f"{PROJECT}_{name}:/{name}")]
        command = ("sleep", "infinity")
        hold = docker("run", "--detach", "--rm", *mounts, "--entrypoint", *command[:1], IMAGE,
                      *command[1:]).strip()  # fmt: skip
        try:
            yield Hold(hold)
        finally:
            docker("kill", hold)

    def port(self, name: str) -> int:
        """Where it answers inside of its container."""
        offset = self.ports["offsets"][name.replace("-", "_")]
        return int(self.ports["base"] + offset)

    def call(self, *words: str) -> str:
        """docker compose with this project's files."""
        files = [part for file in self._files for part in ("--file", file)]
        return docker(
            "compose",
            "--project-name",
            PROJECT,
            "--project-directory",
            str(ROOT),
            *files,
            *words,
            limit_s=UP_S_MAX * self.patience,
            environ=self.environ,
        )

    def up(self, *services: str) -> float:
        """Seconds until all that was asked for is healthy."""
        begun = time.monotonic()
        wait = ("--wait", "--wait-timeout", str(int(UP_S_MAX * self.patience)))
        self.call("up", "--detach", "--no-build", "--quiet-pull", *wait, *services)
        return time.monotonic() - begun

    def services(self, *, ours: bool = False) -> list[str]:
        """Those of the profile that keep running; with `ours` those that a declaration names."""
        names = sorted(self.call("config", "--services").split())
        known = self.ports["offsets"]
        return [
            name
            for name in names
            if (name.replace("-", "_") in known if ours else name != "prepare")
        ]

    def container(self, service: str) -> str:
        """Its id."""
        found = self.call("ps", "--all", "--quiet", service).split()
        if len(found) != 1:
            raise TrialError(f"expected one container of {service}, found {len(found)}")
        return found[0]

    def state(self, service: str) -> dict[str, Any]:
        """What the engine knows of the container: State, RestartCount and the others."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def healthy(self, service: str) -> bool:
        """Whether its health check says so."""
        state = self.state(service)["State"]
        return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

    def metrics(self, service: str) -> dict[str, float]:
        """The sum over all labels, by metric; nothing while it doesn't answer."""
        try:
            place = self.call("port", service, str(self.port(service))).strip()
            text = _read(f"http://{place}/metrics").decode()
        except (OSError, TrialError):
            return {}
        sums: dict[str, float] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.partition("{")[0].split(" ")[0], line.rsplit(" ", 1)[1]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def inside(self, service: str, *words: str) -> str:
        """A command in a new container of the service, with nothing else started."""
        return self.call("run", "--rm", "--no-deps", "-T", "--entrypoint", words[0], service,
                         *words[1:])  # fmt: skip


class Hold(NamedTuple):
    """A container that has volumes mounted, at /NAME each, while others come and go."""

    container: str

    def fill(self, volume: str) -> None:
        """Until no byte is left."""
        self._sh(f"cat /dev/zero >/{volume}/fill 2>/dev/null || true")

    def clear(self, volume: str) -> None:
        self._sh(f"rm -f /{volume}/fill")

    def _sh(self, line: str) -> None:
        docker("exec", self.container, "sh", "-c", line)


def answer(url: str) -> Any:
    """JSON of a page; None while nobody answers."""
    try:
        return json.loads(_read(url))
    except OSError:
        return None


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=ANSWER_S_MAX) as response:  # noqa: S310 - our own
        content: bytes = response.read()
        return content


def kill(image: str, process: int) -> None:
    """kill -9 by the machine's process number.

    Not `docker kill`: the engine takes that for a stop by hand, and `unless-stopped` leaves it.
    """
    code = f"import os; os.kill({process}, 9)"
    words = ("run", "--rm", "--pid=host", "--user=0:0", "--entrypoint=python", image, "-I", "-c")
    docker(*words, code)
