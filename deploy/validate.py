"""Validates built manifests: Kubernetes' own kinds, and custom ones against their definitions.

validate.py DEFINITIONS… -- FILE…: says how many were looked at; an unknown field is a fault.
"""

import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

VERSION = "1.34"
# A definition lists "=" among its values, which YAML 1.1 has a meaning for.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)
Kind = tuple[str, str]  # apiVersion, kind


def closed(schema: Any) -> Any:
    """The definition's schema, with fields that it doesn't name refused."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {
        key: {name: closed(inner) for name, inner in value.items()}
        if key == "properties"
        else closed(value)
        for key, value in schema.items()
    }
    if "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    if "(?i)" in str(found.get("pattern", "")):  # Go allows it anywhere
        found["pattern"] = "(?i)" + found["pattern"].replace("(?i)", "")
    if found.get("x-kubernetes-int-or-string"):
        found = {"type": ["integer", "string"]}
    return found


def definitions(folders: list[Path]) -> dict[Kind, Any]:
    """Schemas of custom resources, by what a manifest calls them."""
    found: dict[Kind, Any] = {}
    for path in sorted(file for folder in folders for file in folder.glob("*.yaml")):
        for crd in yaml.safe_load_all(path.read_text()):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                name = f"{spec['group']}/{version['name']}"
                found[name, spec["names"]["kind"]] = schema
    return found


def main(words: list[str]) -> int:
    """Status 1 if one is wrong, or nothing was looked at."""
    place = words.index("--")
    custom = definitions([Path(word) for word in words[:place]])
    own = checked = 0
    unknown: set[Kind] = set()
    faults: list[str] = []
    for path in map(Path, words[place + 1 :]):
        for one in yaml.safe_load_all(path.read_text()):
            if not one:
                continue
            kind = (one["apiVersion"], one["kind"])
            try:
                if kind in custom:
                    checked += 1
                    jsonschema.validate(one, custom[kind])
                elif "." in kind[0] and not kind[0].split("/")[0].endswith(".k8s.io"):
                    unknown.add(kind)
                else:
                    own += 1
                    kubernetes_validate.validate(one, VERSION, strict=True)
            except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
                name = one["metadata"]["name"]
                faults.append(
                    f"{kind[1]} {name}: {'.'.join(map(str, error.path))}: {error.message}"
                )
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    left = ",".join(sorted({kind for _, kind in unknown})) or "-"
    sys.stdout.write(
        f"resources={own} custom={checked} faults={len(faults)} unchecked_kinds={left}\n"
    )
    return 1 if faults or not own else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
