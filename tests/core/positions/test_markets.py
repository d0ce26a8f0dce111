"""What holds of positions in any market: restarts, mirrors, late fills, stops that stay."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.positions.rules import Ladder, Rules, Stale
from chandler.core.positions.stage import step
from chandler.core.positions.state import SymbolPositions
from chandler.core.trading.events import ExitRequested, PositionClosed
from tests.core.positions.playing import (
    BTC,
    START_MS,
    TRAIL,
    events_of,
    exits_of,
    fill,
    order,
    play,
    start,
    ticker,
    watching,
)

D = Decimal
T = START_MS

CENTS = st.integers(-150, 150)
ANY_RULES = st.sampled_from(
    [
        Rules(),
        Rules(trail=TRAIL, shares=(D(30), D(30))),
        Rules(stale=Stale(hold_min=1, low_percent=D(-2), high_percent=D(1))),
        Rules(ladder=Ladder(attempts=3, step_percent=D(1), growth=D("1.5"))),
    ]
)


def walk_of(moves):
    """Tickers a second apart from 100 on, never below 1."""
    price, ticks = D(100), []
    for step_, cents in enumerate(moves):
        price = max(D(1), price + D(cents) / 100)
        ticks.append(ticker(T + 1_000 * step_, price))
    return ticks


def entry_of(side):
    stop, targets = ("97", ("102", "104")) if side == "long" else ("103", ("98", "96"))
    return fill(T + 500, "100", "2", side=side, stop=stop, targets=targets, leverage=10)


def again(state):
    """As a restart reads it."""
    return msgspec.json.decode(msgspec.json.encode(state), type=SymbolPositions)


@settings(max_examples=60)
@given(
    moves=st.lists(CENTS, max_size=120),
    rules=ANY_RULES,
    side=st.sampled_from(["long", "short"]),
    data=st.data(),
)
def test_a_restart_in_the_middle_changes_nothing(moves, rules, side, data):
    watch = watching(rules)
    played = play(watch, entry_of(side), walk_of(moves))
    cuts = data.draw(st.sets(st.integers(0, len(played.inputs)), max_size=5))
    state, outputs = start(), []

    for place, event in enumerate(played.inputs):
        if place in cuts:
            state = again(state)
        state, made = step(watch, state, event)
        outputs += events_of(made)

    assert outputs == played.outputs
    assert state == played.state


@settings(max_examples=60)
@given(moves=st.lists(CENTS, max_size=120), rules=ANY_RULES)
def test_no_exit_comes_twice_and_what_is_closed_is_what_was_opened(moves, rules):
    played = play(watching(rules), entry_of("long"), walk_of(moves))

    ids = [each.id for each in played.exits]
    assert len(ids) == len(set(ids))
    for closed in (each for each in played.outputs if isinstance(each, PositionClosed)):
        opened = sum(e.price * e.size for e in played.inputs if _fills(e, "open", "add"))
        assert closed.position.realised == closed.exit_notional - opened
        assert closed.position.size == 0


def _fills(event, *actions):
    return getattr(event, "trade", "") and event.action in actions


@settings(max_examples=60)
@given(moves=st.lists(CENTS, max_size=120), rules=ANY_RULES)
def test_a_published_trailing_stop_never_moves_back(moves, rules):
    played = play(watching(rules), entry_of("long"), walk_of(moves))

    stops = [
        each.position.stop
        for each in played.outputs
        if hasattr(each, "position") and not isinstance(each, ExitRequested)
    ]
    assert stops == sorted(stops)


@settings(max_examples=60)
@given(
    moves=st.lists(CENTS, max_size=120),
    rules=st.sampled_from(
        [
            Rules(stale=Stale(hold_min=1, low_percent=D(-2), high_percent=D(1))),
            Rules(
                liquidation_percent=D(0), ladder=Ladder(attempts=3, step_percent=D(1), growth=D(1))
            ),
        ]
    ),
)
def test_a_short_in_a_mirrored_market_is_a_long(moves, rules):
    ticks = walk_of(moves)
    ticks = [tick for tick in ticks if D(tick.last) < 190]
    mirrored = [ticker(tick.at, 200 - D(tick.last)) for tick in ticks]

    long = play(watching(rules), entry_of("long"), ticks)
    short = play(watching(rules), entry_of("short"), mirrored)

    assert [_bare(each) for each in long.exits] == [_bare(each) for each in short.exits]
    assert long.state.open.keys() == short.state.open.keys()


def _bare(request):
    return (request.kind, request.leg, request.action, request.size, request.at)


@settings(max_examples=80)
@given(
    moves=st.lists(CENTS, min_size=1, max_size=60),
    rules=ANY_RULES,
    side=st.sampled_from(["long", "short"]),
    delay=st.integers(0, 60),
    restart=st.booleans(),
)
def test_by_arrival_a_late_first_fill_fires_what_it_would_have_fired(
    moves, rules, side, delay, restart
):
    ticks, entry = walk_of(moves), entry_of(side)
    delay = min(delay, len(ticks))
    asked = msgspec.structs.replace(order_of_entry(entry), at=T, symbol=BTC)

    in_time, _ = first_exit(watching(rules), [entry, *ticks])
    late, _ = first_exit(
        watching(rules, by_arrival=True),
        [asked, *ticks[:delay], entry, *ticks[delay:]],
        restart_at=delay if restart else None,
    )

    assert late == in_time


def order_of_entry(entry):
    request = ExitRequested(
        id="signal-1",
        position=entry.position,
        account=entry.account,
        agent=entry.agent,
        symbol=BTC,
        side=entry.side,
        kind="dca",
        leg="entry",
        action="add",
        size=None,
        price=entry.price,
        reason="",
        at=T,
        due_ms=T,
    )
    return msgspec.structs.replace(order(request, entry.size), action="open", id=entry.id)


def first_exit(watch, events, restart_at=None):
    state = start()
    for place, event in enumerate(events):
        if place == restart_at:
            state = again(state)
        state, made = step(watch, state, event)
        for request in exits_of(made):
            return request, state
    return None, state
