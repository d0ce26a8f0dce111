"""`why`: an order explains itself back to its candles, and each difference is told."""

import msgspec
import pytest
from msgspec.structs import replace

from chandler.core.events import Signal
from chandler.core.trading.events import OrderFilled, OrderRequested
from chandler.streams.settings import Installation
from tests.services.desking import Run, into_ledger, told
from tests.story import Topics

pytestmark = pytest.mark.kafka

NAMES = [
    *("order", "fill", "request", "desk", "guard", "signal", "matrix"),
    *("indicators 5m", "candle 5m"),
]


@pytest.mark.parametrize("through", ["ledger", "topics"])
async def test_an_order_explains_itself_back_to_its_candles(
    desk: Installation, written: Topics, run: Run, through: str
) -> None:
    found = await told(desk, written)
    if through == "ledger":
        await into_ledger(desk)
    entry, close = found.scene.all(OrderRequested)
    fill = found.scene.all(OrderFilled)[0]

    why = await run("why", entry.id, "--json")
    begun = await run("why", entry.id[:12])
    by_trade = await run("why", fill.trade, "--json")
    closed = await run("why", close.id, "--json")

    names = [link["name"] for link in why.json["links"]]
    assert [name for name in names if name in NAMES] == NAMES
    assert names[-1] == "decision"
    assert why.json["differing"] == 0, why.out
    assert why.json["links"][-1]["says"] == ["scalper says the same again, byte for byte"]
    assert all(not link["unchecked"] for link in why.json["links"])
    assert closed.json["differing"] == 0, closed.out
    assert (why.status, begun.status, closed.status) == (0, 0, 0)
    assert f"order={entry.id} " in begun.out
    assert by_trade.json["order"] == entry.id
    after = [link["name"] for link in closed.json["links"]]
    assert after[:6] == ["order", "fill", "request", "desk", "exit", "ticker"]
    assert after[6:9] == ["opening", "desk", "guard"]
    assert after[-1] == "decision"
    assert ("reading topic orders from end to end" in why.err) == (through == "topics")


async def test_what_differs_along_the_chain_is_told_link_by_link(
    desk: Installation, written: Topics, run: Run
) -> None:
    """The journal's record was written over: another signal, another guard."""
    found = await told(desk, written, publish=False)
    entry = found.scene.all(OrderRequested)[0]
    number = next(at for at, each in enumerate(found.scene.records) if each.seq == entry.seq)
    record = found.scene.records[number]
    signal = msgspec.json.decode(record.input, type=Signal)
    assert record.seen.guard is not None
    other = msgspec.json.encode(replace(signal, reason="another"))
    seen = replace(record.seen, guard=replace(record.seen.guard, both=True))
    found.scene.records[number] = replace(record, input=msgspec.Raw(other), seen=seen)
    await found.publish(written)

    why = await run("why", entry.id, "--json")

    assert why.status == 1
    differing = [link["name"] for link in why.json["links"] if link["faults"]]
    assert differing == ["guard", "signal"]


async def test_an_order_that_nobody_knows_is_one_line(
    desk: Installation, written: Topics, run: Run
) -> None:
    await told(desk, written)

    why = await run("why", "zzzz")

    assert why.status == 1
    assert "no order or trade begins with 'zzzz'" in why.err
    assert "Traceback" not in why.err
