"""Applies the manifests to a Kubernetes API, looks at what comes of it, and takes them away.

kube.py DEFINITIONS…: the API is kubectl's; namespace chandler must not exist, for it is deleted.
With nodes that only say that they run pods (kwok's) it proves the objects, not the image: that is
pods.py's. Each step says what it looked at; the first that fails ends it, and what was made goes.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

OVERLAYS = (Path("k8s"), Path("k8s/overlays/production"))
NAMESPACE = "chandler"
READY_S_MAX = 180
GONE_S_MAX = 180
POLL_S = 0.2
SAID_MAX = 300  # of a line: a refused template is told whole
CHANGED = "CHANDLER_LOG_LEVEL=debug"  # what the update changes in every service's environment
PRIVILEGED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "privileged", "namespace": NAMESPACE},
    "spec": {
        "containers": [
            {"name": "one", "image": "none", "securityContext": {"privileged": True}},
        ]
    },
}
GONE = "kube-test=gone:NoExecute"  # the node's pods are ended and none is put there
PASSING = ("events", "events.events.k8s.io", "leases.coordination.k8s.io")  # come by themselves


class KubeError(Exception):
    """What is wrong, in one line."""


def kubectl(*words: str, given: str | None = None, ok: tuple[int, ...] = (0,)) -> Any:
    """Its result; KubeError with what it said where its status is none of `ok`."""
    found = subprocess.run(
        ["kubectl", *words], input=given, capture_output=True, text=True, check=False
    )
    if found.returncode not in ok:
        lines = (found.stderr or found.stdout).splitlines()
        said = "; ".join(line if len(line) < SAID_MAX else f"{line[:SAID_MAX]}…" for line in lines)
        raise KubeError(f"kubectl {' '.join(words)}: {said}")
    return found


def items(*words: str) -> list[Any]:
    """What `kubectl get` answers."""
    found = json.loads(kubectl("get", *words, "--output", "json").stdout)
    return list(found["items"]) if "items" in found else [found]


def say(**figures: object) -> None:
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in figures.items()) + "\n")
    sys.stdout.flush()


def everything() -> set[str]:
    """Names of all there is in the cluster, but what comes and goes by itself."""
    kinds = kubectl("api-resources", "--verbs=list", "--output", "name").stdout.split()
    asked = ",".join(kind for kind in kinds if kind not in PASSING)
    found = items(asked, "--all-namespaces", "--ignore-not-found")
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '-')}/{one['metadata']['name']}"
        for one in found
    }


@contextmanager
def definitions(folders: list[Path]) -> Iterator[None]:
    """Loads the custom resources' definitions, and removes those that it brought."""
    paths = sorted(path for folder in folders for path in folder.glob("*.yaml"))
    before = set(kubectl("get", "crds", "--output", "name").stdout.split())
    for path in paths:
        kubectl("apply", "--server-side", "--filename", str(path))
    brought = set(kubectl("get", "crds", "--output", "name").stdout.split()) - before
    try:
        kubectl("wait", "--for=condition=established", "--timeout=60s", "crds", "--all")
        say(definitions=len(paths))
        yield
    finally:
        if brought:
            kubectl("delete", *sorted(brought))


@contextmanager
def disks(folder: Path) -> Iterator[None]:
    """A volume for each claim, where the cluster makes none itself."""
    if items("storageclasses"):
        yield
        return
    count = claims(folder)
    made = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"kube-test-{number}"},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": f"/var/lib/kube-test/{number}"},
            },
        }
        for number in range(count)
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    kubectl("apply", "--filename", "-", given=text)
    try:
        yield
    finally:
        kubectl("delete", "--filename", "-", given=text)


def claims(folder: Path) -> int:
    """How many disks the folder's resources ask for."""
    count = 0
    for one in yaml.safe_load_all(kubectl("kustomize", str(folder)).stdout):
        templates = one.get("spec", {}).get("volumeClaimTemplates", [])
        count += len(templates) * one.get("spec", {}).get("replicas", 1)
        count += one["kind"] == "PersistentVolumeClaim"
    return count


