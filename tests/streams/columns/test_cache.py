"""The cache on disk: merged where there are many files, never wrong, whoever else is at it."""

from pathlib import Path

import numpy as np
import pytest

from chandler.core.granularity import Granularity
from chandler.streams.columns.cache import (
    FILES_MAX,
    cache_bytes,
    cache_folder,
    clear_cache,
)
from chandler.streams.columns.decoding import candle_decoding
from chandler.streams.columns.parts import START, Name, chained, parsed
from tests.streams.columns.cached import cache, parts, place
from tests.streams.exact_cluster import candle

DECODING = candle_decoding(Granularity("5m"))
EVERY = ["offset", *DECODING.types]


@pytest.fixture
def base(tmp_path):
    return place(tmp_path)


def files(base) -> list[Path]:
    return sorted(cache_folder(base).rglob("*.parquet"))


def test_many_small_files_become_one_that_holds_the_same(base) -> None:
    batches = [[candle("BTCUSDT", n), candle("ETHUSDT", n)] for n in range(FILES_MAX + 2)]
    kept = cache(base, DECODING)
    for each in parts(DECODING, batches):
        kept.write(each)

    kept.tidy(EVERY)

    assert len(files(base)) == 1
    (whole,) = kept.load()
    assert whole.head.groups == [("BTCUSDT", FILES_MAX + 2), ("ETHUSDT", FILES_MAX + 2)]
    assert whole.columns["offset"].tolist() == [*range(0, 36, 2), *range(1, 36, 2)]
    opens = whole.columns["open_ms"]
    assert np.array_equal(opens[: FILES_MAX + 2], opens[FILES_MAX + 2 :])
    assert kept.warnings == []


def test_what_two_readers_wrote_of_the_same_records_is_taken_once(base) -> None:
    one, two = parts(DECODING, [[candle("BTCUSDT", 0)], [candle("BTCUSDT", 1)]])
    (both,) = parts(DECODING, [[candle("BTCUSDT", 0), candle("BTCUSDT", 1)]])
    kept = cache(base, DECODING)
    for each in (one, two, both):
        kept.write(each)

    loaded = kept.load()
    kept.tidy(EVERY)

    assert [each.name for each in loaded] == [both.name]
    assert [path.name for path in files(base)] == [str(both.name)]


def test_a_part_never_follows_one_of_another_topic() -> None:
    first, second = Name(0, 10, START, "a" * 16), Name(10, 20, "b" * 16, "c" * 16)

    assert chained([first, second]) == [first]
    assert chained([first, second._replace(previous="a" * 16)])[1].end == 20
    assert parsed(str(second)) == second
    assert parsed("something.parquet") is None


@pytest.mark.parametrize("damage", ["byte", "short", "rubbish", "empty", "other"])
def test_a_damaged_file_is_thrown_away_with_all_that_follows_it(base, damage) -> None:
    kept = cache(base, DECODING)
    made = parts(DECODING, [[candle("BTCUSDT", n) for n in range(500)] for _ in range(3)])
    for each in made:
        kept.write(each)
    path, whole = files(base)[1], files(base)[1].read_bytes()
    middle = 300
    path.write_bytes(
        {
            "byte": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "short": whole[:-50],
            "rubbish": b"PAR1" + b"x" * 400 + b"PAR1",
            "empty": b"",
            "other": files(base)[0].read_bytes(),
        }[damage]
    )

    loaded = kept.load()

    assert [each.name for each in loaded] == [made[0].name]
    assert not path.exists()
    assert len(kept.warnings) == 1
    assert "thrown away" in kept.warnings[0]


def test_a_disk_that_refuses_costs_a_warning(base) -> None:
    cache_folder(base).parent.mkdir(parents=True)
    cache_folder(base).write_text("no folder")
    kept = cache(base, DECODING)

    kept.write(parts(DECODING, [[candle("BTCUSDT", 0)]])[0])

    assert len(kept.warnings) == 1
    assert "can't be cached" in kept.warnings[0]


def test_clearing_says_how_much_there_was(base) -> None:
    cache(base, DECODING).write(parts(DECODING, [[candle("BTCUSDT", 0)]])[0])
    taken = cache_bytes(base)

    assert taken > 0
    assert clear_cache(base) == taken
    assert cache_bytes(base) == 0
    assert cache(base, DECODING).load() == []
