"""How services are run on a replay: their commands, and the environment that they need."""

from collections.abc import Collection
from typing import NamedTuple

from chandler.core.granularity import INTERVAL_MS
from chandler.streams.settings import Installation
from services.cli.replaying.asked import PACE_MAX
from services.loading import load_service
from services.profile import Profile
from services.topology import services_of

# Those that decide, and what each can't do without.
NEEDS: dict[str, frozenset[str]] = {
    "indicators": frozenset(),
    "signals": frozenset(),
    "pump_guard": frozenset({"tickers", "candles.1m"}),
    "executor": frozenset({"tickers", "signals"}),
    "positions": frozenset({"tickers", "orders"}),
}
PORTS_APART = 1_000  # the port base of services on a replay, from the installation's own
PORT_BASE_MAX = 65_000


class Ways(NamedTuple):
    """What a person types to run services on a replay."""

    environment: dict[str, str]
    commands: list[str]


def ways(
    installation: Installation,
    profile: Profile,
    prefix: str,
    topics: Collection[str],
    *,
    pace: float,
    symbol_partitions: int,
) -> Ways:
    """`pace`: venue's seconds per wall second that the services are to be meant at."""
    base = installation.port_base + PORTS_APART
    if base > PORT_BASE_MAX:
        base = installation.port_base - PORTS_APART
    environment = {
        "CHANDLER_TOPIC_PREFIX": prefix,
        "CHANDLER_BROKERS": installation.bootstrap,
        "CHANDLER_PORT_BASE": str(base),
    }
    pace = min(PACE_MAX, max(1.0, pace))
    if pace != profile.pace:
        environment["CHANDLER_SET_simulator__speed"] = f"{pace:g}"
    if symbol_partitions != profile.kafka.symbol_partitions:
        environment["CHANDLER_SET_kafka__symbol_partitions"] = str(symbol_partitions)
    return Ways(environment, _commands(profile, topics))


def _commands(profile: Profile, topics: Collection[str]) -> list[str]:
    """In the order in which a candle meets them. Nobody makes what is replayed."""
    there, commands = set(topics), []
    for name in (each for each in services_of(profile) if each in NEEDS):
        service = load_service(name)
        if set(service.writes) & set(topics) or not NEEDS[name] <= there:
            continue
        if not NEEDS[name] and not set(service.reads) & there:
            continue
        there.update(service.writes)
        commands += _of_executor(profile) if name == "executor" else [f"./chandler run {name}"]
    return commands


def _of_executor(profile: Profile) -> list[str]:
    """Paper money only: a live account's shard would send orders to its venue."""
    if not profile.accounts:
        return ["./chandler run executor"]
    return [
        f"{f'CHANDLER_INSTANCE={shard} ' if shard else ''}./chandler run executor --shard {shard}"
        for shard in range(profile.desk.shards)
    ]


def series(topics: Collection[str]) -> list[str]:
    """The topics in the order of people: series by stem, then the others."""
    lengths = {str(name): number for number, name in enumerate(INTERVAL_MS)}

    def place(name: str) -> tuple[bool, str, int]:
        stem, _, last = name.rpartition(".")
        return (last not in lengths, stem if last in lengths else name, lengths.get(last, 0))

    return sorted(topics, key=place)