def apply(folder: Path) -> int:
    """How many objects were taken; a warning, as of PodSecurity, is a fault."""
    found = kubectl("apply", "--server-side", "--kustomize", str(folder))
    if "Warning" in found.stderr:
        raise KubeError(f"{folder}: {' '.join(found.stderr.split())}")
    return len(found.stdout.splitlines())


def ready() -> tuple[int, int]:
    """Waits for every workload of the namespace; how many there are, and their pods."""
    workloads = items("deployments,statefulsets", "--namespace", NAMESPACE)
    for one in workloads:
        kubectl(
            *("rollout", "status", f"{one['kind'].lower()}/{one['metadata']['name']}"),
            *("--namespace", NAMESPACE, f"--timeout={READY_S_MAX}s"),
        )
    kubectl(
        *("wait", "--for=condition=complete", "job/prepare"),
        *("--namespace", NAMESPACE, f"--timeout={READY_S_MAX}s"),
    )
    pods = items("pods", "--namespace", NAMESPACE, "--field-selector=status.phase=Running")
    wanted = sum(one["spec"]["replicas"] for one in workloads)
    if len(pods) != wanted or not workloads:
        raise KubeError(f"{wanted} pods were wanted by {len(workloads)} workloads, {len(pods)} run")
    return len(workloads), len(pods)


def restricted() -> None:
    """The namespace takes none with more rights, and no pod of ours has been refused."""
    words = ("apply", "--dry-run=server", "--filename", "-")
    refused = kubectl(*words, given=json.dumps(PRIVILEGED), ok=(0, 1))
    if refused.returncode == 0 or "violates PodSecurity" not in refused.stderr:
        raise KubeError(
            f"a privileged pod was not refused: {refused.stdout}{refused.stderr}".strip()
        )
    failed = items("events", "--namespace", NAMESPACE, "--field-selector=reason=FailedCreate")
    if failed:
        raise KubeError(f"a pod was refused: {failed[0]['message']}")


def versions(folder: Path) -> dict[str, str]:
    """Each object of the folder with its version."""
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in items("--kustomize", str(folder))
    }


def unchanged(folder: Path) -> int:
    """Applies it again; how many objects stayed what they were."""
    before = versions(folder)
    apply(folder)
    after = versions(folder)
    if other := sorted(name for name in before if after.get(name) != before[name]):
        raise KubeError(f"a second apply of {folder} changed {', '.join(other)}")
    kubectl("diff", "--server-side", "--kustomize", str(folder))
    return len(after)


def updated(folder: Path) -> dict[str, int]:
    """Changes the environment of every service, as the documents say; most pods of one at once."""
    with tempfile.TemporaryDirectory(dir=".cache") as made:
        overlay = Path(made)
        (overlay / "kustomization.yaml").write_text(_overlay(folder))
        refused = kubectl("apply", "--server-side", "--kustomize", str(overlay), ok=(0, 1))
        if "field is immutable" not in refused.stderr or "prepare" not in refused.stderr:
            raise KubeError(f"the Job should have been refused, it said: {refused.stderr.strip()}")
        kubectl("delete", "job", "prepare", "--namespace", NAMESPACE)
        apply(overlay)
        most = _most_at_once()
        ready()
    return most


def _overlay(folder: Path) -> str:
    return json.dumps(
        {
            "resources": [f"../../{folder}"],
            "configMapGenerator": [
                {
                    "name": "chandler-environment",
                    "namespace": NAMESPACE,
                    "behavior": "merge",
                    "literals": [CHANGED],
                }
            ],
        }
    )


def _most_at_once() -> dict[str, int]:
    """Pods of each workload that stand at the same time, until all are replaced."""
    most: dict[str, int] = {}
    end = time.monotonic() + READY_S_MAX
    while time.monotonic() < end:
        seen: dict[str, int] = {}
        for pod in items("pods", "--namespace", NAMESPACE):
            name = pod["metadata"]["labels"]["app.kubernetes.io/name"]
            seen[name] = seen.get(name, 0) + 1
        most = {name: max(most.get(name, 0), seen.get(name, 0)) for name in most | seen}
        if all(_is_new(one) for one in items("deployments,statefulsets", "--namespace", NAMESPACE)):
            return most
        time.sleep(POLL_S)
    raise KubeError(f"not all pods were replaced within {READY_S_MAX} s")


