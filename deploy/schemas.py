"""Writes the schemas that kubeconform reads: of Kubernetes' own kinds, and of custom ones.

schemas.py FOLDER DEFINITIONS…: Kubernetes' come with kubernetes-validate, a custom kind's is
its definition's. An unknown field is a fault in both.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

VERSION = "1.34"
WITHIN = "kubernetes-json-schema"
ABSOLUTE, BESIDE = '"/api/_definitions.json#', '"_definitions.json#'  # how they name each other


class Definitions(yaml.CSafeLoader):  # type: ignore[misc]
    """They list "=" among their values, which YAML 1.1 has a meaning for."""


Definitions.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def closed(schema: Any) -> Any:
    """The definition's schema, with fields that it doesn't name refused."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found: dict[str, Any] = {
        key: {name: closed(inner) for name, inner in value.items()}
        if key == "properties"
        else closed(value)
        for key, value in schema.items()
    }
    if "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def custom(path: Path) -> dict[str, Any]:
    """Schemas of a file of definitions, by kind, group and version as kubeconform asks for them."""
    found: dict[str, Any] = {}
    for crd in yaml.load_all(path.read_text(), Definitions):
        if not crd or crd.get("kind") != "CustomResourceDefinition":
            continue
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            kind = spec["names"]["kind"].lower()
            found[f"{kind}-{spec['group']}-{version['name']}"] = schema
    return found


def own() -> dict[str, str]:
    """Kubernetes' schemas as text, each naming the others by where they lie."""
    folder = files("kubernetes_validate") / WITHIN / f"v{VERSION}.0-local-strict"
    found: dict[str, str] = {}
    for file in folder.iterdir():
        schema = json.loads(file.read_text())
        schema.pop("$id", None)
        found[file.name] = json.dumps(schema).replace(ABSOLUTE, BESIDE)
    return found


def main(folder: Path, definitions: list[Path]) -> int:
    """Status 1 if one of either kind is missing."""
    (folder / "own").mkdir(parents=True)
    (folder / "custom").mkdir()
    kinds: dict[str, Any] = {}
    for path in sorted(file for each in definitions for file in each.glob("*.yaml")):
        kinds |= custom(path)
    for name, schema in kinds.items():
        (folder / "custom" / f"{name}.json").write_text(json.dumps(schema))
    texts = own()
    for name, text in texts.items():
        (folder / "own" / name).write_text(text)
    sys.stdout.write(f"schemas={len(texts)} custom_schemas={len(kinds)}\n")
    return 0 if texts and kinds else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]))
