"""What is deployed follows from the topology and the declarations: compose, pods, policies."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from chandler.streams.catalogue import TOPICS
from chandler.streams.clients import MESSAGE_BYTES_MAX
from chandler.streams.settings import installation
from services.deploying import files, links
from services.deploying.workloads import PART_OF
from services.loading import load_service
from services.topology import ORDER, Worker, exists, http_port
from tests.project.tree import ROOT

SERVICES = [name for name in ORDER if exists(name)]
OTHERS = {"kafka", "postgres", "prepare", "prometheus", "alertmanager", "grafana"}
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
NAME = "app.kubernetes.io/name"


class Compose(yaml.CSafeLoader):  # type: ignore[misc]
    """Compose's own tags; what they stand for is taken as it is."""


Compose.add_constructor("!override", lambda loader, node: loader.construct_mapping(node, deep=True))


@cache
def compose(name: str = "docker-compose.yml") -> Any:
    return yaml.load((ROOT / name).read_text(), Compose)


@cache
def manifests() -> list[Any]:
    """Every resource that is written down under k8s/."""
    found = [
        one
        for path in sorted((ROOT / "k8s").rglob("*.yaml"))
        for one in yaml.load_all(path.read_text(), yaml.CSafeLoader)
        if isinstance(one, dict)
    ]
    assert found
    return found


