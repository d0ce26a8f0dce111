"""All files that follow from the declarations, the catalogue and each other: path → text."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from chandler.streams.admin import configuration, partitions_of
from chandler.streams.catalogue import TOPICS, Topic
from services.declaration import Service
from services.deploying import links
from services.deploying.text import Plain, document, documents
from services.deploying.workloads import objects, outside

RENDERED = "Rendered by ./chandler render from the declarations. Don't edit."
BASE = Path("k8s/base/services")
COMPONENTS = Path("k8s/components")
PRODUCTION = Path("k8s/overlays/production")
RULES = Path("prometheus/rules")
DASHBOARDS = Path("grafana/dashboards")
PROVISIONING = Path("grafana/provisioning")
PROVISIONED = {"datasources": "grafana-datasources", "dashboards": "grafana-providers"}
APART = ("simulator", "telegram_stand_in")  # components: only the demo has them
PARTITIONS = 24  # of symbol-keyed topics in production
REPLICAS, IN_SYNC_MIN = 3, 2
CLUSTER = "chandler"  # of Strimzi


def files(services: Sequence[Service], root: Path) -> dict[Path, str]:
    """Everything but docs/topology.md; `root` is where rules and dashboards are looked for."""
    found = {Path("deploy/ports.json"): json.dumps(links.ports(), indent=2) + "\n"}
    for service in services:
        folder = COMPONENTS / links.host(service.name) if service.name in APART else BASE
        found[folder / f"{links.host(service.name)}.yaml"] = documents(RENDERED, objects(service))
    listed = [f"{links.host(each.name)}.yaml" for each in services if each.name not in APART]
    found[BASE / "kustomization.yaml"] = _kustomization(resources=sorted(listed))
    found[COMPONENTS / "outside" / "policies.yaml"] = documents(
        RENDERED,
        [outside(each) for each in services if links.OUTSIDE in links.around(each.name).asks],
    )
    found[PRODUCTION / "topics.yaml"] = documents(RENDERED, [topic(each) for each in TOPICS])
    return found | _monitoring(root)


def strangers(wanted: Mapping[Path, str], root: Path) -> list[Path]:
    """Files among the rendered ones that nothing renders any more."""
    folders = (BASE, PRODUCTION / "rules")
    there = [path.relative_to(root) for each in folders for path in (root / each).glob("*.yaml")]
    return sorted(path for path in there if path not in wanted)


def topic(one: Topic) -> Plain:
    """Strimzi's resource; its own name has small letters and no underscore, the topic's may."""
    settings = configuration(one) | {"min.insync.replicas": str(IN_SYNC_MIN)}
    return {
        "apiVersion": "kafka.strimzi.io/v1beta2",
        "kind": "KafkaTopic",
        "metadata": {
            "name": one.name.lower().replace("_", "-"),
            "labels": {"strimzi.io/cluster": CLUSTER},
        },
        "spec": {
            "topicName": one.name,
            "partitions": partitions_of(one, PARTITIONS),
            "replicas": REPLICAS,
            "config": settings,
        },
    }


def _monitoring(root: Path) -> dict[Path, str]:
    """Config maps of the rules and dashboards that are there; the rules for the operator too."""
    found: dict[Path, str] = {}
    rules = sorted(path.name for path in (root / RULES).glob("*.yml"))
    if rules:
        found[RULES.parent / "kustomization.yaml"] = _kustomization(
            configMapGenerator=[
                {
                    "name": "prometheus",
                    "files": ["prometheus.yml", *(f"rules-{name}=rules/{name}" for name in rules)],
                },
                {"name": "alertmanager", "files": ["alertmanager.yml"]},
            ]
        )
        for name in rules:
            text = (root / RULES / name).read_text()
            place = PRODUCTION / "rules" / f"{Path(name).stem}.yaml"
            found[place] = _prometheus_rule(Path(name).stem, text)
        found[PRODUCTION / "rules" / "kustomization.yaml"] = _kustomization(
            resources=[f"{Path(name).stem}.yaml" for name in rules]
        )
    boards = sorted(path.name for path in (root / DASHBOARDS).glob("*.json"))
    provisioned = sorted(
        str(path.relative_to(root / PROVISIONING)) for path in (root / PROVISIONING).rglob("*.y*ml")
    )
    if boards:
        maps: list[Plain] = [
            {"name": "grafana-dashboards", "files": [f"dashboards/{name}" for name in boards]}
        ]
        maps += [
            {"name": PROVISIONED[Path(path).parent.name], "files": [f"provisioning/{path}"]}
            for path in provisioned
        ]
        found[DASHBOARDS.parent / "kustomization.yaml"] = _kustomization(configMapGenerator=maps)
    return found


def _prometheus_rule(name: str, rules: str) -> str:
    head = document(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"chandler-{name}", "labels": {"prometheus": "chandler"}},
        }
    )
    body = "\n".join(f"  {line}" if line else "" for line in rules.rstrip().splitlines())
    return f"# {RENDERED}\n{head}spec:\n{body}\n"


def _kustomization(**content: Sequence[Plain]) -> str:
    return f"# {RENDERED}\n" + document(
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **content}
    )
