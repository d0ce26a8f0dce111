"""Exit statuses, the same for commands and services, and which error means which."""

from chandler.streams.settings import SettingsError
from services.layers import ConfigurationError

WELL, FAILED, USAGE, MISCONFIGURED, NO_KAFKA, INTERRUPTED = 0, 1, 2, 3, 4, 130

# By name, so that telling them apart imports no Kafka client.
_NO_KAFKA = {"ReadError", "KafkaConnectionError", "EmbeddedKafkaError"}
_MISCONFIGURED = {"TopicError", "NewerSchemaError", "StateError", "LedgerSchemaError"}
_KAFKA = "KafkaError"
_LEFT_OUT = {"numba", "optuna", "pandas", "pyarrow"}  # by the image of the services


def first_cause(error: BaseException) -> BaseException:
    """What stands behind a group of errors: the first of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def one_line(error: BaseException) -> str:
    """The error's message as one line; with its type's name where the message alone says little."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        if name in _LEFT_OUT:
            return (
                f"this needs {name}, which is not installed: use the image for backtests, or "
                "uv sync --group backtests"
            )
    text = " ".join(str(error).split())
    if not text:
        return type(error).__name__
    ours = type(error).__module__.startswith(("chandler.", "services."))
    return text if ours else f"{type(error).__name__}: {text}"


def status_of(error: BaseException) -> int:
    """The exit status that an error stands for."""
    names = _names(error)
    if isinstance(error, SettingsError | ConfigurationError):
        return MISCONFIGURED
    if names & _NO_KAFKA or _KAFKA in _names(error.__cause__):
        return NO_KAFKA
    return MISCONFIGURED if names & _MISCONFIGURED else FAILED


def is_kafka(error: BaseException) -> bool:
    """Whether it is one of the Kafka client's own errors."""
    return _KAFKA in _names(error)


def _names(error: BaseException | None) -> set[str]:
    return {base.__name__ for base in type(error).__mro__}
