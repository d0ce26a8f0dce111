"""The profile: which venue, which symbols, which engines. Shareable, never holds a secret.

Three layers: plug-ins' defaults, the profile's TOML (it may extend another), the installation.
The layers themselves are read and merged in services/layers.py.
"""

from typing import Literal

import msgspec

from chandler.core.engine import EngineConfig
from chandler.core.notices.gathering import Pace
from chandler.core.notices.routing import User
from chandler.core.trading.agents import (
    AccountConfig,
    AgentConfig,
    DeskConfig,
    PaperConfig,
    PumpConfig,
)
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


class LedgerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the recorder keeps the ledger. CHANDLER_LEDGER is stronger."""

    url: str = ""  # postgresql://USER@HOST/NAME, never a password; empty: a file of the data


class TelegramConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the notifier talks to people. The token is the installation's, never from here."""

    stand_in: bool = False  # a server of our own in Telegram's place: needs no token
    api_url: str = ""  # of a Bot API server; empty: Telegram's own


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for programs and people. It listens on loopback; CHANDLER_HTTP_HOST opens it."""

    enabled: bool = True
    hosts: list[str] = []  # names that it is reached by, beside loopback's: a proxy's
    proxies: list[str] = []  # addresses whose word of who calls is believed
    tls_cert: str = ""  # files in PEM; both or neither
    tls_key: str = ""
    requests_per_second: float = 100.0  # of a session or a key; twice as many at once
    address_requests_per_second: float = 200.0  # of an address, whoever calls


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
    agents: dict[str, AgentConfig] = {}
    accounts: dict[str, AccountConfig] = {}
    desk: DeskConfig = DeskConfig()
    paper: PaperConfig = PaperConfig()
    pump: PumpConfig = PumpConfig()
    ledger: LedgerConfig = LedgerConfig()
    telegram: TelegramConfig = TelegramConfig()
    gateway: GatewayConfig = GatewayConfig()
    users: dict[str, User] = {}  # who may ask, and is told
    notices: Pace = Pace()

    @property
    def pace(self) -> float:
        """Venue's seconds per wall second: what times "at 1x" are multiplied by."""
        return self.simulator.speed if self.simulator is not None else 1.0

    @property
    def trades(self) -> bool:
        """Whether there is an enabled agent."""
        return any(agent.enabled for agent in self.agents.values())

    @property
    def guarded(self) -> bool:
        """Whether the pump guard runs: it is enabled, and there is somebody to guard."""
        return self.trades and self.pump.enabled
