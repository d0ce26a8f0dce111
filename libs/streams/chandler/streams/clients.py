"""Makes the aiokafka clients of an installation: brokers, security, prefixed names, our defaults.

With exact.py and edge.py the only modules that touch aiokafka (kept by import-linter).
"""

import os
import ssl
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.helpers import create_ssl_context

from chandler.streams.settings import Installation, SettingsError

TRANSACTION_TIMEOUT_MS = 5_000
SESSION_TIMEOUT_MS = 6_000
RETRY_BACKOFF_MS = 5  # after CONCURRENT_TRANSACTIONS; 100 would be the tail of every hop
MESSAGE_BYTES_MAX = 4 * 1024 * 1024


def connection(installation: Installation) -> dict[str, Any]:
    """Arguments that every client needs."""
    security = installation.security
    arguments: dict[str, Any] = {
        "bootstrap_servers": installation.bootstrap,
        "security_protocol": security.protocol,
    }
    if "SSL" in security.protocol.split("_"):
        arguments["ssl_context"] = _ssl_context(installation)
    if security.protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = security.mechanism
        arguments["sasl_plain_username"] = security.username
        arguments["sasl_plain_password"] = _password(security.password_file)
    return arguments


def _ssl_context(installation: Installation) -> ssl.SSLContext:
    security = installation.security
    context: ssl.SSLContext = create_ssl_context(
        cafile=security.ca_file or None,
        certfile=security.cert_file or None,
        keyfile=security.key_file or None,
    )
    return context


def _password(path: str) -> str:
    if not path:
        raise SettingsError(
            "CHANDLER_KAFKA_PASSWORD_FILE is not set: SASL needs it, name a file with mode 0600"
        )
    file = Path(path)
    if not file.is_file():
        raise SettingsError(f"CHANDLER_KAFKA_PASSWORD_FILE names {path}: there is no such file")
    found = file.stat()
    # What a platform mounts belongs to root, and to the group that this process is in.
    if found.st_mode & (0o077 if found.st_uid == os.getuid() else 0o007):
        raise SettingsError(f"{path} can be read by others: run chmod 600 {path}")
    return file.read_text().strip()


def group_name(installation: Installation, service: str) -> str:
    """Consumer group of a service: chandler-pump-guard."""
    return f"{installation.topic_prefix}chandler-{service.replace('_', '-')}"


def topic_name(installation: Installation, name: str) -> str:
    """A catalogue topic's name on the cluster."""
    return f"{installation.topic_prefix}{name}"


def catalogue_name(installation: Installation, name_on_cluster: str) -> str:
    """The catalogue's name of a topic on the cluster."""
    return name_on_cluster.removeprefix(installation.topic_prefix)


def consumer(installation: Installation, group: str | None = None, **more: Any) -> AIOKafkaConsumer:
    """A consumer of committed records only; never commits by itself."""
    arguments: dict[str, Any] = {
        "group_id": group,
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        "heartbeat_interval_ms": 1_500,
        "max_poll_interval_ms": 2**31 - 1,
        "fetch_max_wait_ms": 500,
        "retry_backoff_ms": 50,
        **more,
    }
    return AIOKafkaConsumer(**connection(installation), **arguments)


def producer(installation: Installation, **more: Any) -> AIOKafkaProducer:
    """An idempotent producer, acks from all."""
    arguments: dict[str, Any] = {
        "enable_idempotence": True,
        "acks": "all",
        "max_request_size": MESSAGE_BYTES_MAX,
        "retry_backoff_ms": 50,
        **more,
    }
    return AIOKafkaProducer(**connection(installation), **arguments)


def transactional_producer(installation: Installation, name: str) -> AIOKafkaProducer:
    """A producer whose start fences every older one of the same name."""
    return producer(
        installation,
        transactional_id=f"{installation.topic_prefix}chandler-{name.replace('_', '-')}",
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        retry_backoff_ms=RETRY_BACKOFF_MS,
    )


def admin(installation: Installation) -> AIOKafkaAdminClient:
    """An admin client."""
    return AIOKafkaAdminClient(**connection(installation))
