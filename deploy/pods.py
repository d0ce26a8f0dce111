"""Runs each pod of the demo's manifests as a container: pods.py KUSTOMIZED

KUSTOMIZED is what `kubectl kustomize k8s/` prints. User, command, read-only root, environment,
files and limits are the manifest's; disks and empty folders become folders of this machine. Then
each container is asked what its readiness probe asks. What has no image here is named and left out.
"""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

NETWORK = "kube-test"
READY_S_MAX = 120.0
POLL_S = 0.5
STAND_INS = {"apache/kafka": "chandler-kafka:local"}  # image → one that is built here
FIRST = ("kafka", "postgres", "prepare")  # the others begin when these are ready, or have ended
WITHOUT_LEDGER = {"CHANDLER_LEDGER": ""}  # a file, where no PostgreSQL runs


class PodError(Exception):
    """What is wrong, in one line."""


class Manifests(NamedTuple):
    """The kinds that pods are made of, by name."""

    workloads: dict[str, Any]
    maps: dict[str, dict[str, str]]  # of ConfigMaps
    secrets: dict[str, dict[str, str]]


def manifests(text: str) -> Manifests:
    """Of what kustomize printed."""
    found = Manifests({}, {}, {})
    for one in yaml.safe_load_all(text):
        name = one["metadata"]["name"]
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            found.workloads[name] = one
        elif one["kind"] == "ConfigMap":
            found.maps[name] = one.get("data", {})
        elif one["kind"] == "Secret":
            found.secrets[name] = {
                key: base64.b64decode(value).decode() for key, value in one["data"].items()
            }
    return found


def image(container: Any) -> str | None:
    """The image that is here: the manifest's, or what stands in for it; None where neither is."""
    named = container["image"]
    for each in (named, STAND_INS.get(named.partition(":")[0], "")):
        if each and docker("image", "inspect", each, ok=(0, 1)).returncode == 0:
            return str(each)
    return None


def words(workload: Any, found: Manifests, folder: Path, changed: dict[str, str]) -> list[str]:
    """What `docker run` is told of a workload's pod, before the image; writes its files."""
    name = workload["metadata"]["name"]
    pod = workload["spec"]["template"]["spec"]
    container, about = pod["containers"][0], pod["securityContext"]
    said = ["--name", f"kube-test-{name}", "--network", NETWORK, "--network-alias", name]
    said += ["--user", f"{about['runAsUser']}:{about['runAsGroup']}"]
    rights = container["securityContext"]
    said += ["--read-only"] if rights["readOnlyRootFilesystem"] else []
    said += [f"--cap-drop={right}" for right in rights["capabilities"]["drop"]]
    if not rights["allowPrivilegeEscalation"]:
        said += ["--security-opt", "no-new-privileges:true"]
    limits = container["resources"]["limits"]
    said += ["--cpus", str(limits["cpu"]), "--memory", str(limits["memory"]).lower().rstrip("i")]
    environment = variables(container, found) | changed
    for variable, value in environment.items():
        said += ["--env", f"{variable}={value}"]
    again = "on-failure:30" if pod.get("restartPolicy") == "OnFailure" else "always"
    return [*said, "--restart", again, *mounts(workload, found, folder)]


def variables(container: Any, found: Manifests) -> dict[str, str]:
    """The container's environment; a pod's number is 0."""
    environment: dict[str, str] = {}
    for each in container.get("envFrom", []):
        environment |= found.maps[each["configMapRef"]["name"]]
    for each in container.get("env", []):
        environment[each["name"]] = str(each.get("value", "0"))
    return environment


def mounts(workload: Any, found: Manifests, folder: Path) -> list[str]:
    """Memory where the pod has it, folders for disks and empty ones, files for maps and secrets."""
    pod = workload["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod.get("volumes", [])}
    templates = workload["spec"].get("volumeClaimTemplates", [])
    kept = {each["metadata"]["name"] for each in templates}
    said: list[str] = []
    for mount in pod["containers"][0]["volumeMounts"]:
        path, volume = mount["mountPath"], volumes.get(mount["name"], {})
        if volume.get("emptyDir", {}).get("medium") == "Memory":
            size = str(volume["emptyDir"].get("sizeLimit", "64Mi")).lower().rstrip("i")
            said += ["--tmpfs", f"{path}:size={size},mode=1777"]
            continue
        if mount["name"] in kept or "emptyDir" in volume:
            place = folder / f"{mount['name']}-{workload['metadata']['name']}"
        elif "persistentVolumeClaim" in volume:
            place = folder / volume["persistentVolumeClaim"]["claimName"]
        else:
            place = folder / f"{workload['metadata']['name']}.{mount['name']}"
            write_mounted(place, files(volume, found))
        place = place / mount.get("subPath", "")
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o777)
        said += ["--volume", f"{place}:{path}{':ro' if mount.get('readOnly') else ''}"]
    return said


def files(volume: Any, found: Manifests) -> dict[str, str]:
    """Name → text of what ConfigMaps and Secrets hold for this volume."""
    if "projected" in volume:
        parts = [files({"name": volume["name"], **one}, found) for one in _sources(volume)]
        return {name: text for part in parts for name, text in part.items()}
    if "secret" in volume:
        held, chosen = found.secrets[volume["secret"]["secretName"]], volume["secret"].get("items")
    elif "configMap" in volume:
        held, chosen = found.maps[volume["configMap"]["name"]], volume["configMap"].get("items")
    else:
        raise PodError(f"volume {volume['name']} is of no kind that is known here")
    return {one["path"]: held[one["key"]] for one in chosen} if chosen else held


