"""Validates built manifests by kubernetes-validate; custom resources are kubeconform's.

validate.py FILE…: says how many were looked at; an unknown field is a fault.
"""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

VERSION = "1.34"
OPERATORS = ("monitoring.coreos.com/", "kafka.strimzi.io/")  # whose kinds are custom ones


def main(paths: list[Path]) -> int:
    """Status 1 if one is wrong, or nothing was looked at."""
    checked = 0
    faults: list[str] = []
    for path in paths:
        for one in yaml.safe_load_all(path.read_text()):
            if not one or one["apiVersion"].startswith(OPERATORS):
                continue
            checked += 1
            try:
                kubernetes_validate.validate(one, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                name, place = one["metadata"]["name"], ".".join(map(str, error.path))
                faults.append(f"{one['kind']} {name}: {place}: {error.message}")
            except kubernetes_validate.SchemaNotFoundError as error:
                faults.append(error.message)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    sys.stdout.write(f"resources={checked} faults={len(faults)}\n")
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main([Path(word) for word in sys.argv[1:]]))
