"""The audit of the desk: what it finds, and what it honestly doesn't compare."""

import msgspec
from msgspec.structs import replace

from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import DeskTaken, OrderRequested, WindowClosed
from chandler.replay.audit.desk import Auditor, DeskAudit
from chandler.streams.codec import encode
from services.cli.desk.audit_orders import ORDER_TYPES
from tests.core.desk.scene import BTC, Scene, entered, of, ready
from tests.story import guard


def day(side: str = "long") -> Scene:
    """An entry, its stop, a refusal."""
    scene = entered(side)
    scene.signal("long" if side == "short" else "short")
    scene.wait(250)
    scene.take(scene.exit())
    scene.tick(101)
    return scene


def outputs(records: list[DeskTaken]) -> list[tuple[int, int, bytes]]:
    """What topic orders holds."""
    return [
        (record.shard, record.seq, bytes(raw))
        for record in records
        for raw in record.outputs
        if msgspec.json.decode(bytes(raw))["type"] in ORDER_TYPES
    ]


def audited(scene: Scene, records=None, events=None, pumps=(), code="code", known=True):
    records = scene.records if records is None else records
    auditor = Auditor(
        lambda name: scene.desk if known and name == scene.desk.hash else None,
        code=code,
        order_types=ORDER_TYPES,
    )
    for record in records:
        auditor.journalled(record)
    for event in outputs(records) if events is None else events:
        auditor.ordered(*event)
    for state in pumps:
        auditor.pumped(state)
    return auditor.finish()


def test_a_journal_is_decided_again_to_the_same_bytes():
    scene = day()

    found = audited(scene)

    assert found.well, found.differences
    assert found.line.startswith(f"decisions={len(scene.records)} mismatches=0 ")
    assert found.events == len(outputs(scene.records))
    assert (found.not_compared, found.missing, found.shorts) == (0, 0, 0)


def test_nothing_is_not_well():
    assert not audited(Scene(), records=[]).well


def tampered(records: list[DeskTaken], number: int, was: bytes, by: bytes) -> list[DeskTaken]:
    raw = encode(records[number])
    assert was in raw
    made = msgspec.json.decode(raw.replace(was, by), type=DeskTaken)
    return [made if at == number else record for at, record in enumerate(records)]


def entry_of(scene: Scene) -> int:
    """Which record holds the first request."""
    return next(
        number
        for number, record in enumerate(scene.records)
        if any(b"OrderRequested" in bytes(raw) for raw in record.outputs)
    )


def test_another_decision_is_a_mismatch():
    scene = day()
    records = tampered(scene.records, entry_of(scene), b'"leverage":3', b'"leverage":4')

    found = audited(scene, records=records)

    assert found.mismatches >= 1
    assert not found.well
    assert "OrderRequested" in found.differences[0]


def test_another_state_is_a_mismatch():
    scene = day()
    last = scene.records[-1]

    found = audited(scene, records=[*scene.records[:-1], replace(last, state="other")])

    assert found.mismatches == 1
    assert "the states after them don't" in found.differences[0]


def test_a_record_that_is_missing_is_a_mismatch():
    scene = day()

    found = audited(scene, records=[scene.records[0], *scene.records[2:]])

    assert found.mismatches >= 1
    assert "records are missing" in found.differences[0]


def test_a_journal_without_its_beginning_is_a_mismatch():
    scene = day()

    found = audited(scene, records=scene.records[2:])

    assert "begins with seq 2" in found.differences[0]


def test_an_event_that_the_topic_lacks_is_missing():
    scene = day()

    found = audited(scene, events=outputs(scene.records)[:-1])

    assert (found.missing, found.well) == (1, False)
    assert "is not in orders" in found.differences[0]


def test_an_event_that_is_in_the_topic_again_is_duplicated():
    scene = day()
    events = outputs(scene.records)

    found = audited(scene, events=[*events, events[0]])

    assert (found.duplicated, found.missing, found.well) == (1, 0, False)


def test_an_event_with_other_bytes_is_missing_and_unexplained():
    scene = day()
    *events, (shard, seq, raw) = outputs(scene.records)

    found = audited(scene, events=[*events, (shard, seq, raw.replace(b'"v":1', b'"v": 1'))])

    assert (found.missing, found.unexplained, found.well) == (1, 1, False)


