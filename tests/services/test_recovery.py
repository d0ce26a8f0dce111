"""What a service says of its predecessor: true numbers, once per start, told once."""

import time
from collections.abc import Mapping

import pytest

from chandler.core.trading.events import NoticeAsked
from services.watchdog.recovery import Recovery

MINUTE_MS = 60_000


def count(states: Mapping[str, int]) -> dict[str, int]:
    return {"position": sum(states.values()), "unresolved order": len(states)}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def notice_of(parts: Mapping[str, tuple[dict[str, int], int]]) -> NoticeAsked | None:
    """Of parts with their states and the time of their last transaction."""
    recovery = Recovery("executor", len(parts))
    for name, (states, written_ms) in parts.items():
        recovery.part(name, count)(states, written_ms)
    return recovery.notice.result()


async def test_the_parts_are_summed_up_and_the_last_sign_of_life_counts() -> None:
    written = now_ms() - MINUTE_MS

    found = await notice_of({"0": ({"anna": 2}, written), "1": ({"ben": 1}, written - 9_000)})

    assert found is not None
    assert (found.level, found.agent) == ("info", "")
    head, _, down = found.text.rpartition(", ")
    assert head == "recovered: 3 positions, 2 unresolved orders"
    assert 60 <= int(down.removesuffix(" s down")) < 3_600


async def test_one_is_one_and_none_is_none() -> None:
    one = await notice_of({"0": ({"anna": 1}, now_ms())})
    none = await notice_of({"0": ({}, now_ms())})

    assert one is not None
    assert none is not None
    assert one.text.startswith("recovered: 1 position, 1 unresolved order, ")
    assert none.text.startswith("recovered: 0 positions, 0 unresolved orders, ")


async def test_who_had_no_predecessor_says_nothing() -> None:
    assert await notice_of({"0": ({}, 0), "1": ({}, 0)}) is None


async def test_a_part_that_never_ran_does_not_hide_another() -> None:
    found = await notice_of({"0": ({}, 0), "1": ({"ben": 1}, now_ms())})

    assert found is not None
    assert found.text.startswith("recovered: 1 position, ")


async def test_nothing_is_said_before_all_parts_are_there() -> None:
    recovery = Recovery("executor", 2)

    recovery.part("0", count)({"anna": 2}, now_ms())

    assert not recovery.notice.done()


@pytest.mark.parametrize("moved", [0, 1])
async def test_the_same_start_has_the_same_id_and_the_next_another(moved: int) -> None:
    written = now_ms()

    first = await notice_of({"0": ({"anna": 2}, written), "1": ({}, 0)})
    again = await notice_of({"1": ({}, 0), "0": ({"anna": 2}, written + moved)})

    assert first is not None
    assert again is not None
    assert (first.id == again.id) == (moved == 0)
