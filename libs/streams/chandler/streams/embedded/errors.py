"""What the embedded Kafka tells people when it can't run.

EmbeddedKafkaError
├── JavaError          no Java that Kafka runs on
├── JarsError          Kafka's files can't be had
├── PortTakenError     something else listens where Kafka should
├── DiskError          the data directory has too little room, or can't be written
├── StartError         Kafka ended, or kept silent, while it started
├── InUseError         it runs for someone else: other ports, or a lock that is held too long
└── UnreachableError   the brokers of CHANDLER_BROKERS don't answer
"""


class EmbeddedKafkaError(Exception):
    """One line for people: what was expected, what was found, what to do."""


class JavaError(EmbeddedKafkaError):
    """No Java that Kafka runs on."""


class JarsError(EmbeddedKafkaError):
    """Kafka's files can't be had."""


class PortTakenError(EmbeddedKafkaError):
    """Something else listens where Kafka should."""


class DiskError(EmbeddedKafkaError):
    """The data directory has too little room, or can't be written."""


class StartError(EmbeddedKafkaError):
    """Kafka ended, or kept silent, while it started."""


class InUseError(EmbeddedKafkaError):
    """It runs for someone else."""


class UnreachableError(EmbeddedKafkaError):
    """The brokers of CHANDLER_BROKERS don't answer."""
