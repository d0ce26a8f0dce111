"""A caller sees its agents only: whatever is asked, nothing of others is in the answer."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from tests.services.gateway.stand_in import DAY, Door
from tests.services.notifier.answering.scene import (
    BTC,
    ETH,
    HOUR,
    infra,
    opened,
    order,
    out,
    refusal,
    signal,
    state,
    trip,
    view,
)

READING = "services.gateway.routes.reading."


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Both have traded; bert's name is in whatever is his."""
    made = Door(tmp_path, "anna", "bert")
    anna, bert = state("anna", "1"), state("bert", "77")
    made.record(
        orders=[
            *trip("1", "anna", "110", at=DAY + HOUR),
            *trip("2", "bert", "97", at=DAY + 2 * HOUR, symbol=ETH),
            *order("3", "bert", at=DAY + 3 * HOUR, price=None),
            refusal("bert", "stale", "late"),
        ],
        signals=[signal(1), signal(2, "bert"), signal(3, "anna", "bert")],
        infra=[infra("executor", "crashed", "bert")],
        positions=[opened(anna, "101"), opened(bert, "177")],
    )
    made.scene.stand(anna, bert)
    made.see("positions", opened(anna, "101"), opened(bert, "177"))
    made.see("orders", *order("3", "bert", price=None))
    made.see("infra", infra("executor", "crashed", "bert"))
    made.see("market", view())
    made.see("candles.last", out(BTC))
    made.read()
    return made


def targets(door: Door) -> list[str]:
    """Every reading route; those of one thing are asked for what is bert's."""
    his = {
        "{name}": "bert",
        "{position}": f"bert-{BTC}",
        "{order}": "order2",
        "{trade}": "trip2",
        "{run}": "x",
    }
    found = []
    for route in iter_route_contexts(door.app.routes):
        kind = route.original_route
        if isinstance(kind, APIRoute) and kind.endpoint.__module__.startswith(READING):
            path = str(route.path).removeprefix("/v1")
            for name, value in his.items():
                path = path.replace(name, value)
            found.append(path)
    return found


@pytest.mark.parametrize("who", ["vera", "otto", "nina"])
async def test_nothing_of_others_is_in_any_answer(door: Door, who: str) -> None:
    asked = targets(door)
    assert len(asked) >= 30

    for target in asked:
        answer = await door.ask(target, by=who)

        assert b"bert" not in answer.raw, f"{target}: {answer}"


async def test_an_owner_sees_them(door: Door) -> None:
    """So that the test above would find them."""
    found = [target for target in targets(door) if b"bert" in (await door.ask(target)).raw]

    assert {
        "/agents", "/agents/bert", "/positions", f"/positions/bert-{BTC}", "/balances", "/orders",
        "/orders/order2", "/fills", "/trades", "/trades/trip2", "/refusals", "/refusals/counts",
        "/pnl", "/equity", "/signals", "/infra", "/infra/events",
    } <= set(found)  # fmt: skip


@pytest.mark.parametrize(
    "target",
    ["/agents/bert", "/positions?agent=bert", "/balances?agent=bert", "/orders?agent=bert",
     "/orders/order2", "/fills?agent=bert", "/trades?agent=bert", "/trades/trip2",
     f"/positions/bert-{BTC}", "/refusals?agent=bert", "/refusals/counts?agent=bert",
     "/pnl?agent=bert", "/equity?agent=bert", "/signals?agent=bert", "/why/order2", "/why/order3"],
)  # fmt: skip
async def test_what_is_not_seen_is_not_there(door: Door, target: str) -> None:
    """404 as for a name that nobody has: with the same words."""
    others = await door.ask(target, by="vera")
    nobodys = await door.ask(target.replace("bert", "mallory").replace("2", "8").replace("3", "8"),
                             by="vera")  # fmt: skip

    assert others.status == 404
    assert others.raw == nobodys.raw


async def test_who_has_no_agent_sees_empty_lists(door: Door) -> None:
    """An empty filter would mean all of them."""
    for target in ("/agents", "/positions", "/balances", "/orders", "/fills", "/trades",
                   "/refusals", "/refusals/counts", "/pnl", "/equity"):  # fmt: skip
        assert (await door.ask(target, by="nina")).items == [], target
