"""The layout of the tree: each message says the cure."""

import pytest

from services.loading import load_service
from services.topology import ORDER, exists
from tests.project.tree import ROOT, files, modules, shown

TOP = {
    ".ci",
    ".dockerignore",
    ".env",
    ".gitattributes",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "chandler",
    "data",
    "docker-compose.offline.yml",
    "deploy",
    "docker-compose.yml",
    "docs",
    "grafana",
    "k8s",
    "libs",
    "plugins",
    "profiles",
    "prometheus",
    "pyproject.toml",
    "services",
    "tests",
    "uv.lock",
}
LIBRARIES = {"core", "strategies", "exchanges", "streams", "replay"}
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
SERVICES = [name for name in ORDER if exists(name)]


def test_no_library_hides_the_others():
    strays = sorted((ROOT / "libs").glob("*/chandler/__init__.py"))

    assert not strays, (
        f"{shown(strays[0])} hides the other libraries (chandler is a PEP 420 namespace): remove it"
    )


def test_the_libraries_are_the_five_that_we_know():
    found = {path.parent.parent.name for path in (ROOT / "libs").glob("*/chandler/")}
    found = {path.parent.name for path in (ROOT / "libs").glob("*/chandler")}

    assert found == LIBRARIES, "libs/ differs from LIBRARIES: a sixth library needs a reason first"


def test_the_top_of_the_tree_holds_what_is_known():
    strangers = {path.relative_to(ROOT).parts[0] for path in files()} - TOP

    assert not strangers, (
        f"{sorted(strangers)} at the top: move it into libs, services, tests or docs, "
        "or add it to TOP with a reason"
    )


def test_a_module_is_named_after_what_it_holds():
    faults = [
        f"{shown(path)}: {part} says nothing, name it after what it holds"
        for path in modules()
        for part in path.relative_to(ROOT).parts
        if part.removesuffix(".py") in FORBIDDEN
    ]

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", SERVICES)
def test_one_noun_runs_through_a_service(name):
    """Its folder, declaration, metrics and tests have the same name."""
    service = load_service(name)
    tests = [path for path in files("tests/*.py") if path.name.startswith("test_")]
    named = [path for path in tests if name.rstrip("s") in path.stem or name in path.parts]

    assert service.name == name
    assert (ROOT / "services" / name / "__init__.py").exists()
    assert all(metric.name.startswith(f"chandler_{name}_") for metric in service.metrics), (
        f"services/{name}/service.py: a metric's name begins with chandler_{name}_"
    )
    assert named, f"no test is named after {name}: write tests/**/test_{name}.py"


def test_every_folder_of_services_is_in_the_topology():
    folders = {path.parent.name for path in (ROOT / "services").glob("*/service.py")}

    assert folders == set(SERVICES), "add the service to ORDER in services/topology.py"


def test_only_edges_reach_outside():
    """What touches the world is in edge.py or beside it; a stage's declaration has no client."""
    for name in SERVICES:
        if load_service(name).kind == "stage":
            text = (ROOT / "services" / name / "service.py").read_text()
            for client in ("aiokafka", "aiohttp", "websockets", "open("):
                assert client not in text, f"services/{name}/service.py uses {client}: make an edge"
