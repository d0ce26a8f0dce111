"""The installation: what belongs to this machine, from environment variables (never a secret file).

Data directory, ports, brokers and their security. Strategy and venue settings are the profile's.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

PORT_BASE_DEFAULT = 29_000
LOOPBACK = "127.0.0.1"
# Offsets from the port base.
PORT_KAFKA = 0
PORT_KAFKA_CONTROLLER = 1
PORT_SIMULATOR = 2
PORT_TELEGRAM = 3  # of the stand-in
PORT_ALERTS = 4  # where the notifier takes Alertmanager's in
PORT_GATEWAY = 5  # REST, WebSocket and the page
PORT_METRICS = 10  # + the service's place in the topology
_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?")


class SettingsError(Exception):
    """A setting can't be used: the message is one line for people."""


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to log in to an existing cluster. PLAINTEXT for the embedded one."""

    protocol: str = "PLAINTEXT"  # PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
    mechanism: str = "PLAIN"  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    username: str = ""
    password_file: str = ""  # a file with the password, mode 0600
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs from machine to machine."""

    data: Path
    profile: str
    port_base: int
    brokers: str  # "" means the embedded Kafka
    security: KafkaSecurity
    topic_prefix: str  # before topics, groups and transactional ids
    log_format: str  # "text" or "json"
    http_host: str = LOOPBACK  # what services listen on
    simulator_host: str = LOOPBACK  # where the simulator is reached
    telegram_host: str = LOOPBACK  # where Telegram's stand-in is reached
    gateway_address: str = ""  # where people reach the gateway: "http://127.0.0.1:29005"

    @property
    def embedded(self) -> bool:
        """Whether Kafka is ours to start."""
        return not self.brokers

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return self.brokers or f"127.0.0.1:{self.port_base + PORT_KAFKA}"

    def port(self, offset: int) -> int:
        return self.port_base + offset


def installation(environ: Mapping[str, str] = os.environ, root: Path | None = None) -> Installation:
    """The installation that the environment describes; SettingsError says what is wrong."""
    base = environ.get("CHANDLER_PORT_BASE", str(PORT_BASE_DEFAULT))
    if not base.isdigit() or not 1024 <= int(base) <= 65_000:
        raise SettingsError(
            f"CHANDLER_PORT_BASE is {base!r}: expected a number from 1024 to 65000, set another"
        )
    address = environ.get("CHANDLER_GATEWAY_ADDRESS", "").rstrip("/")
    if address and not _ADDRESS.fullmatch(address):
        raise SettingsError(
            f"CHANDLER_GATEWAY_ADDRESS is {address!r}: expected one as http://127.0.0.1:29005"
        )
    data = environ.get("CHANDLER_DATA") or str((root or Path.cwd()) / ".chandler")
    return Installation(
        data=Path(data).resolve(),
        profile=environ.get("CHANDLER_PROFILE", "demo"),
        port_base=int(base),
        brokers=environ.get("CHANDLER_BROKERS", ""),
        security=KafkaSecurity(
            protocol=environ.get("CHANDLER_KAFKA_PROTOCOL", "PLAINTEXT"),
            mechanism=environ.get("CHANDLER_KAFKA_MECHANISM", "PLAIN"),
            username=environ.get("CHANDLER_KAFKA_USERNAME", ""),
            password_file=environ.get("CHANDLER_KAFKA_PASSWORD_FILE", ""),
            ca_file=environ.get("CHANDLER_KAFKA_CA_FILE", ""),
            cert_file=environ.get("CHANDLER_KAFKA_CERT_FILE", ""),
            key_file=environ.get("CHANDLER_KAFKA_KEY_FILE", ""),
        ),
        topic_prefix=environ.get("CHANDLER_TOPIC_PREFIX", ""),
        log_format=environ.get("CHANDLER_LOG", "text"),
        http_host=environ.get("CHANDLER_HTTP_HOST") or LOOPBACK,
        simulator_host=environ.get("CHANDLER_SIMULATOR_HOST") or LOOPBACK,
        telegram_host=environ.get("CHANDLER_TELEGRAM_HOST") or LOOPBACK,
        gateway_address=address,
    )
