"""A single Kafka node in a container, where no image of Kafka can be pulled.

Takes the official image's environment: KAFKA_LOG_DIRS is log.dirs (_ is ., __ is _, ___ is -),
CLUSTER_ID names the cluster, KAFKA_HEAP_OPTS goes to Java.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chandler.streams.embedded.configuration import JVM_FLAGS
from chandler.streams.embedded.jars import class_path
from chandler.streams.embedded.java import find_java
from services.exits import FAILED, MISCONFIGURED, USAGE, WELL

PREFIX = "KAFKA_"
JARS = Path("/opt/kafka")
FOLDER = Path("/tmp/kafka")  # noqa: S108 - of this container alone, in memory
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"  # the official image's
NOT_SETTINGS = ("KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS")
NEEDED = ("node.id", "process.roles", "listeners", "log.dirs", "controller.quorum.voters")
LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c{1})%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The broker's settings that the environment names."""
    return {
        _name(variable): value
        for variable, value in sorted(environ.items())
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS
    }


def _name(variable: str) -> str:
    kept = variable.removeprefix(PREFIX).lower()
    return kept.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


def command(environ: Mapping[str, str], folder: Path, jars: tuple[str, ...]) -> list[str]:
    """Java with its flags and all of Kafka, up to the main class."""
    java = str(find_java(environ, None))
    flags = [flag for flag in JVM_FLAGS if not flag.startswith(("-Xms", "-Xmx"))]
    heap = environ.get("KAFKA_HEAP_OPTS", "-Xms64m -Xmx512m").split()
    logging = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return [java, *flags, *heap, logging, "-cp", ":".join(jars)]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(words: list[str], environ: Mapping[str, str]) -> int:
    """Fetches the jars at the build (`--fetch FOLDER`); else becomes Kafka."""
    if words[:1] == ["--fetch"] and len(words) == 2:
        class_path(_say, Path(words[1]))
        return WELL
    if words:
        _say(f"unknown argument {words[0]}: expected none")
        return USAGE
    wanted = settings(environ)
    if missing := [name for name in NEEDED if name not in wanted]:
        variables = ", ".join(PREFIX + name.replace(".", "_").upper() for name in missing)
        _say(f"{variables} missing: expected the official image's variables")
        return MISCONFIGURED
    FOLDER.mkdir(parents=True, exist_ok=True)
    properties = FOLDER / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
    (FOLDER / "log4j2.properties").write_text(LOGGING)
    java = command(environ, FOLDER, class_path(lambda _: None, JARS))
    cluster = environ.get("CLUSTER_ID", CLUSTER_ID)
    format_ = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", cluster]
    done = subprocess.run([*java, *format_, "--config", str(properties)], check=False)
    if done.returncode:
        _say(f"{wanted['log.dirs']} can't be made ready: see the line above")
        return FAILED
    server = [*java, "kafka.Kafka", str(properties)]
    return os.execv(server[0], server)  # noqa: S606 - Kafka takes our place


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
