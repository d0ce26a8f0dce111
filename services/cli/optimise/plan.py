"""What a study is: all that its figures depend on. The same command makes the same plan."""

import re
from typing import Any

import msgspec
import typer

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.hashing import config_hash
from chandler.replay.optimise.scoring import OBJECTIVES
from chandler.replay.optimise.windows import Split
from services.cli.optimise.target import Target

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_UNITS = {"m": MINUTE_MS, "H": HOUR_MS, "h": HOUR_MS, "D": DAY_MS, "d": DAY_MS}
_SAID = {
    "code": "the code or a plug-in is another one",
    "data": "the in-sample candles are others",
    "held": "the candles that are held out are others",
    "config": "the profile is another one",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but how many trials, and by how many processes."""

    v: int = 1
    target: Target
    objective: str
    split: Split
    purge_ms: int
    rolling: bool
    trades_min: int
    stop_early: bool = True  # trials that are below the middle of the others on their way
    seed: int
    symbols: list[str]  # that were asked for; []: all there are
    source: str  # of the candles
    config: str  # hash over the engines and agents as the profile has them
    code: str
    data: str  # hash over what trials read
    held: str  # and over all

    @property
    def name(self) -> str:
        """A name for the study where people give none: the same plan, the same one."""
        return f"{self.target.name}-{self.objective}-{config_hash(_plain(self))[:6]}"


def differences(before: Plan, now: Plan) -> list[str]:
    """What is not the same, in words."""
    first, second = _plain(before), _plain(now)
    return [_SAID.get(key, key) for key in first if first[key] != second.get(key)]


def _plain(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(plan)
    return found


def purge_of(text: str) -> int:
    """ms of 1D, 12H, 30m or 0."""
    match = re.fullmatch(r"(\d+)([mHhDd])", text.strip())
    if match is None and text.strip() != "0":
        raise typer.BadParameter(f"--purge {text}: expected a length such as 1D, 12H, 30m, or 0")
    return int(match[1]) * _UNITS[match[2]] if match else 0


def share_of(text: str) -> float:
    """0.2 of 20%; also of 0.2."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    share = float(match[1]) / (100.0 if match[2] else 1.0) if match else -1.0
    if not 0.0 <= share <= 0.8:
        raise typer.BadParameter(f"--hold-out {text}: expected 0% to 80%, as 20%")
    return share


def objective_of(text: str) -> str:
    if text not in OBJECTIVES:
        raise typer.BadParameter(f"--objective {text}: expected one of {', '.join(OBJECTIVES)}")
    return text


def name_of(text: str) -> str:
    if text and not NAME.fullmatch(text):
        raise typer.BadParameter(
            f"--study {text}: expected letters, digits, - _ and . (at most 80), as scalper-may"
        )
    return text
