"""What a person may ask of a replay: topics, prefix, speed, warm-up, in words."""

import re
from typing import NamedTuple

import typer

from chandler.core.granularity import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from chandler.streams.catalogue import BY_NAME
from chandler.streams.replaying import WHOLE
from services.layers import nearest

# What comes from outside: all that services need, and nothing that they make themselves.
OUTSIDE = (
    *(f"candles.{granularity}" for granularity in INTERVAL_MS),
    "instruments",
    "funding",
    "tickers",
    "signals.external",
    "commands",
)
NEVER = ("configs", "infra", "dead-letters", "notices", "answers", "trials", "trials.told")
PREFIX = re.compile(r"[A-Za-z0-9._-]{1,60}")
UNITS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
PACE_MAX = 3_600.0  # of simulator.speed
MAX = "max"


class Asked(NamedTuple):
    """One call of the command. Times are event times, ms; None: not said."""

    from_ms: int | None
    to_ms: int | None
    speed: float | None  # None: as fast as it goes
    prefix: str
    symbols: list[str]
    topics: list[str] | None
    warm_up_ms: int
    prepare: bool
    again: bool


def speed_of(text: str) -> float | None:
    """Recorded seconds per second; None: as fast as it goes."""
    if text.strip().lower() == MAX:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= PACE_MAX:
        raise typer.BadParameter(
            f"--speed {text}: expected recorded seconds per second up to {PACE_MAX:g}, or max"
        )
    return found or None


def warm_up_of(text: str) -> int:
    """How much before the period is published at once, ms."""
    if text.strip().lower() == "all":
        return WHOLE
    found = re.fullmatch(r"(\d+)([mhdMHD]?)", text.strip())
    if found is None or (not found[2] and int(found[1])):
        raise typer.BadParameter(f"--warm-up {text}: expected 90m, 36H, 2D, 0 or all")
    return int(found[1]) * UNITS[found[2].lower() or "m"]


def prefix_of(text: str) -> str:
    """The prefix as CHANDLER_TOPIC_PREFIX has it: with a dot behind it."""
    if PREFIX.fullmatch(text) is None:
        raise typer.BadParameter(f"--prefix {text!r}: expected letters, digits, . _ -, as try")
    return text if text.endswith((".", "-", "_")) else f"{text}."


def topics_of(text: str) -> list[str] | None:
    """Catalogue names; indicators.* is all granularities. None: nothing was said."""
    wanted: list[str] = []
    for word in (each.strip() for each in text.split(",")):
        stem = word.removesuffix("*")
        series = [f"{stem}{each}" for each in INTERVAL_MS if f"{stem}{each}" in BY_NAME]
        if word.endswith(".*") and series:
            wanted += series
        elif word in BY_NAME:
            wanted.append(_whole(word))
        elif word:
            near = nearest(word, list(BY_NAME))
            raise typer.BadParameter(f"--topics {word}: no such topic{near}: see chandler topics")
    return list(dict.fromkeys(wanted)) or None


def _whole(name: str) -> str:
    if not BY_NAME[name].events or name in NEVER:
        raise typer.BadParameter(
            f"--topics {name}: services write it about themselves, a replay of it would mislead "
            "them: leave it out"
        )
    return name


def symbols_of(text: str) -> list[str]:
    """Capital letters, each once."""
    return sorted({each.strip().upper() for each in text.split(",") if each.strip()})