def _sources(volume: Any) -> list[Any]:
    """A projected volume's parts; a Secret is named otherwise in them."""
    found = volume["projected"]["sources"]
    for secret in (one["secret"] for one in found if "secret" in one):
        secret["secretName"] = secret["name"]
    return list(found)


def write_mounted(place: Path, texts: dict[str, str]) -> None:
    """As a cluster lays them: a name leads through ..data to the file itself."""
    data = place / "..2024_01_01"
    data.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(text)
        (data / name).chmod(0o444)
        first = Path(name).parts[0]
        if not (place / first).is_symlink():
            (place / first).symlink_to(f"..data/{first}")
    if not (place / "..data").is_symlink():
        (place / "..data").symlink_to(data.name)


def command(container: Any, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """The entry point's words for `docker run`, and those after the image; $(NAME) filled in."""
    said = [*container.get("command", []), *container.get("args", [])]
    for name, value in environment.items():
        said = [word.replace(f"$({name})", value) for word in said]
    if "command" not in container:
        return [], said
    return ["--entrypoint", said[0]], said[1:]


def docker(*said: str, ok: tuple[int, ...] = (0,)) -> Any:
    """Its result; PodError with what it said where its status is none of `ok`."""
    found = subprocess.run(["docker", *said], capture_output=True, text=True, check=False)
    if found.returncode not in ok:
        raise PodError(f"docker {' '.join(said[:3])}: {' '.join(found.stderr.split())}")
    return found


def state(name: str) -> Any:
    """What the engine says of a container."""
    return json.loads(docker("inspect", f"kube-test-{name}").stdout)[0]


def ready(name: str, container: Any) -> bool:
    """Whether what its readiness probe asks is answered; a Job's: whether it has done its work."""
    found = state(name)
    now = found["State"]
    if "readinessProbe" not in container:  # a Job
        return bool(now["Status"] == "exited" and now["ExitCode"] == 0)
    if not now["Running"] or now["Restarting"]:
        return False
    address = found["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    probe = container["readinessProbe"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    asked = probe.get("httpGet", probe.get("tcpSocket"))
    try:
        if "httpGet" not in probe:
            socket.create_connection((address, ports[asked["port"]]), timeout=2).close()
            return True
        connection = http.client.HTTPConnection(address, ports[asked["port"]], timeout=2)
        connection.request("GET", asked["path"])
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def last_line(name: str) -> str:
    """What a pod has said last, after its name."""
    found = docker("logs", "--tail", "1", f"kube-test-{name}")
    return f"{name} ({' '.join((found.stdout + found.stderr).split()) or 'says nothing'})"


def wait(pods: dict[str, Any]) -> None:
    """Until all are ready; PodError names those that aren't in time."""
    end = time.monotonic() + READY_S_MAX
    waiting = dict(pods)
    while waiting:
        for name, container in list(waiting.items()):
            if ready(name, container):
                del waiting[name]
        if waiting and time.monotonic() > end:
            said = "; ".join(last_line(name) for name in waiting)
            raise PodError(f"not ready within {READY_S_MAX:.0f} s: {said}")
        time.sleep(POLL_S if waiting else 0)


def groups(workloads: dict[str, Any]) -> Iterator[list[str]]:
    """Names in the order in which they begin."""
    for name in FIRST:
        if name in workloads:
            yield [name]
    yield [name for name in workloads if name not in FIRST]


def main(path: Path) -> int:
    """Status 1 if a pod does not become ready, 2 if none can be tried."""
    if not shutil.which("docker"):
        sys.stderr.write("kube-test: docker is needed to run the pods: install it\n")
        return 2
    found = manifests(path.read_text())
    containers = {
        name: one["spec"]["template"]["spec"]["containers"][0]
        for name, one in found.workloads.items()
    }
    folder = Path(tempfile.mkdtemp(prefix="kube-test-"))
    folder.chmod(0o755)
    started: dict[str, Any] = {}
    try:
        images = {name: image(each) for name, each in containers.items()}
        changed = WITHOUT_LEDGER if images["postgres"] is None else {}
        docker("network", "create", NETWORK)
        for group in groups({name: one for name, one in found.workloads.items() if images[name]}):
            for name in group:
                given = words(found.workloads[name], found, folder, changed)
                environment = variables(containers[name], found) | changed
                entry, rest = command(containers[name], environment)
                docker("run", "--detach", *given, *entry, str(images[name]), *rest)
                started[name] = containers[name]
            wait({name: containers[name] for name in group})
        wait(started)  # still
        restarts = sum(state(name)["RestartCount"] for name in started)
    except PodError as fault:
        sys.stderr.write(f"kube-test: {fault}\n")
        return 1
    finally:
        for name in started:
            docker("rm", "--force", "--volumes", f"kube-test-{name}", ok=(0, 1))
        docker("network", "rm", NETWORK, ok=(0, 1))
        shutil.rmtree(folder, ignore_errors=True)
    left = sorted(name for name, each in images.items() if each is None)
    sys.stdout.write(
        f"pods_run={len(started)} restarts={restarts} without_image={','.join(left) or '-'}\n"
    )
    return 0 if started else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
