"""What ingest sets out to do: which symbols, how they are sharded, where each begins."""

from collections.abc import Iterable, Mapping, Sequence

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms, slot_open


def most_traded(volumes: Mapping[Symbol, float], count: int) -> list[Symbol]:
    """The `count` symbols of greatest quote volume, ties by name; then in order of name.

    The order of names keeps a symbol in its shard while ranks change.
    """
    ranked = sorted(volumes, key=lambda symbol: (-volumes[symbol], symbol))
    return sorted(ranked[:count])


def shards(
    symbols: Sequence[Symbol], per_shard: int, channels_per_symbol: int, channels_max: int
) -> list[list[Symbol]]:
    """The symbols of each connection; ValueError if not even one symbol's channels fit."""
    size = min(per_shard, channels_max // max(1, channels_per_symbol))
    if size < 1:
        raise ValueError(
            f"a symbol has {channels_per_symbol} channels and a connection takes {channels_max}: "
            "set ingest.channels_per_connection_max higher or pin fewer granularities"
        )
    return [list(symbols[at : at + size]) for at in range(0, len(symbols), size)]


def backfill_start(now: int, granularity: Granularity, candles: int) -> int:
    """Open time of the first slot, so that `candles` slots are over at `now`, ms."""
    return slot_open(now, granularity) - candles * interval_ms(granularity)


def starts(
    wanted: Mapping[Granularity, int], earliest: Mapping[Granularity, int], now: int
) -> dict[Granularity, int]:
    """Where a symbol that was never published begins, by granularity.

    `wanted`: where the backfill would begin; `earliest`: the venue's first candle from there on,
    absent where it has none. A higher granularity begins at or before the slot that holds the
    first slot of each shorter one.
    """
    found: dict[Granularity, int] = {}
    shorter: int | None = None
    for granularity in by_length(set(wanted)):
        start = slot_open(now, granularity)
        if granularity in earliest:
            start = max(wanted[granularity], slot_open(earliest[granularity], granularity))
        if shorter is not None:
            start = min(start, slot_open(shorter, granularity))
        found[granularity] = shorter = start
    return found


def resumed(
    out: Mapping[Granularity, int], fresh: Mapping[Granularity, int]
) -> dict[Granularity, int]:
    """Where a symbol goes on: after what is out (by open time), else where `fresh` says."""
    return {
        granularity: out[granularity] + interval_ms(granularity) if granularity in out else start
        for granularity, start in fresh.items()
    }


def distinct(granularities: Iterable[str], known: Mapping[Granularity, int]) -> list[Granularity]:
    """Granularities without repeats, the shortest first; ValueError names what is unknown."""
    wanted = {Granularity(each) for each in granularities}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ValueError(f"unknown granularity {unknown[0]!r}: expected one of {' '.join(known)}")
    return by_length(wanted)
