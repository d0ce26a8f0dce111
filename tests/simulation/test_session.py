"""What a session under faults and kill -9 leaves: every promise of the stream, looked at at rest.

The venue cuts connections every 20 s, loses and repeats 5 % of its frames, answers 429 for 5 s
of 30, and lacks a thousandth of its candles; indicators and signals are killed at random.
"""

import asyncio
import json
from collections import Counter

import pytest

from chandler.core.events import Candle, CandleMissing, Signal
from chandler.core.granularity import Granularity, interval_ms
from chandler.exchanges.simulator.faults import is_missing
from chandler.exchanges.simulator.recording import SHIPPED, SLOT_MS
from chandler.streams.reader import read_topics
from tests.simulation.session import CANDLES_MIN, FLAGS, MISSING, SEED, Session
from tests.simulation.system import END_S_MAX, System, interrupt, until

pytestmark = [pytest.mark.kafka, pytest.mark.system]

CAUGHT_UP_S_MAX = 60.0
GO_ON_CANDLES = 160  # of 5m, after the second start


def test_every_service_is_ready_although_workers_were_killed(session: Session) -> None:
    assert len(session.killed) == session.plan.kills == session.restarts
    assert {name.partition("-")[0] for name in session.killed} == {"indicators", "signals"}
    assert session.services
    assert all(entry["ready"] for entry in session.services.values()), session.services


def test_ctrl_c_ends_it_within_ten_seconds_and_leaves_no_process(session: Session) -> None:
    assert session.end_s <= END_S_MAX
    assert session.left == []


@pytest.mark.parametrize("at_rest", [False, True])
def test_every_candle_is_sealed_once_in_order_without_a_gap(
    session: Session, at_rest: bool
) -> None:
    audit = session.system.report("audit", "candles") if at_rest else session.audits["candles"]

    assert audit["candles"] >= CANDLES_MIN
    assert [audit[fault] for fault in ("resealed", "gaps", "out_of_order", "misaligned")] == [0] * 4


def test_the_slots_that_are_missing_are_those_that_the_venue_lacks(
    session: Session, recorded: list[Candle], minutes: list[Candle]
) -> None:
    candles = [*recorded, *minutes]
    lacked, missing = injected(candles), found_missing(candles)

    assert missing == lacked
    assert {granularity for _, granularity, _ in missing} == {"1m", "5m"}
    assert session.audits["candles"]["missing_at_venue"] <= len(missing)


def test_sealed_candles_equal_the_recorded_ones(session: Session) -> None:
    audit = session.system.report("audit", "candles", f"--against={SHIPPED}")

    assert {name: each["differing"] for name, each in audit["against"].items()} == {
        "5m": 0,
        "1H": 0,
        "4H": 0,
    }
    assert audit["skipped_symbols"] == 0


@pytest.mark.parametrize("at_rest", [False, True])
def test_every_signal_is_recomputed_byte_for_byte(session: Session, at_rest: bool) -> None:
    audit = session.system.report("audit", "signals") if at_rest else session.audits["signals"]

    faults = [audit[fault] for fault in ("mismatches", "duplicated", "missing", "not_compared")]
    assert faults == [0] * 4, audit["differences"]
    assert audit["signals"] >= session.plan.signals_min


async def test_the_recorders_file_holds_every_signal_of_the_topic_once(session: Session) -> None:
    await asyncio.to_thread(catch_up, session.system, "recorder")
    topic = [record async for record in read_topics(session.system.installation, ["signals"])]
    lines = (session.system.installation.data / "signals.jsonl").read_bytes().splitlines()

    assert Counter(lines) == Counter(record.raw for record in topic)
    ids = [json.loads(line)["id"] for line in lines]
    assert len(set(ids)) == len(ids) >= session.plan.signals_min
    assert all(isinstance(record.event, Signal) for record in topic)


def test_a_second_up_goes_on_where_it_stopped(session: Session) -> None:
    system = session.system
    before = system.report("audit", "candles")
    with system.up(*FLAGS) as process:
        sealed = 'chandler_ingest_sealed_total{granularity="5m"}'
        until(
            lambda: system.metric("ingest", sealed) >= GO_ON_CANDLES, CAUGHT_UP_S_MAX, "no candle"
        )
        end_s = interrupt(process)
    after = system.report("audit", "candles")
    signals = system.report("audit", "signals")

    assert end_s <= END_S_MAX
    assert after["candles"] >= before["candles"] + GO_ON_CANDLES
    assert [after[fault] for fault in ("resealed", "gaps", "out_of_order")] == [0] * 3
    assert [signals[fault] for fault in ("mismatches", "duplicated", "missing")] == [0] * 3


def catch_up(system: System, service: str) -> None:
    """Runs one service alone until it has read what is there."""
    process = system.spawn("run", service)
    try:
        until(lambda: caught_up(system, service), CAUGHT_UP_S_MAX, f"{service} lags")
    finally:
        interrupt(process)


def caught_up(system: System, service: str) -> bool:
    status = system.services()[service]
    return bool(status["ready"]) and status["lag"] == 0


def found_missing(recorded: list[Candle]) -> set[tuple[str, str, int]]:
    """What the topics say is missing."""
    return {
        (candle.symbol, candle.granularity, candle.open_ms)
        for candle in recorded
        if isinstance(candle, CandleMissing)
    }


def injected(recorded: list[Candle]) -> set[tuple[str, str, int]]:
    """What the seed takes away between each symbol's first and newest slot: 5m and its minutes."""
    opens: dict[tuple[str, Granularity], list[int]] = {}
    for candle in recorded:
        if candle.granularity in ("1m", "5m"):
            opens.setdefault((candle.symbol, candle.granularity), []).append(candle.open_ms)
    return {
        (symbol, granularity, slot)
        for (symbol, granularity), slots in opens.items()
        for slot in range(min(slots), max(slots) + 1, interval_ms(granularity))
        if is_missing(SEED, symbol, slot - slot % SLOT_MS, MISSING)
    }