def workloads() -> list[Any]:
    """Those with pods; patches, which have no pod of their own, left out."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return [
        one
        for one in manifests()
        if one["kind"] in kinds and "securityContext" in one["spec"]["template"]["spec"]
    ]


def named(kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in manifests() if one["kind"] == kind}


def peers(rule: Any, side: str) -> set[str]:
    return {peer["podSelector"]["matchLabels"][NAME] for peer in rule[side]}


def ports_of(rule: Any) -> set[int]:
    return {each["port"] for each in rule["ports"]}


class TestCompose:
    """docker-compose.yml is written by hand."""

    def test_it_has_exactly_the_services_of_the_topology(self):
        ours = {links.host(name): ["run", name] for name in SERVICES}
        found = compose()["services"]

        assert {name: one["command"] for name, one in found.items() if name not in OTHERS} == ours

    def test_everything_is_reached_from_this_machine_only(self):
        published = [
            port for one in compose()["services"].values() for port in one.get("ports", [])
        ]

        assert published
        assert all(re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port) for port in published)

    @pytest.mark.parametrize("name", sorted({*map(links.host, SERVICES), *OTHERS}))
    def test_a_container_has_no_rights_and_a_limit(self, name):
        one = compose()["services"][name]
        limits = one["deploy"]["resources"]["limits"]

        assert HARDENED.items() <= one.items()
        assert not one["user"].startswith(("0", "root"))
        assert set(limits) == {"cpus", "memory"}
        assert one.get("restart")

    def test_each_variable_of_ours_is_one_that_the_code_knows(self):
        code = "".join(
            path.read_text()
            for folder in ("libs", "services")
            for path in (ROOT / folder).rglob("*.py")
        )
        used = {
            variable
            for one in compose()["services"].values()
            for variable in one.get("environment", {})
            if variable.startswith("CHANDLER_")
        }

        assert used
        assert {variable for variable in used if f'"{variable}"' not in code} == set()

    def test_secrets_are_files_and_the_demo_has_each_of_them(self):
        secrets = compose()["secrets"]
        wanted = {name for one in compose()["services"].values() for name in one.get("secrets", [])}

        assert wanted == set(secrets)
        assert all((ROOT / "deploy" / "demo" / name).read_text().strip() for name in wanted)

    def test_only_the_demo_runs_what_stands_in_for_others(self):
        with_profile = {
            name: one["profiles"]
            for name, one in compose()["services"].items()
            if "profiles" in one
        }

        assert with_profile == {"simulator": ["demo"], "telegram-stand-in": ["demo"]}
        assert "COMPOSE_PROFILES=demo" in (ROOT / ".env").read_text().splitlines()

    def test_offline_needs_no_image_but_pythons_and_no_ledger_elsewhere(self):
        whole, offline = compose()["services"], compose("docker-compose.offline.yml")["services"]
        pulled = {name for name, one in whole.items() if "build" not in one}
        left_out = {name for name, one in offline.items() if one.get("profiles") == ["online"]}
        built = {name for name, one in offline.items() if "build" in one}

        assert offline.keys() <= whole.keys()
        assert pulled == left_out | built
        assert {
            name
            for name, one in offline.items()
            if one.get("environment") == {"CHANDLER_LEDGER": ""}
        } == {"prepare", *(links.host(n) for n in SERVICES if "postgres" in links.around(n).asks)}


class TestPods:
    """Every pod of every overlay and component."""

    def test_there_is_one_workload_for_each_service(self):
        found = {one["metadata"]["name"] for one in workloads()}

        assert found == {links.host(name) for name in SERVICES} | OTHERS

    @pytest.mark.parametrize("one", workloads(), ids=lambda one: one["metadata"]["name"])
    def test_a_pod_is_nobody_writes_nowhere_has_no_token_and_limits(self, one):
        pod = one["spec"]["template"]["spec"]
        about = pod["securityContext"]

        assert pod["automountServiceAccountToken"] is False
        assert about["runAsNonRoot"] is True
        assert about["runAsUser"] > 0
        assert about["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            known = {volume["name"] for volume in pod["volumes"]} | {
                claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])
            }
            assert {mount["name"] for mount in container["volumeMounts"]} == known

    @pytest.mark.parametrize("name", SERVICES)
    def test_a_service_is_started_and_probed_as_the_topology_says(self, name):
        found = {one["metadata"]["name"]: one for one in workloads()}[links.host(name)]
        container = found["spec"]["template"]["spec"]["containers"][0]
        port = http_port(installation({}), Worker(name, 0))

        assert container["args"] == ["run", name]
        assert container["ports"][0] == {"name": "http", "containerPort": port}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
        if not load_service(name).scalable and found["kind"] == "Deployment":
            assert found["spec"]["strategy"] == {"type": "Recreate"}

    def test_labels_say_that_a_pod_is_ours(self):
        for one in workloads():
            assert one["spec"]["template"]["metadata"]["labels"][PART_OF] == "chandler"

    def test_no_pod_may_be_asked_or_ask_unless_a_policy_says_so(self):
        nothing = named("NetworkPolicy")["nothing"]["spec"]

        assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


class TestPolicies:
    """Who may talk to whom."""

    @pytest.mark.parametrize("name", SERVICES)
    def test_a_service_asks_kafka_and_what_it_is_linked_with(self, name):
        spec = named("NetworkPolicy")[links.host(name)]["spec"]
        asked = {(*peers(rule, "to"), *ports_of(rule)) for rule in spec["egress"]}
        links_ = links.around(name).asks
        wanted: set[tuple[str, int | None]] = {("kafka", 9092)}
        wanted |= {("postgres", 5432)} if "postgres" in links_ else set()
        wanted |= {(links.host(each), links.served(each)) for each in links_ if each in ORDER}

        assert asked == wanted

    @pytest.mark.parametrize("name", SERVICES)
    def test_who_asks_is_let_in_where_it_asks(self, name):
        """Both ends say the same: one policy lets out, the other lets in."""
        spec = named("NetworkPolicy")[links.host(name)]["spec"]
        let_in = {
            (peer, port)
            for rule in spec["ingress"]
            for peer in peers(rule, "from")
            for port in ports_of(rule)
        }

        wanted: set[tuple[str, int | None]] = {("prometheus", links.port(name))}
        wanted |= {(links.host(caller), links.served(name)) for caller in links.callers(name)}
        if name == "notifier":
            wanted |= {("alertmanager", links.served(name))}
        assert let_in == wanted

    def test_links_are_those_that_the_code_has(self):
        """A service whose code learns where another is, asks it."""
        for variable, asked in (("simulator_host", "simulator"), ("broker_of", "simulator")):
            for name in SERVICES:
                folder = (ROOT / "services" / name).rglob("*.py")
                if any(variable in path.read_text() for path in folder):
                    assert asked in links.around(name).asks, f"{name} asks {asked}"

    def test_whoever_reads_or_writes_is_let_to_kafka(self):
        talking = {name for name in SERVICES if load_service(name).reads}

        assert talking
        for name in talking:
            rule = named("NetworkPolicy")[links.host(name)]["spec"]["egress"][0]
            assert peers(rule, "to") == {"kafka"}

    def test_the_demo_lets_nobody_out(self):
        demo = yaml.safe_load((ROOT / "k8s/overlays/demo/kustomization.yaml").read_text())

        assert not [name for name in demo["components"] if name.endswith("outside")]


class TestPlaces:
    """Ports and topics that are written down more than once."""

    def test_prometheus_asks_every_service_where_it_answers(self):
        config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
        job = next(one for one in config["scrape_configs"] if one["job_name"] == "chandler")
        found = {(one["names"][0], one["port"]) for one in job["dns_sd_configs"]}

        assert found == {(links.host(name), links.port(name)) for name in SERVICES}

    def test_every_topic_of_the_catalogue_is_a_resource_of_production(self):
        found = {one["spec"]["topicName"]: one["spec"] for one in named("KafkaTopic").values()}

        assert found.keys() == {topic.name for topic in TOPICS}
        assert {one["replicas"] for one in found.values()} == {3}
        assert found["signals"]["partitions"] == files.PARTITIONS

    def test_a_resource_has_a_name_that_the_api_takes(self):
        """Topics with an underscore in theirs were refused by it, and by no schema."""
        names = [(one["kind"], one["metadata"]["name"]) for one in manifests() if "metadata" in one]
        topics = [name for kind, name in names if kind == "KafkaTopic"]
        part = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

        assert [name for _, name in names if not re.fullmatch(rf"{part}(\.{part})*", name)] == []
        assert len(topics) == len(set(topics)) == len(TOPICS)

    def test_production_sets_what_its_topics_and_shards_are_made_for(self):
        text = (ROOT / "k8s/overlays/production/kustomization.yaml").read_text()
        overlay = yaml.safe_load(text)
        counts = {one["name"]: one["count"] for one in overlay["replicas"]}
        scalable = {links.host(name) for name in SERVICES if load_service(name).scalable}

        assert f"CHANDLER_SET_kafka__symbol_partitions={files.PARTITIONS}\n" in text
        assert f"CHANDLER_SET_kafka__replication={files.REPLICAS}\n" in text
        assert f"CHANDLER_SET_desk__shards={counts['executor']}\n" in text
        assert counts.keys() == scalable | {"executor"}
        assert max(counts.values()) <= files.PARTITIONS

    def test_kafka_takes_messages_as_long_as_the_embedded_one(self):
        wanted = str(MESSAGE_BYTES_MAX)
        text = (ROOT / "k8s/components/kafka/kafka.env").read_text()

        assert compose()["services"]["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == wanted
        assert f"KAFKA_MESSAGE_MAX_BYTES={wanted}\n" in text
        assert (
            str(named("Kafka")["chandler"]["spec"]["kafka"]["config"]["message.max.bytes"])
            == wanted
        )

    def test_compose_and_kubernetes_tell_their_kafka_the_same(self):
        lines = (ROOT / "k8s/components/kafka/kafka.env").read_text().splitlines()

        assert (
            dict(line.split("=", 1) for line in lines)
            == compose()["services"]["kafka"]["environment"]
        )
