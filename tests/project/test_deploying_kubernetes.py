"""What the checks of manifests find, without a cluster: patches, engines of one's own, pods."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chandler.streams.settings import installation
from services import plugins
from services.deploying import links
from services.deploying.files import APART
from services.deploying.workloads import ACCOUNT
from services.topology import ORDER, exists
from tests.project.test_deploying import named, workloads
from tests.project.tree import ROOT

BASE = {links.host(name) for name in ORDER if exists(name) and name not in APART}
COMPONENT = ROOT / "k8s" / "components" / "plugins"
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
ENGINE = (ROOT / "benchmarks" / "plugins" / "always.py").read_text()


def program(name: str) -> Any:
    """A program of deploy/, which is no module of ours."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def workload(name: str) -> Any:
    return next(one for one in workloads() if one["metadata"]["name"] == name)


class TestPatches:
    """What overlays and switches change."""

    def test_a_patch_adds_to_a_list_and_never_puts_its_own_in_its_place(self):
        """Production's patch of the executor set `env`: keys for live trading were lost by it."""
        operations = [
            one
            for path in sorted((ROOT / "k8s").rglob("*.yaml"))
            for document in yaml.safe_load_all(path.read_text())
            if isinstance(document, list)
            for one in document
        ]

        assert operations
        for one in operations:
            last = one["path"].rpartition("/")[2]
            assert last not in ("env", "volumes", "volumeMounts", "containers"), one["path"]

    def test_what_a_patch_adds_and_the_result_lacks_is_found(self):
        patch = {
            "kind": "StatefulSet",
            "metadata": {"name": "executor"},
            "spec": {"template": {"spec": {"containers": [{"env": [{"name": "KEYS"}]}]}}},
        }
        executor = workload("executor")

        found = program("switches").lost({("StatefulSet", "executor"): executor}, patch)

        assert found == ["executor lacks KEYS"]

    def test_the_operators_pods_fit_the_namespace_too(self):
        """It enforces `restricted`, and Strimzi's pods have more rights unless they are told."""
        spec = named("Kafka")["chandler"]["spec"]
        namespace = named("Namespace")[ACCOUNT]["metadata"]["labels"]

        assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
        assert spec["kafka"]["template"]["kafkaContainer"]["securityContext"] == RESTRICTED
        operator = spec["entityOperator"]
        assert operator.keys() == {"topicOperator", "userOperator", "template"}
        for one in ("topicOperatorContainer", "userOperatorContainer"):
            assert operator["template"][one]["securityContext"] == RESTRICTED


