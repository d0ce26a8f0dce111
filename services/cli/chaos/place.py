"""Where a chaos run lives: a data directory, ports and a profile of its own."""

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chandler.streams.embedded.probe import free
from chandler.streams.settings import Installation
from chandler.streams.settings import installation as installation_of
from services.cli.config import write_private
from services.layers import ConfigurationError, root

BASES = range(20_000, 31_000, 50)  # below the ports that the kernel gives to clients
PORTS = 48  # of one installation
TOML = """\
# What the chaos run trades: everything on the simulator as venue, so that it counts the orders.
name = "chaos"
mode = "paper"

[simulator]
speed = {speed}
symbols = {symbols}
seed = {seed}

[ingest]
top = {symbols}

# Engines that ask for more than is good, so that there is something to break.
[engines.scalper]
cooldown = 3
long_threshold = 0.3
short_threshold = -0.3

[engines.reverter]
cooldown = 6
"""
AGENT = """
[agents.{name}]
mode = "live"
account = "{name}"
positions_max = 20
orders_per_symbol_day_max = 1000
daily_loss_max_percent = 0
size_percent = 2
trading_mode = "{mode}"
set = {settings}

[accounts.{name}]
on_simulator = true
"""
PAPER = """
[agents.paper]
positions_max = 12
size_percent = 2
trading_mode = "fixed"
"""
QUICK = "hold_min = 30, hold_low_percent = -100, hold_high_percent = 100"
AGENTS = {
    "first": ("fixed", f"{{ signal_stop = false, stop_percent = 0.5, {QUICK} }}"),
    "second": ("trailing", f"{{ signal_stop = false, stop_percent = 0.7, {QUICK} }}"),
    "third": ("dca", f"{{ step_percent = 0.3, target_percent = 0.4, {QUICK} }}"),
}


def make(
    data: Path, *, seed: int, speed: float, symbols: int
) -> tuple[Installation, dict[str, str]]:
    """Writes the profile; the installation and the environment of its services."""
    text = TOML.format(speed=speed, symbols=symbols, seed=seed)
    text += "".join(
        AGENT.format(name=name, mode=mode, settings=settings)
        for name, (mode, settings) in AGENTS.items()
    )
    return written(data, text + PAPER)


def written(data: Path, text: str) -> tuple[Installation, dict[str, str]]:
    """The same with a profile of somebody's own. ConfigurationError: the folder is not empty."""
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise ConfigurationError(f"{data} is not empty: name another folder, or remove it")
    profile = data / "chaos.toml"
    write_private(profile, text)
    kept = {name: v for name, v in os.environ.items() if not name.startswith("CHANDLER_")}
    environ = {
        **kept,
        "CHANDLER_DATA": str(data),
        "CHANDLER_PROFILE": str(profile),
        "CHANDLER_PORT_BASE": str(port_base(os.environ)),
        "CHANDLER_ROOT": str(root()),
    }
    return installation_of(environ), environ


def port_base(environ: Mapping[str, str]) -> int:
    """The one asked for; else one above which all ports are free."""
    asked: Any = environ.get("CHANDLER_PORT_BASE", "")
    if asked.isdigit():
        return int(asked)
    bases = list(BASES)
    random.shuffle(bases)
    return next(base for base in bases if all(free(base + offset) for offset in range(PORTS)))
