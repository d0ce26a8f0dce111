"""Structured logs: text for people, JSON for programs; a secret never gets into either."""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

HIDDEN = "***"
RARELY_S = 30.0
SAID_MAX = 500
_NAMES = "secret|password|passphrase|passwd|token|api[_-]?key|access[_-]?key|sign(?:ature)?"
# key=value, "key": "value", key: value, Access-Key: value
_PAIR = re.compile(
    rf"""(?ix) ((?:\b|_|-)(?:{_NAMES})["']?\s*[=:]\s*["']?) (?!\*\*\*) ([^\s"',;&}}]+)"""
)
_BEARER = re.compile(r"(?i)(\bbearer\s+)\S+")
_SECRET_VARIABLE = re.compile(r"(?i)(secret|password|passphrase|token|api_?key)")
_SECRET_LENGTH_MIN = 6  # shorter values would blank out ordinary words
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("alembic", "aiokafka", "faust", "mode", "websockets", "asyncio", "kafka")


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values in the environment that are secrets by their name."""
    return tuple(
        value
        for name, value in environ.items()
        if _SECRET_VARIABLE.search(name)
        and not name.endswith("_FILE")
        and len(value) >= _SECRET_LENGTH_MIN
    )


def without_secrets(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` with whatever looks like a secret, or is one of `secrets`, hidden."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _BEARER.sub(rf"\1{HIDDEN}", _PAIR.sub(rf"\1{HIDDEN}", text))


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _KNOWN}


def said(record: logging.LogRecord, secrets: tuple[str, ...] = ()) -> str:
    """What a record says, with its values and without secrets: sealed · symbol=BTCUSDT."""
    pairs = " ".join(f"{key}={value}" for key, value in _extra(record).items())
    text = record.getMessage()
    return without_secrets(f"{text} · {pairs}" if pairs else text, secrets)


class TextFormatter(logging.Formatter):
    """2026-01-02T03:04:05.678Z INFO    ingest: 40 symbols · shard=0"""

    def __init__(self, service: str, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._service = service
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_at(record)} {record.levelname:<7} {self._service}: {said(record)}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return without_secrets(line, self._secrets)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, service: str, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._service = service
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        clean = {
            key: HIDDEN
            if _SECRET_VARIABLE.search(key)
            else without_secrets(value, self._secrets)
            if isinstance(value, str)
            else value
            for key, value in fields.items()
        }
        return without_secrets(json.dumps(clean, default=str, ensure_ascii=False), self._secrets)


class _Rarely(logging.Filter):
    """Lets a library say the same thing once in RARELY_S: its retries would fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.split(".", 1)[0] not in _NOISY:
            return True
        key = (record.name, str(record.msg))
        if record.created - self._said.get(key, 0.0) < RARELY_S:
            return False
        if len(self._said) > SAID_MAX:
            self._said.clear()
        self._said[key] = record.created
        return True


def _at(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def set_up(
    service: str,
    log_format: str = "text",
    level: str = "",
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> logging.Logger:
    """The service's logger, and all others of the process, to `stream` (stderr).

    `level` or CHANDLER_LOG_LEVEL: debug, info (default), warning, error.
    """
    secrets = secrets_of(environ)
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = JsonFormatter if log_format == "json" else TextFormatter
    handler.setFormatter(formatter(service, secrets))
    chosen = (level or environ.get("CHANDLER_LOG_LEVEL", "info")).upper()
    root = logging.getLogger()
    if chosen != "DEBUG":
        handler.addFilter(_Rarely())
    root.handlers[:] = [handler]
    root.setLevel(chosen if chosen in logging.getLevelNamesMapping() else "INFO")
    if root.level > logging.DEBUG:
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.ERROR)
    return logging.getLogger(f"chandler.{service}")