def _is_new(workload: Any) -> bool:
    wanted, status = workload["spec"]["replicas"], workload["status"]
    same = (
        status.get("observedGeneration") == workload["metadata"]["generation"],
        status.get("updatedReplicas", 0) == wanted,
        status.get("readyReplicas", 0) == wanted,
        status.get("replicas") == wanted,
    )
    return all(same)


def singletons() -> dict[str, int]:
    """Workloads of which no more pods than wanted may stand at once: two would fence each other."""
    found = items("deployments,statefulsets", "--namespace", NAMESPACE)
    return {
        one["metadata"]["name"]: one["spec"]["replicas"]
        for one in found
        if one["kind"] == "StatefulSet" or one["spec"]["strategy"]["type"] == "Recreate"
    }


def moved() -> str:
    """Takes the node with most of our pods out of use: all of them have to run elsewhere.

    "one node": there is no other one.
    """
    pods = items("pods", "--namespace", NAMESPACE, "--field-selector=status.phase=Running")
    if len(items("nodes")) < 2:
        return "one node"
    nodes = [pod["spec"]["nodeName"] for pod in pods]
    node = max(sorted(set(nodes)), key=nodes.count)
    kubectl("taint", "nodes", node, GONE)
    try:
        end = time.monotonic() + READY_S_MAX
        while _pods_on(node):
            if time.monotonic() > end:
                raise KubeError(f"pods are still on {node} after {READY_S_MAX} s")
            time.sleep(POLL_S)
        ready()
        if _pods_on(node):
            raise KubeError(f"pods were put on {node}, which takes none")
    finally:
        kubectl("taint", "nodes", node, f"{GONE}-")
    return str(nodes.count(node))


def _pods_on(node: str) -> list[Any]:
    return items("pods", "--namespace", NAMESPACE, f"--field-selector=spec.nodeName={node}")


def delete(folder: Path, before: set[str]) -> None:
    """Takes all of it away; KubeError if something stays."""
    kubectl("delete", "--kustomize", str(folder), f"--timeout={GONE_S_MAX}s")
    end = time.monotonic() + GONE_S_MAX  # a disk that the cluster made goes after its claim
    while (left := sorted(everything() - before)) and time.monotonic() < end:
        time.sleep(POLL_S)
    if left:
        raise KubeError(f"kubectl delete --kustomize {folder} leaves {', '.join(left)}")


def tried(folder: Path) -> None:
    """One overlay from nothing to nothing."""
    with disks(folder):
        before = everything()
        try:
            applied = apply(folder)
            workloads, pods = ready()
            say(folder=folder, applied=applied, workloads=workloads, pods=pods)
            restricted()
            say(folder=folder, unchanged=unchanged(folder), warnings=0)
            wanted = singletons()
            most = updated(folder)
            if over := [name for name, count in wanted.items() if most[name] > count]:
                raise KubeError(f"more pods than wanted stood at once: {', '.join(over)}")
            say(folder=folder, updated=len(most), singletons=len(wanted))
            say(folder=folder, moved=moved())
            delete(folder, before)
            say(folder=folder, left=0)
        except BaseException:
            with suppress(KubeError):
                kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
            raise


def main(folders: list[Path]) -> int:
    """Status 1 if something is not as it must be, 2 if it can't be tried."""
    try:
        kubectl("version", "--request-timeout=10s")
    except FileNotFoundError:
        sys.stderr.write("kube-test: kubectl is needed: install it\n")
        return 2
    except KubeError as fault:
        sys.stderr.write(f"kube-test: no Kubernetes API answers, set KUBECONFIG: {fault}\n")
        return 2
    try:
        if kubectl("get", "namespace", NAMESPACE, "--ignore-not-found").stdout:
            raise KubeError(
                f"namespace {NAMESPACE} exists and would be deleted: use another cluster"
            )
        with definitions(folders):
            for folder in OVERLAYS:
                tried(folder)
    except KubeError as fault:
        sys.stderr.write(f"kube-test: {fault}\n")
        return 1
    say(overlays=len(OVERLAYS), faults=0)
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(word) for word in sys.argv[1:]]))
