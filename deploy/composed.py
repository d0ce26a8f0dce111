"""Reads the compose files as compose does, without an engine: composed.py COMPOSE_GO

By compose-go's own command: words that it doesn't know are faults, and so are, for each profile
alone and offline, names that nothing declares and files that aren't there.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROFILES = ("demo", "paper", "live")
FILES = (("docker-compose.yml",), ("docker-compose.yml", "docker-compose.offline.yml"))
MADE = {"plugins"}  # folders of a person's own, which an engine makes where they aren't


def merged(command: Path, files: tuple[str, ...], profile: str) -> Any:
    """The model that comes of the files; SystemExit where they are wrong."""
    found = subprocess.run(
        [str(command), "--format", "json", *files],
        env=os.environ | {"COMPOSE_PROFILES": profile},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise SystemExit(f"{' '.join(files)}, profile {profile}: {found.stderr.strip()}")
    return json.loads(found.stdout)


def faults(model: Any, profile: str) -> list[str]:
    """Of what runs under a profile."""
    running = {
        name: one
        for name, one in model["services"].items()
        if not one.get("profiles") or profile in one["profiles"]
    }
    found: list[str] = []
    for name, one in running.items():
        for other, how in one.get("depends_on", {}).items():
            if other not in running and how.get("required", True):
                found.append(f"{name} waits for {other}, which doesn't run")
        for kind in ("secrets", "configs"):
            declared = model.get(kind, {})
            for each in one.get(kind, []):
                if each["source"] not in declared:
                    found.append(f"{name}: {each['source']} is not among {kind}")
                elif not Path(declared[each["source"]]["file"]).is_file():
                    found.append(f"{kind} {each['source']}: its file isn't there")
        found += [f"{name}: {fault}" for fault in _volumes(one, model)]
        found += [
            f"{name}: network {network} isn't declared"
            for network in one.get("networks", {})
            if network not in model["networks"]
        ]
    return found if running else [f"nothing runs under profile {profile}"]


def _volumes(one: Any, model: Any) -> list[str]:
    found: list[str] = []
    for each in one.get("volumes", []):
        source = each.get("source", "")
        if each["type"] == "volume" and source not in model.get("volumes", {}):
            found.append(f"volume {source} isn't declared")
        path = Path(source)
        if each["type"] == "bind" and path.name not in MADE and not path.exists():
            found.append(f"{path.name} isn't there to be mounted")
    return found


def main(command: Path) -> int:
    """Status 1 if one is wrong."""
    found: list[str] = []
    services = looked = 0
    for files in FILES:
        for profile in PROFILES:
            model = merged(command, files, profile)
            looked += 1
            services += len(model["services"])
            found += [
                f"{' '.join(files)}, profile {profile}: {fault}" for fault in faults(model, profile)
            ]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    sys.stdout.write(f"compositions={looked} services={services} faults={len(found)}\n")
    return 1 if found or not services else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
