"""A venue's own books against the desk's, as `desk check` compares them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from msgspec.structs import replace

from chandler.core.desk.state import AgentState
from chandler.core.trading.broker import (
    AccountError,
    Broker,
    VenueBalance,
    VenueFunding,
    VenuePosition,
)
from services.cli.desk import venues
from services.cli.desk.venues import venue_books
from tests.core.desk.account import Live
from tests.core.desk.scene import BTC

D = Decimal


class Account:
    """What the venue says, look by look; the last one stays."""

    def __init__(
        self, *looks: tuple[str, str], fault: str = "", bills: Sequence[VenueFunding] = ()
    ) -> None:
        self._bills = bills
        self._looks = list(looks)
        self._fault = fault

    async def open(self) -> None:
        if self._fault:
            raise AccountError(self._fault)

    async def close(self) -> None:
        pass

    async def fundings_since(self, since_ms: int) -> list[VenueFunding]:
        return [each for each in self._bills if each.at >= since_ms]

    async def positions(self) -> list[VenuePosition]:
        size = D(self._looks[0][0])
        return [
            VenuePosition(
                symbol=BTC,
                side="long" if size > 0 else "short",
                size=abs(size),
                entry=D(100),
                mark=D(100),
                unrealised=D(0),
                liquidation=None,
                leverage=3,
            )
        ]

    async def balance(self) -> VenueBalance:
        wallet = D(self._looks.pop(0)[1] if len(self._looks) > 1 else self._looks[0][1])
        return VenueBalance(wallet=wallet, available=wallet, equity=wallet, at=0)


async def books(
    states: Sequence[AgentState],
    *looks: tuple[str, str],
    fault: str = "",
    bills: Sequence[VenueFunding] = (),
) -> Any:
    async def read() -> Sequence[AgentState]:
        return states

    account = Account(*looks, fault=fault, bills=bills)
    return await venue_books("main", cast(Broker, account), read)


def held() -> tuple[AgentState, str, str]:
    """An agent with a position; its size, and the wallet that it makes."""
    scene = Live()
    made = scene.entered()
    (state,) = scene.states.values()
    return state, str(made.size), str(state.balance)


async def test_a_wallet_and_positions_that_are_the_desks_differ_by_nothing():
    state, size, wallet = held()

    found = await books([state], (size, wallet))

    assert (found.difference, found.differences, found.fault) == (0, [], "")
    assert (found.wallet, found.positions) == (D(wallet), 1)


async def test_each_thing_that_differs_is_told_and_counted(monkeypatch):
    monkeypatch.setattr(venues, "AGAIN_S", 0.0)
    state, size, wallet = held()

    found = await books([state], (f"-{size}", str(D(wallet) - D("0.00000001"))))

    assert found.difference == 2 * D(size) + D("0.00000001")
    assert [line.split(":")[0] for line in found.differences] == ["main", "main BTCUSDT"]


async def test_a_moment_in_which_the_venue_trades_is_not_the_one_that_counts(monkeypatch):
    monkeypatch.setattr(venues, "AGAIN_S", 0.0)
    state, size, wallet = held()

    found = await books([state], ("1", "5"), ("2", "6"), (size, wallet))

    assert (found.difference, found.fault) == (0, "")


async def test_an_intent_under_way_is_waited_for_and_said_where_it_does_not_end(monkeypatch):
    monkeypatch.setattr(venues, "AGAIN_S", 0.0)
    scene = Live()
    scene.enter()

    found = await books(list(scene.states.values()), ("1", "5"))

    assert found.fault
    assert found.difference == 0


async def test_an_account_that_can_not_be_opened_is_said_and_not_compared():
    found = await books([], ("1", "5"), fault="the key may not trade")

    assert found.fault == "the key may not trade"
    assert found.differences == []


async def test_funding_that_the_desk_has_not_asked_for_yet_is_no_difference() -> None:
    """At 600 times the venue's speed a minute between two askings is ten hours of funding: the
    check said difference=0.50764159 of books that were right."""
    state, size, wallet = held()
    state = replace(state, known_ms=1_000_000, processed={"funding/old": 2_000_000})
    bills = [
        VenueFunding(bill="old", symbol=BTC, amount=D(9), at=999_000),
        VenueFunding(bill="new", symbol=BTC, amount=D("0.25"), at=1_001_000),
    ]
    less = str(D(wallet) - D("0.25"))

    found = await books([state], (size, less), bills=bills)
    wrong = await books([state], (size, wallet), bills=bills)

    assert found.difference == 0
    assert wrong.difference == D("0.25")
