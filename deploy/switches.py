"""Turns the switches of k8s/components on, in copies of the overlays: what each adds must be there.

switches.py KUSTOMIZE FOLDER: works in FOLDER and leaves NAME.yaml there for each overlay. One
switch must not take away what another, or the overlay itself, has added.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

COPIED = ("k8s", "prometheus", "grafana")
PLUGINS = "components/plugins"
ON = {
    "demo": (PLUGINS,),
    "production": ("components/live-trading", "components/telegram", PLUGINS),
}
ENGINE = "mine.py"
Built = dict[tuple[str, str], Any]  # kind and name → resource


def switched(kustomize: Path, folder: Path, overlay: str) -> Built:
    """The overlay with its switches on, built."""
    place = folder / "k8s" / "overlays" / overlay
    path = place / "kustomization.yaml"
    content = yaml.safe_load(path.read_text())
    content["components"] += [f"../../{name}" for name in ON[overlay]]
    content["configMapGenerator"].append({"name": "chandler-plugins", "files": [ENGINE]})
    (place / ENGINE).write_text("# An engine.\n")
    path.write_text(yaml.safe_dump(content))
    found = subprocess.run([str(kustomize), "build", str(place)], capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{overlay} with {', '.join(ON[overlay])}: {found.stderr.strip()}")
    (folder / f"{overlay}.yaml").write_text(found.stdout)
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(found.stdout)}


def patches(overlay: str, folder: Path) -> list[Any]:
    """What the overlay and its switches say of workloads: patches that merge."""
    kustomizations = [folder / "k8s" / name for name in (f"overlays/{overlay}", *ON[overlay])]
    paths = [path for each in kustomizations for path in sorted(each.glob("*.yaml"))]
    return [
        one
        for path in paths
        for one in yaml.safe_load_all(path.read_text())
        if isinstance(one, dict) and one["kind"] in ("Deployment", "StatefulSet")
    ]


def named(entries: list[Any]) -> set[str]:
    return {each["name"] for each in entries}


def lost(built: Built, patch: Any) -> list[str]:
    """Names of variables, mounts and volumes that the patch has and the result lacks."""
    name = patch["metadata"]["name"]
    pod = built[patch["kind"], name]["spec"]["template"]["spec"]
    wanted = patch["spec"]["template"]["spec"]
    found = named(wanted.get("volumes", [])) - named(pod["volumes"])
    for one, has in zip(wanted.get("containers", []), pod["containers"], strict=False):
        for key in ("env", "volumeMounts"):
            found |= named(one.get(key, [])) - named(has.get(key, []))
    return [f"{name} lacks {each}" for each in sorted(found)]


def plugged(built: Built) -> tuple[int, list[str]]:
    """How many pods have the engines, and those that name a ConfigMap that isn't there."""
    count = 0
    faults: list[str] = []
    for (kind, name), one in built.items():
        if kind not in ("Deployment", "StatefulSet"):
            continue
        for volume in one["spec"]["template"]["spec"]["volumes"]:
            if volume["name"] == "plugins":
                count += 1
                if ("ConfigMap", volume["configMap"]["name"]) not in built:
                    faults.append(f"{name}: no ConfigMap {volume['configMap']['name']}")
    return count, faults


def main(kustomize: Path, folder: Path) -> int:
    """Status 1 if something is lost, or nothing was looked at."""
    folder.mkdir(parents=True)
    for name in COPIED:
        shutil.copytree(name, folder / name)
    faults: list[str] = []
    looked = pods = 0
    for overlay in ON:
        built = switched(kustomize, folder, overlay)
        for patch in patches(overlay, folder):
            looked += 1
            faults += [f"{overlay}: {each}" for each in lost(built, patch)]
        count, wrong = plugged(built)
        pods += count
        faults += [f"{overlay}: {each}" for each in wrong]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    sys.stdout.write(f"switched={looked} with_engines={pods} faults={len(faults)}\n")
    return 1 if faults or not looked or not pods else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