class TestKafkasPassword:
    """Production's Kafka takes nobody without TLS and a password."""

    def test_its_only_listener_asks_for_both(self):
        (listener,) = named("Kafka")[ACCOUNT]["spec"]["kafka"]["listeners"]

        assert listener["tls"]
        assert listener["authentication"] == named("KafkaUser")[ACCOUNT]["spec"]["authentication"]
        assert listener["authentication"] == {"type": "scram-sha-512"}

    def test_everybody_of_the_base_and_who_prepares_it_has_the_files_that_are_named(self):
        folder = ROOT / "k8s" / "components" / "kafka-password"
        (patch,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["patches"]
        patched = yaml.safe_load((folder / "mount.yaml").read_text())
        volume, mount = (one["value"] for one in patched)
        overlay = (ROOT / "k8s" / "overlays" / "production" / "kustomization.yaml").read_text()
        (literals,) = (one["literals"] for one in yaml.safe_load(overlay)["configMapGenerator"])
        here = installation(dict(one.split("=", 1) for one in literals))

        assert set(patch["target"]["name"].split("|")) == BASE | {"prepare"}
        files = {
            f"{mount['mountPath']}/{item['path']}"
            for source in volume["projected"]["sources"]
            for item in source["secret"]["items"]
        }
        assert files == {here.security.password_file, here.security.ca_file}
        assert here.security.username == named("KafkaUser")[ACCOUNT]["metadata"]["name"]
        assert here.security.username == volume["projected"]["sources"][0]["secret"]["name"]
        assert (here.security.protocol, here.security.mechanism) == ("SASL_SSL", "SCRAM-SHA-512")


class TestEngines:
    """Engines of one's own, out of a ConfigMap."""

    def test_every_service_of_the_base_has_them_and_nothing_else(self):
        (patch,) = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["patches"]

        assert set(patch["target"]["name"].split("|")) == BASE

    def test_files_as_a_cluster_mounts_them_are_loaded_once(self, tmp_path: Path):
        """A name leads through ..data into a folder: neither is taken for an engine."""
        program("pods").write_mounted(tmp_path, {"always.py": ENGINE})

        loaded = plugins.load(tmp_path)

        assert (tmp_path / "always.py").is_symlink()
        assert [source.name for source in loaded.sources].count("always") == 1
        assert "always" in loaded.engines
        assert loaded.faults == []


class TestPods:
    """A pod's template as a container."""

    @pytest.mark.parametrize("one", workloads(), ids=lambda one: one["metadata"]["name"])
    def test_a_container_has_the_pods_user_root_and_limits(self, one, tmp_path: Path):
        pods = program("pods")
        found = pods.Manifests({}, Maps(), Maps())

        words = pods.words(one, found, tmp_path, {})

        about = one["spec"]["template"]["spec"]["securityContext"]
        assert words[words.index("--user") + 1] == f"{about['runAsUser']}:{about['runAsGroup']}"
        assert {"--read-only", "--cap-drop=ALL", "no-new-privileges:true"} <= set(words)
        assert {"--memory", "--cpus"} <= set(words)
        assert any(word.startswith("/tmp:size=") for word in words)

    def test_a_secret_is_a_file_where_the_variable_says(self, tmp_path: Path):
        pods = program("pods")
        found = pods.Manifests({}, Maps(), {"chandler-ledger": {"ledger_password": "demo"}})
        recorder = workload("recorder")
        container = recorder["spec"]["template"]["spec"]["containers"][0]

        mounted = pods.mounts(recorder, found, tmp_path)

        named_file = pods.variables(container, found)["CHANDLER_LEDGER_PASSWORD_FILE"]
        folder, inside, _ = next(word for word in mounted if word.endswith(":ro")).split(":")
        assert named_file == f"{inside}/ledger_password"
        assert (Path(folder) / "ledger_password").read_text() == "demo"

    def test_what_kafka_writes_lies_on_its_disk(self):
        """The disk was mounted above a VOLUME of the image, whose own empty one hid it."""
        kafka = workload("kafka")
        lines = (ROOT / "k8s/components/kafka/kafka.env").read_text().splitlines()
        mounts = kafka["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]

        (records,) = [mount for mount in mounts if mount["name"] == "records"]
        assert f"KAFKA_LOG_DIRS={records['mountPath']}" in lines

    def test_a_pods_number_stands_in_its_command(self):
        container = {"args": ["run", "executor", "--shard", "$(CHANDLER_SHARD)"]}

        assert program("pods").command(container, {"CHANDLER_SHARD": "0"}) == (
            [],
            ["run", "executor", "--shard", "0"],
        )

    def test_a_kind_of_volume_that_nobody_knows_is_told(self):
        pods = program("pods")

        with pytest.raises(pods.PodError, match="hostPath"):
            pods.files({"name": "hostPath", "hostPath": {"path": "/"}}, Maps())


class Maps(dict[str, dict[str, str]]):
    """Holds everything, with nothing in it."""

    def __missing__(self, name: str) -> dict[str, str]:
        return Empty()


class Empty(dict[str, str]):
    """One that has each file, an empty one."""

    def __missing__(self, name: str) -> str:
        return ""


class TestChecks:
    """What `make deploy-check` finds in files that are wrong."""

    def test_a_field_that_a_definition_does_not_name_is_refused(self):
        schema = {"properties": {"spec": {"properties": {"size": {"type": "string"}}}}}

        closed = program("schemas").closed(schema)

        assert closed["additionalProperties"] is False
        assert closed["properties"]["spec"]["additionalProperties"] is False

    def test_what_a_round_trip_loses_or_changes_is_named_and_what_it_adds_is_not(self):
        before = {"panels": [{"title": "a", "unit": "s"}], "uid": "x"}
        after = {"panels": [{"title": "b", "transparent": False}], "uid": "x"}

        assert list(program("dashboards").lost(before, after)) == [
            ".panels[0].title: 'a' comes back as 'b'",
            ".panels[0].unit is unknown",
        ]

    def test_compose_is_told_of_names_that_nothing_declares(self):
        model = {
            "services": {
                "one": {
                    "depends_on": {"two": {"required": True}},
                    "secrets": [{"source": "key"}],
                    "volumes": [{"type": "volume", "source": "rows"}],
                    "networks": {"far": None},
                },
                "two": {"profiles": ["paper"]},
            },
            "networks": {},
        }

        assert program("composed").faults(model, "demo") == [
            "one waits for two, which doesn't run",
            "one: key is not among secrets",
            "one: volume rows isn't declared",
            "one: network far isn't declared",
        ]
        assert program("composed").faults({"services": {}}, "demo") == [
            "nothing runs under profile demo"
        ]

    def test_every_dashboard_becomes_a_program_with_each_panel(self):
        dashboards = program("dashboards")
        boards = {
            path.stem: json.loads(path.read_text())
            for path in (ROOT / "grafana" / "dashboards").glob("*.json")
        }

        text, panels = dashboards.typescript(boards)

        assert panels == sum(len(board["panels"]) for board in boards.values())
        assert text.count("_panel_") == panels
