"""A Kafka that takes nobody without TLS and a password, as the production overlay's."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from chandler.streams.embedded.configuration import (
    Layout,
    format_words,
    java_command,
    log4j_properties,
    server_properties,
)
from chandler.streams.embedded.jars import class_path
from chandler.streams.embedded.java import bundled_java, find_java
from chandler.streams.embedded.probe import answers
from chandler.streams.settings import (
    PORT_KAFKA,
    PORT_KAFKA_CONTROLLER,
    PORT_SIMULATOR,
    Installation,
    KafkaSecurity,
)

USER, PASSWORD = "chandler", "not-to-be-seen"
START_S_MAX = 60.0
STOP_S_MAX = 20.0


def certificate(folder: Path) -> tuple[Path, Path]:
    """The broker's key with its certificate in one file, and what clients trust."""
    key, trusted = folder / "key.pem", folder / "ca.crt"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=chandler-kafka-bootstrap", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(trusted)]
    subprocess.run(words, check=True, capture_output=True)
    both = folder / "broker.pem"
    both.write_text(key.read_text() + trusted.read_text())
    return both, trusted


def properties(installation: Installation, keystore: Path) -> str:
    """The embedded broker's, with a listener for clients; the last word of a name counts."""
    brokers = f"127.0.0.1:{installation.port(PORT_KAFKA)}"
    controller = f"127.0.0.1:{installation.port(PORT_KAFKA_CONTROLLER)}"
    secured = f"SECURED://127.0.0.1:{installation.port(PORT_SIMULATOR)}"
    protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    more = {
        "listeners": f"PLAINTEXT://{brokers},CONTROLLER://{controller},{secured}",
        "advertised.listeners": f"PLAINTEXT://{brokers},{secured}",
        "listener.security.protocol.map": protocols,
        "listener.name.secured.ssl.keystore.type": "PEM",
        "listener.name.secured.ssl.keystore.location": keystore,
        "listener.name.secured.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secured.scram-sha-512.sasl.jaas.config": scram,
    }
    lines = "".join(f"{name}={value}\n" for name, value in more.items())
    return server_properties(installation, Layout(installation).records) + lines


def environment(installation: Installation) -> dict[str, str]:
    """What names it to a process."""
    security = installation.security
    return {
        "CHANDLER_DATA": str(installation.data),
        "CHANDLER_PORT_BASE": str(installation.port_base),
        "CHANDLER_BROKERS": installation.brokers,
        "CHANDLER_KAFKA_PROTOCOL": security.protocol,
        "CHANDLER_KAFKA_MECHANISM": security.mechanism,
        "CHANDLER_KAFKA_USERNAME": security.username,
        "CHANDLER_KAFKA_PASSWORD_FILE": security.password_file,
        "CHANDLER_KAFKA_CA_FILE": security.ca_file,
    }


@contextmanager
def running(own: Installation) -> Iterator[Installation]:
    """Runs one at the ports of `own`; what it yields is an installation that may log in there."""
    layout = Layout(own)
    layout.records.mkdir(parents=True)
    keystore, trusted = certificate(own.data)
    password = own.data / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    layout.properties.write_text(properties(own, keystore))
    layout.logging.write_text(log4j_properties(layout.log))
    java, jars = find_java(os.environ, bundled_java()), class_path(lambda _: None)
    user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    words = (*format_words(layout), "--add-scram", user)
    subprocess.run(java_command(java, jars, layout, *words), check=True, capture_output=True)
    main = java_command(java, jars, layout, "kafka.Kafka", str(layout.properties))
    with layout.console.open("wb") as console:
        broker = subprocess.Popen(main, stdout=console, stderr=console)
    try:
        deadline = time.monotonic() + START_S_MAX
        while not answers("127.0.0.1", own.port(PORT_KAFKA)):
            assert broker.poll() is None, layout.console.read_text()
            assert time.monotonic() < deadline, layout.log.read_text()
            time.sleep(0.05)
        yield msgspec.structs.replace(
            own,
            brokers=f"127.0.0.1:{own.port(PORT_SIMULATOR)}",
            security=KafkaSecurity(
                protocol="SASL_SSL",
                mechanism="SCRAM-SHA-512",
                username=USER,
                password_file=str(password),
                ca_file=str(trusted),
            ),
        )
    finally:
        broker.terminate()
        broker.wait(STOP_S_MAX)
