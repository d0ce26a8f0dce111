"""What the simulator plays and what it breaks."""

import msgspec

SPEED_MIN, SPEED_MAX = 1.0, 3600.0
TICKS_PER_SECOND_MAX = 1000  # of wall time; what one core of a stage can take


class SimulatorError(Exception):
    """The simulator can't do what it was told: the message is one line for people."""


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seeded exchange over recorded candles."""

    speed: float = 60.0  # recorded seconds per wall second, 1 to 3600
    symbols: int = 40  # beyond the recorded ones: seeded SYN… coins
    candles: str = ""  # a Parquet or CSV file; empty: the shipped ones
    seed: int = 1
    faults: str = ""  # "cut=20s,drop=5%,duplicate=5%,storm429=30s/5s,missing=0.1%"
    ticks_per_second_max: int = 250  # of wall time, all symbols together; at most 1000
    loop: bool = True  # at the end begin again, time-shifted
    start: str = ""  # recorded time to begin at, ISO 8601; empty: after the backfill's length
