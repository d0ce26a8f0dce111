"""Kafka's jars come once, whole, into a cache that all data directories share."""

import zipfile
from pathlib import Path

import msgspec
import pytest

from chandler.streams.embedded.errors import JarsError
from chandler.streams.embedded.jars import KAFKA, cache_folder, class_path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_without_a_network_and_without_a_cache_it_says_so_in_one_line(tmp_path):
    with pytest.raises(JarsError, match=r"^Kafka's jars can't be downloaded [^\n]+$"):
        class_path(print, tmp_path)


@pytest.mark.usefixtures("offline")
def test_what_an_interrupted_download_left_behind_is_not_taken_for_whole(tmp_path):
    """A killed download left half a jar; the next start took it, and Java could not read it."""
    folder = tmp_path / "repository" / "a" / "1"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "whole.jar", "w") as jar:
        jar.writestr("A.class", "x" * 1000)
    (folder / "half.jar").write_bytes((folder / "whole.jar").read_bytes()[:600])
    (folder / "whole.pom").write_text("<project></project>\n")
    (folder / "half.pom").write_text("<project><depend")
    with pytest.raises(JarsError):
        class_path(print, tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == ["whole.jar", "whole.pom"]


@pytest.mark.usefixtures("offline", "kafka")
def test_with_a_cache_no_network_is_needed():
    said: list[str] = []
    jars = class_path(said.append)

    assert said == []
    assert any(Path(jar).name == f"kafka_2.13-{KAFKA.rpartition(':')[2]}.jar" for jar in jars)


@pytest.mark.usefixtures("kafka")
def test_all_of_kafka_is_of_one_version():
    """log4j's parent once brought kafka-clients 3.9 under a broker of 4.3, which did not start."""
    names = [Path(jar).name for jar in class_path(print)]
    kafka = [name for name in names if name.startswith("kafka")]
    log4j = {name.rpartition("-")[2] for name in names if name.startswith("log4j-")}

    assert {name.rpartition("-")[2] for name in kafka} == {"4.3.0.jar"}
    assert len(log4j) == 1


@pytest.mark.usefixtures("offline")
def test_a_list_that_names_a_jar_that_is_gone_is_made_anew(tmp_path):
    record = {"coordinates": [KAFKA], "jars": [str(tmp_path / "gone.jar")]}
    (tmp_path / "class-path.json").write_bytes(msgspec.json.encode(record))

    with pytest.raises(JarsError):
        class_path(print, tmp_path)


def test_the_cache_follows_the_users_settings(tmp_path):
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "chandler" / "kafka"


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(JarsError, match=r"^[^\n]*XDG_CACHE_HOME[^\n]*$"):
        class_path(print, file / "kafka")
