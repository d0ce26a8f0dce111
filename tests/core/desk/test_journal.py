"""The journal decides again what was decided; and whatever comes, the books are right."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chandler.core.desk.config import parse
from chandler.core.desk.journal import input_of, recheck
from chandler.core.desk.state import AgentState
from chandler.core.events import FundingRate, Ticker
from chandler.core.granularity import HOUR_MS
from chandler.core.trading.agents import AgentConfig, PaperConfig
from chandler.core.trading.events import DeskTaken, OrderRequested
from tests.core.desk.scene import BTC, ETH, MODES, Scene, entered, holds, ready

D = Decimal

AGENTS = {
    "anna": AgentConfig(on_opposite="reverse", positions_max=1, size_percent=D(30)),
    "ben": AgentConfig(on_opposite="close", trading_mode="dca", leverage=20, size_percent=D(40)),
    "carl": AgentConfig(trading_mode="adding", size=D(500), engines=["trend"]),
    "dora": AgentConfig(trading_mode="trailing", sides=("short",), balance=D(50)),
}
SYMBOLS = st.sampled_from([BTC, ETH])
NAMES = st.sampled_from(["", *AGENTS, "nobody"])
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), SYMBOLS, st.integers(-1500, 1500), st.integers(0, 400)),
        st.tuples(st.just("tick"), SYMBOLS, st.integers(-100, 100), st.integers(0, 400)),
        st.tuples(
            st.just("signal"),
            SYMBOLS,
            st.sampled_from(["long", "short", "flat"]),
            st.sampled_from(["scalper", "trend", "webhook"]),
        ),
        st.tuples(
            st.just("exit"),
            SYMBOLS,
            st.sampled_from(["anna", "ben", "carl", "dora"]),
            st.sampled_from(["stop", "take_profit-1", "dca-1", "dca-2"]),
        ),
        st.tuples(
            st.just("command"),
            st.sampled_from(["trading", "selling", "force", "close", "close_all", "pause"]),
            NAMES,
            st.booleans(),
        ),
        st.tuples(st.just("guard"), SYMBOLS, st.sampled_from(["none", "up", "down"])),
        st.tuples(st.just("wait"), st.integers(0, 2_000)),
        st.tuples(st.just("funding"), SYMBOLS, st.integers(-5, 5)),
        st.tuples(st.just("again"), st.integers(0, 1_000)),
    ),
    max_size=40,
)


def play(ops, latency_ms):
    """The scene after the inputs; the books are looked at after each."""
    scene = ready(agents=AGENTS, paper=PaperConfig(latency_ms=latency_ms))
    prices = {BTC: D(100), ETH: D(100)}
    for op in ops:
        match op:
            case ("tick", symbol, cents, ms):
                prices[symbol] = max(D(1), prices[symbol] + D(cents) / 100)
                scene.tick(prices[symbol], symbol, ms=ms)
            case ("signal", symbol, side, source):
                scene.signal(side, symbol, source=source)
            case ("exit", symbol, agent, leg) if symbol in scene.states[agent].holdings:
                act = "add" if leg.startswith("dca") else "close"
                size = None if leg == "stop" else D("0.5")
                kind = leg.partition("-")[0]
                scene.take(scene.exit(agent, symbol, leg=leg, kind=kind, action=act, size=size))
            case ("command", what, agent, on):
                scene.command(what, agent=agent, on=on, symbol=BTC, side="short", source="scalper")
            case ("guard", symbol, pump):
                scene.guard(pump, symbol)
            case ("wait", ms):
                scene.wait(ms)
            case ("funding", symbol, rate):
                next_ms = scene.now - scene.now % HOUR_MS + HOUR_MS
                scene.wait(30 * 60_000)
                scene.fundings[symbol] = FundingRate(
                    symbol=symbol,
                    rate=f"{rate / 1_000}",
                    interval_h=1,
                    next_ms=next_ms,
                    seen_at=scene.now,
                )
            case ("again", number) if scene.records:
                event = input_of(scene.records[number % len(scene.records)])
                if not isinstance(event, Ticker):
                    scene.take(event)
        holds(scene)
    return scene


@settings(max_examples=150, deadline=None)
@given(OPS, st.sampled_from([0, 250]))
def test_whatever_comes_the_books_are_right_and_the_journal_repeats_itself(ops, latency_ms):
    """Balance, one position per symbol, positions_max (see `holds`), no short in a pump."""
    scene = play(ops, latency_ms)

    states: dict[str, AgentState] = {}
    assert list(recheck(scene.desk, scene.records, states=states)) == []
    assert states == scene.states
    for recorded in scene.records:
        guard = recorded.seen.guard
        if guard is not None and guard.pump == "up":
            for raw in recorded.outputs:
                assert not _opens_short(raw), f"a short was requested in a pump: {raw!r}"


def _opens_short(raw):
    event = msgspec.json.decode(raw)
    return (
        event["type"] == "OrderRequested"
        and event["side"] == "short"
        and event["action"] != "close"
    )


@settings(max_examples=30, deadline=None)
@given(OPS)
def test_ids_are_never_used_twice(ops):
    scene = play(ops, 250)
    ids = [each.id for each in scene.all(OrderRequested)]

    assert len(ids) == len(set(ids))


def scene_with_history() -> Scene:
    scene = entered()
    scene.take(scene.exit(leg="take_profit-1", kind="take_profit", size=D("1")))
    scene.tick(101)
    scene.signal("short")
    scene.signal("flat")
    scene.tick(102)
    return scene


def test_an_untouched_journal_has_no_mismatch():
    scene = scene_with_history()

    assert len(scene.records) >= 6
    assert list(recheck(scene.desk, scene.records)) == []


def test_the_configuration_can_be_looked_up_by_its_hash():
    scene = scene_with_history()
    texts = {scene.desk.hash: scene.desk.text}

    assert list(recheck(lambda hash_: parse(texts[hash_], MODES), scene.records)) == []


def tampered(raw: msgspec.Raw, what: str, value: object) -> msgspec.Raw:
    fields = msgspec.json.decode(raw)
    fields[what] = value
    return msgspec.Raw(msgspec.json.encode(fields))


def changed(records: list[DeskTaken], of_kind: str, **fields: object) -> list[DeskTaken]:
    number = next(n for n, each in enumerate(records) if each.kind == of_kind)
    return [*records[:number], replace(records[number], **fields), *records[number + 1 :]]


def test_a_record_with_another_input_is_found():
    scene = scene_with_history()
    signal = next(each for each in scene.records if each.kind == "Signal")
    records = changed(scene.records, "Signal", input=tampered(signal.input, "side", "short"))

    found = list(recheck(scene.desk, records))

    assert found[0].record.seq == signal.seq


def test_a_record_with_another_output_is_found():
    scene = scene_with_history()
    signal = next(each for each in scene.records if each.kind == "Signal")
    outputs = [tampered(signal.outputs[0], "size", "1"), *signal.outputs[1:]]

    found = list(recheck(scene.desk, changed(scene.records, "Signal", outputs=outputs)))

    assert [each.record.seq for each in found] == [signal.seq]


@pytest.mark.parametrize(
    "fields", [{"state": "other"}, {"outputs": []}, {"kind": "Nothing"}, {"config": "other"}]
)
def test_a_record_that_was_changed_otherwise_is_found(fields):
    scene = scene_with_history()

    assert list(recheck(scene.desk, changed(scene.records, "Signal", **fields)))


def test_a_record_that_saw_something_else_is_found():
    scene = scene_with_history()
    signal = next(each for each in scene.records if each.kind == "Signal")
    seen = replace(signal.seen, instrument=None)

    assert list(recheck(scene.desk, changed(scene.records, "Signal", seen=seen)))


def test_a_record_that_is_missing_is_found():
    scene = scene_with_history()

    assert list(recheck(scene.desk, [*scene.records[:2], *scene.records[3:]]))