def test_what_was_written_after_the_journal_was_read_is_nobodys_fault():
    scene = day()
    later = (0, scene.records[-1].seq + 1, b'{"type":"OrderSent"}')

    assert audited(scene, events=[*outputs(scene.records), later]).well


def test_an_event_that_names_no_record_is_unexplained():
    scene = day()

    found = audited(scene, events=[*outputs(scene.records), (-1, 0, b"{}")])

    # Shard -1 has no journal: nothing of it may be in the topic.
    assert (found.unexplained, found.well) == (1, False)


def test_other_code_that_decides_the_same_is_compared():
    scene = day()

    found = audited(scene, code="other")

    assert found.well
    assert found.decisions == len(scene.records)


def test_other_code_that_decided_otherwise_is_not_compared_nor_is_what_follows():
    scene = day()
    number = entry_of(scene)
    records = tampered(scene.records, number, b'"leverage":3', b'"leverage":4')

    found = audited(scene, records=records, code="other")

    assert found.mismatches == 0
    assert found.not_compared >= 1
    assert found.decisions + found.not_compared == len(records)


def test_an_unknown_configuration_is_not_compared():
    scene = day()

    found = audited(scene, known=False)

    assert (found.decisions, found.not_compared) == (0, len(scene.records))
    assert not found.well


def test_after_an_unknown_configuration_an_agent_counts_again_once_its_state_agrees():
    """Two agents; the first record, about both, was made under a configuration nobody has."""
    scene = Scene({"anna": AgentConfig(), "bert": AgentConfig()})
    scene.tick(100)
    scene.signal("long", agents=["anna"])
    scene.tick(100)
    first = replace(scene.records[0], config="unknown")

    found = audited(scene, records=[first, *scene.records[1:]])

    assert found.mismatches == 0
    assert found.not_compared >= 1


def short_in(scene: Scene) -> OrderRequested:
    return next(
        each
        for each in of(scene.said, OrderRequested)
        if (each.side, each.action) == ("short", "open")
    )


def test_a_short_under_a_quiet_guard_is_counted():
    scene = day("short")
    opened = short_in(scene)

    found = audited(scene, pumps=[guard(opened.at - 10), guard(opened.at + 1, "up")])

    assert found.well
    assert (found.shorts, found.guarded, found.shorts_in_pump) == (1, 1, 0)
    assert found.line.endswith("shorts=1 shorts_in_pump=0")


def test_a_short_in_a_pump_is_found():
    scene = day("short")
    opened = short_in(scene)

    found = audited(scene, pumps=[guard(opened.at - 10), guard(opened.at, "up")])

    assert (found.shorts_in_pump, found.well) == (1, False)
    assert opened.id in found.differences[-1]


def test_a_long_in_a_pump_is_allowed():
    scene = day("long")

    assert audited(scene, pumps=[guard(0, "up")]).shorts_in_pump == 0


def test_a_pump_that_the_desk_went_on_without_is_told_apart():
    """The guard was waited for in vain, which is journalled; its pump came to light later."""
    scene = ready()
    window = WindowClosed(input="pumps", partition=-1, symbol=BTC, waited_ms=5_000, at=scene.now)
    scene.take(window)
    scene.signal("short")
    scene.tick(100)
    opened = short_in(scene)
    seen = scene.records[entry_of(scene)].seen.guard
    assert seen is not None

    quiet = audited(scene, pumps=[guard(seen.at), guard(opened.at + 1, "up")])
    pumped = audited(behind(scene), pumps=[guard(opened.at, "up")])

    assert (quiet.shorts_in_pump, quiet.told_later) == (0, 0)
    assert (pumped.shorts_in_pump, pumped.told_later) == (0, 1)


def behind(scene: Scene) -> Scene:
    """The same journal, had the guard been half a second behind when the short was opened."""
    number = entry_of(scene)
    record = scene.records[number]
    assert record.seen.guard is not None
    older = replace(record.seen.guard, at=record.seen.guard.at - 500)
    scene.records[number] = replace(record, seen=replace(record.seen, guard=older))
    return scene


def test_the_figures_are_one_line():
    found = DeskAudit(9, 0, 1, 20, 0, 0, 0, 3, 3, 0, 2, [])

    assert found.line == (
        "decisions=9 mismatches=0 not_compared=1 events=20 missing=0 duplicated=0 unexplained=0 "
        "shorts=3 shorts_in_pump=0 told_later=2"
    )
