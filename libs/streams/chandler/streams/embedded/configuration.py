"""What the embedded broker is told: server.properties, logging, JVM flags. All of it is text."""

import uuid
from pathlib import Path

from chandler.streams.clients import MESSAGE_BYTES_MAX
from chandler.streams.settings import PORT_KAFKA, PORT_KAFKA_CONTROLLER, Installation

JVM_FLAGS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
INTERNAL_PARTITIONS = 8  # of the offsets' and the transactions' topics


class Layout:
    """Where things are below the data directory."""

    def __init__(self, installation: Installation) -> None:
        self.folder = installation.data / "kafka"
        self.properties = self.folder / "server.properties"
        self.logging = self.folder / "log4j2.properties"
        self.log = self.folder / "kafka.log"
        self.log_before = self.folder / "kafka.previous.log"
        self.console = self.folder / "console.log"
        self.process = self.folder / "process.json"
        self.lock = self.folder / "lock"
        self.leases = self.folder / "leases"
        self.records = self.folder / "records"

    @property
    def formatted(self) -> bool:
        """Whether the storage is ready for a broker."""
        return (self.records / "meta.properties").is_file()


def write(installation: Installation, layout: Layout) -> None:
    """Writes both files anew, so that ports may change between runs."""
    layout.properties.write_text(server_properties(installation, layout.records))
    layout.logging.write_text(log4j_properties(layout.log))


def server_properties(installation: Installation, records: Path) -> str:
    """One node that is broker and controller, loopback only, small."""
    broker = f"127.0.0.1:{installation.port(PORT_KAFKA)}"
    controller = f"127.0.0.1:{installation.port(PORT_KAFKA_CONTROLLER)}"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": records,
        "auto.create.topics.enable": "false",
        "message.max.bytes": MESSAGE_BYTES_MAX,
        **_INTERNAL_TOPICS,
        **_PROMPT,
        **_SMALL,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


_INTERNAL_TOPICS: dict[str, object] = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
}

# A worker that dies holds its transaction and its partitions for seconds, not for minutes.
_PROMPT: dict[str, object] = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 3_000,
    # Killed with -9, it may register again only when its old session is over: 9 s otherwise.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "log.cleaner.backoff.ms": 5_000,
    "log.retention.check.interval.ms": 60_000,
}

_SMALL: dict[str, object] = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,  # 128 MB of heap otherwise
    "log.segment.bytes": 128 * 1024 * 1024,
    "log.index.size.max.bytes": 1024 * 1024,  # set aside per segment, times two
}


def log4j_properties(log: Path) -> str:
    """At most three files of 5 MB; what the logger itself has to say goes to the console's file."""
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c{{1}})%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 5MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.broker.name = kafka.server.BrokerServer
logger.broker.level = info
"""


def java_command(java: Path, jars: tuple[str, ...], layout: Layout, *words: str) -> list[str]:
    """A main class of Kafka with its arguments, ready to run."""
    return [
        str(java),
        *JVM_FLAGS,
        f"-Dlog4j2.configurationFile={layout.logging}",
        "-cp",
        ":".join(jars),
        *words,
    ]


def format_words(layout: Layout) -> tuple[str, ...]:
    """Makes the storage, with a new cluster's name."""
    name = str(uuid.uuid4())
    return (
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id",
        name,
        "--config",
        str(layout.properties),
    )
