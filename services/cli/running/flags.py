"""The flags of `up` as the strongest layer of configuration, handed to the services by a file."""

import json
import os
from pathlib import Path
from typing import Any

from chandler.streams.settings import Installation
from services.cli.config import write_private
from services.layers import FLAGS_VARIABLE, ConfigurationError, check_keys, merge, nested
from services.loading import Configuration, configuration
from services.topology import Half

SIMULATOR_FLAGS = ("speed", "candles", "faults", "seed")


def layer(
    *,
    speed: float | None,
    symbols: str,
    candles: Path | None,
    faults: str,
    seed: int | None,
    scale: list[str],
) -> dict[str, Any]:
    """The values that the flags stand for."""
    values: dict[str, Any] = {}
    if symbols.isdigit():
        values = nested("simulator.symbols", int(symbols))
        values["ingest"] = {"top": int(symbols)}
    elif symbols:
        names = [name.strip().upper() for name in symbols.split(",") if name.strip()]
        values["ingest"] = {"symbols": names}
    if candles is not None and not candles.is_file():
        raise ConfigurationError(f"--candles names {candles}: there is no such file")
    simulator = {
        "speed": speed,
        "candles": str(candles.resolve()) if candles else None,
        "faults": faults or None,
        "seed": seed,
    }
    given = {key: value for key, value in simulator.items() if value is not None}
    if given:
        values = merge(values, {"simulator": given})
    for entry in scale:
        service, _, workers = entry.partition("=")
        if not workers.isdigit():
            raise ConfigurationError(f"--scale {entry}: expected SERVICE=N, such as indicators=3")
        values = merge(values, {"scale": {service.replace("-", "_"): int(workers)}})
    return values


def apply(installation: Installation, values: dict[str, Any], half: Half = "both") -> Configuration:
    """The configuration with the flags; leaves them for the services in the half's flags.json."""
    os.environ.pop(FLAGS_VARIABLE, None)
    without = configuration(installation)
    if without.profile.simulator is None and "simulator" in values:
        simulator = values.pop("simulator")
        used = [f"--{name}" for name in SIMULATOR_FLAGS if name in simulator]
        if used:
            raise ConfigurationError(
                f"profile {installation.profile} has no simulator: {', '.join(used)} can't be used"
            )
    check_keys(values, "the flags of up")
    name = "flags.json" if half == "both" else f"flags-{half}.json"
    file = installation.data / name
    if not values:
        file.unlink(missing_ok=True)
        return without
    write_private(file, json.dumps(values))
    os.environ[FLAGS_VARIABLE] = str(file)
    return configuration(installation)
