"""The profile: which venue, which symbols, which engines. Shareable, never holds a secret.

Three layers: plug-ins' defaults, the profile's TOML (it may extend another), the installation.
The layers themselves are read and merged in services/layers.py.
"""

from typing import Literal

import msgspec

from chandler.core.engine import EngineConfig
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.simulator.config import SimulatorConfig


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ingest subscribes to and how sure it has to be."""

    symbols: list[str] = []  # empty: the most traded ones
    top: int = 40  # how many of the most traded, if symbols is empty
    symbols_per_shard: int = 50  # one connection each
    channels_per_connection_max: int = 250  # the venue's own limit is 1,000
    backfill: int = 300  # candles of each granularity before now, so that indicators are warm
    seal: Literal["auto", "confirm", "rollover"] = "auto"  # see docs/architecture.md
    pinned: list[str] = []  # granularities that are ingested though no engine asks
    record_frames: bool = False  # keep the raw frames of the last hour in the data directory


class KafkaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Partitions of every topic keyed by symbol."""

    symbol_partitions: int = 8
    replication: int = 1


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole profile, all layers resolved."""

    name: str = ""
    extends: str = ""
    mode: Literal["paper", "live"] = "paper"
    venue: VenueConfig = VenueConfig()
    simulator: SimulatorConfig | None = None  # None: the real venue
    ingest: IngestConfig = IngestConfig()
    kafka: KafkaConfig = KafkaConfig()
    engines: dict[str, EngineConfig] = {}
    scale: dict[str, int] = {}  # service → workers
