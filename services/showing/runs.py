"""Backtests as they are kept: a folder each, whose figures can be read without what wrote them."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from chandler.replay.metrics import Metrics
from chandler.replay.result import Origin, Trade
from chandler.streams.settings import Installation
from services.layers import ConfigurationError

FOLDER = "backtests"  # of the data directory
RESULT, TRADES_JSON, CURVES = "result.json", "trades.json", "curves.json"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in result.json."""

    v: int = 1
    origin: Origin
    from_ms: int
    to_ms: int
    starts: dict[str, Decimal]  # by agent
    balances: dict[str, Decimal]  # at the end
    metrics: Metrics
    refusals: dict[str, dict[str, int]]
    signals: dict[str, int]
    notes: list[str]
    timings: dict[str, float]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A curve as reports draw it: thinned, each peak and trough is there. One of curves.json."""

    name: str
    kind: str  # portfolio, agent, benchmark
    start: float
    t: list[int]  # ms
    v: list[float]


class Listed(NamedTuple):
    """A run's folder."""

    id: str  # its name
    made_ms: int  # wall time
    kept: Kept


def runs(installation: Installation) -> list[Listed]:
    """Runs in the data directory, the newest first; a folder that holds none is passed over."""
    folder = installation.data / FOLDER
    if not folder.is_dir():
        return []
    found = [_listed(path) for path in folder.iterdir() if (path / RESULT).is_file()]
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (-each.made_ms, each.id))


def kept_in(folder: Path) -> Kept:
    """What a folder's result.json says; ConfigurationError says what is wrong."""
    try:
        return msgspec.json.decode((folder / RESULT).read_bytes(), type=Kept)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{folder} holds no {RESULT}: name a folder that ./chandler backtest has written"
        ) from None
    except (msgspec.DecodeError, OSError) as error:
        raise unreadable(folder, error) from None


def trades_in(folder: Path) -> list[Trade]:
    """A run's trades, by the time they were opened; ConfigurationError."""
    try:
        return msgspec.json.decode((folder / TRADES_JSON).read_bytes(), type=list[Trade])
    except (msgspec.DecodeError, OSError) as error:
        raise unreadable(folder, error) from None


def curves_in(folder: Path) -> list[Curve]:
    """A run's curves; none of a run that was kept before there were any. ConfigurationError."""
    try:
        return msgspec.json.decode((folder / CURVES).read_bytes(), type=list[Curve])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, OSError) as error:
        raise unreadable(folder, error) from None


def unreadable(folder: Path, error: Exception) -> ConfigurationError:
    """What is wrong with a folder that holds something else."""
    return ConfigurationError(
        f"{folder} cannot be read ({' '.join(str(error).split())}): expected what this "
        "version of ./chandler backtest writes, run it again"
    )


def _listed(path: Path) -> Listed | None:
    try:
        made_ms = round((path / RESULT).stat().st_mtime * 1_000)
        return Listed(path.name, made_ms, kept_in(path))
    except (ConfigurationError, OSError):
        return None  # of another version, or being written
