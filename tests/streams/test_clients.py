"""A password for Kafka is read from a file that nobody else reads."""

import os
from pathlib import Path

import pytest

from chandler.streams.clients import connection
from chandler.streams.settings import Installation, SettingsError, installation


def here(file: Path, mode: int) -> Installation:
    file.write_text("secret\n")
    file.chmod(mode)
    return installation(
        {
            "CHANDLER_KAFKA_PROTOCOL": "SASL_PLAINTEXT",
            "CHANDLER_KAFKA_USERNAME": "ann",
            "CHANDLER_KAFKA_PASSWORD_FILE": str(file),
        }
    )


def password(of: Installation) -> str:
    return str(connection(of)["sasl_plain_password"])


def test_our_own_file_is_read_where_only_we_can(tmp_path: Path) -> None:
    assert password(here(tmp_path / "password", 0o600)) == "secret"
    with pytest.raises(SettingsError, match="run chmod 600"):
        connection(here(tmp_path / "password", 0o640))


def test_a_mounted_one_may_be_read_by_our_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Secret of Kubernetes belongs to root and the pod's group: it was always refused."""
    monkeypatch.setattr(os, "getuid", lambda: 10_001)

    assert password(here(tmp_path / "password", 0o440)) == "secret"
    with pytest.raises(SettingsError, match="can be read by others"):
        connection(here(tmp_path / "password", 0o444))
