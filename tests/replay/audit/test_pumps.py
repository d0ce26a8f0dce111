"""The recorded states of the pump guard against what candles and tickers make again."""

from collections.abc import Sequence

from msgspec.structs import replace

from chandler.core.events import CandleSealed, DeadLetter, Event, Symbol, Ticker
from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.core.market.pump import BOUNDARY_MS, WAITING_MAX
from chandler.core.trading.events import PumpState
from chandler.replay.audit.pumps import BLIND, EARLY, GONE, HOLED, OTHER, Guarding, audit_pumps
from chandler.replay.audit.verdict import Checked, Read
from services.cli.verify.ran import blind_of
from tests.candles import START_MS
from tests.core.test_pump import STAGE, minute, tick
from tests.replay.audit.reads import read

MINUTES = 60


def market() -> tuple[list[CandleSealed], list[Ticker]]:
    """An hour with a pump in its middle: candles, and four ticks a minute."""
    candles, ticks = [], []
    for number in range(MINUTES):
        pumped = 20 <= number < 24
        price = 100.0 + 2.0 * (number - 19) * pumped
        candles.append(minute(number, price, 80.0 if pumped else 10.0))
        for part in range(4):
            volume = (20.0 if pumped else 2.5) * part
            ticks.append(tick(number + part / 4 + 0.01, price + part * 0.1, volume))
    return candles, ticks


def guarded(events: Sequence[Read]) -> tuple[list[Read], list[DeadLetter]]:
    """What the guard writes when it gets the events in this order."""
    state = STAGE.start("BTCUSDT")
    states: list[Read] = []
    letters: list[DeadLetter] = []
    for one in events:
        state, outputs = STAGE.step(state, one.event)
        for output in outputs:
            if isinstance(output.event, PumpState):
                states.append(read("pumps", output.event, len(states), one.place))
            elif isinstance(output.event, DeadLetter):
                letters.append(output.event)
    return states, letters


def placed(topic: str, events: Sequence[Event]) -> list[Read]:
    return [read(topic, event, offset) for offset, event in enumerate(events)]


CANDLES, TICKS = market()
MINUTES_READ, TICKS_READ = placed("candles.1m", CANDLES), placed("tickers", TICKS)


def by_time(candles: Sequence[Read] = MINUTES_READ, late_ms: int = 0) -> list[Read]:
    """Both inputs by time; candles come so much later than they close."""

    def place(one: Read) -> tuple[int, int]:
        event = one.event
        if isinstance(event, Ticker):
            return (event.at, 1)
        assert isinstance(event, CandleSealed)
        return (event.close_ms + late_ms, 0)

    return sorted([*candles, *TICKS_READ], key=place)


def audited(states: Sequence[Read], ticks: Sequence[Read] = TICKS_READ, **known: object) -> Checked:
    guarding = Guarding(stage=STAGE, boundary_ms=BOUNDARY_MS, ahead_ms=2 * HOUR_MS)
    return audit_pumps(
        iter(MINUTES_READ),
        iter(ticks),
        iter(states),
        guarding._replace(**known),  # type: ignore[arg-type]
    )


def test_the_guards_states_are_recomputed_whichever_input_came_first() -> None:
    for late_ms in (0, 40_000, -10 * MINUTE_MS):
        states, letters = guarded(by_time(late_ms=late_ms))

        found = audited(states)

        assert not letters
        assert {one.event.kind for one in states if isinstance(one.event, PumpState)} == {
            "started",
            "ended",
            "heartbeat",
        }
        assert (found.compared, found.faults) == (len(states), 0), found.first


def test_a_foreign_state_is_found_and_named() -> None:
    states, _ = guarded(by_time())
    one = states[7]
    assert isinstance(one.event, PumpState)
    foreign = replace(one.event, at=one.event.at + 1, kind="started", pump="up")
    planted = [*states[:8], read("pumps", foreign, 99, "tickers/0/31"), *states[8:]]

    found = audited(planted)

    assert (found.mismatches, found.missing) == (1, 0)
    assert found.first is not None
    assert found.first.at == foreign.at
    assert found.first.what == "recorded, and not recomputed"
    assert "tickers/0/31" in found.first.cause


def test_a_changed_figure_is_found_with_both_sides_and_its_inputs() -> None:
    states, _ = guarded(by_time())
    one = states[5]
    assert isinstance(one.event, PumpState)
    changed = replace(one.event, change=one.event.change + 1e-12)
    planted = [*states[:5], read("pumps", changed, 5, one.made_from), *states[6:]]

    found = audited(planted)

    assert found.mismatches == 1
    assert found.first is not None
    assert found.first.what.startswith("change is ")
    assert one.made_from in found.first.cause
    assert found.first.recorded != found.first.recomputed


def test_a_state_that_was_removed_is_missing() -> None:
    states, _ = guarded(by_time())

    found = audited([*states[:9], *states[10:]])

    assert (found.missing, found.mismatches) == (1, 0)


def many_ticks() -> list[Read]:
    """So many in one minute that the guard gives up waiting for its candle."""
    ticks = [tick(30.0 + n / (WAITING_MAX * 2), 109.0, 5.0) for n in range(WAITING_MAX + 60)]
    every = sorted([*TICKS, *ticks], key=lambda each: each.at)
    return placed("tickers", every)


def test_ticks_that_were_judged_without_their_candle_explain_what_differs() -> None:
    ticks = many_ticks()
    held = next(one for one in MINUTES_READ if one.event is CANDLES[29])
    rest = [one for one in MINUTES_READ if one is not held]
    order = sorted(
        [*rest, *ticks],
        key=lambda one: (
            (one.event.at, 1)
            if isinstance(one.event, Ticker)
            else (getattr(one.event, "close_ms", 0), 0)
        ),
    )
    order = [one for one in order if one.event not in CANDLES[30:32]]
    late = next(n for n, one in enumerate(order) if getattr(one.event, "at", 0) > minutes_in(31.5))
    kept = [one for one in MINUTES_READ if one.event in CANDLES[30:32]]
    states, letters = guarded([*order[:late], held, *kept, *order[late:]])
    told = [blind_of(letter) for letter in letters]
    unexplained = audited(states, ticks)
    found = audited(states, ticks, blind={"BTCUSDT": [at for _, at in filter(None, told)]})

    assert told == [("BTCUSDT", minutes_in(30))]
    assert unexplained.faults > 0
    assert found.faults == 0, found.first
    assert found.explained == {BLIND: unexplained.faults}
    assert found.compared + sum(found.explained.values()) >= len(states) - 1


def minutes_in(number: float) -> int:
    return START_MS + round(number * MINUTE_MS)


def test_where_older_tickers_are_gone_states_count_from_the_first_that_is_the_same() -> None:
    states, _ = guarded(by_time())
    since = minutes_in(21.5)
    kept = [one for one in TICKS_READ if isinstance(one.event, Ticker) and one.event.at >= since]
    recorded = [one for one in states if isinstance(one.event, PumpState) and one.event.at >= since]

    found = audited(recorded, kept, whole=False)

    assert found.faults == 0, found.first
    assert set(found.not_compared) <= {GONE}
    assert found.compared > 5


def test_states_from_before_a_change_of_code_are_not_compared_where_they_differ() -> None:
    states, _ = guarded(by_time())
    one = states[5]
    assert isinstance(one.event, PumpState)
    other = read("pumps", replace(one.event, change=0.5), 5, one.made_from)
    before = [*states[:5], other]
    after = [each._replace(written_ms=2) for each in states[6:]]

    found = audited([*before, *after], since_ms=2)

    assert found.faults == 0
    assert found.not_compared == {OTHER: 1}
    assert found.compared == len(states) - 1


def test_a_hole_in_the_candles_is_told_once_and_what_follows_is_not_compared() -> None:
    states, _ = guarded(by_time())
    holed = [one for one in MINUTES_READ if one.event is not CANDLES[40]]
    guarding = Guarding(stage=STAGE, boundary_ms=BOUNDARY_MS, ahead_ms=2 * HOUR_MS)

    found = audit_pumps(iter(holed), iter(TICKS_READ), iter(states), guarding)

    assert found.mismatches == 1
    assert found.first is not None
    assert "look for what is missing in candles.1m" in found.first.what
    assert set(found.not_compared) == {HOLED}


def test_ticks_that_came_before_the_first_candle_explain_how_it_begins() -> None:
    """Candles came 50 s after a start under 429s: the guard had forgotten its oldest ticks."""
    forgotten = {id(one) for one in TICKS_READ[:10]}
    states, _ = guarded([one for one in by_time() if id(one) not in forgotten])
    late = [one._replace(written_ms=2) for one in MINUTES_READ]
    guarding = Guarding(stage=STAGE, boundary_ms=BOUNDARY_MS, ahead_ms=2 * HOUR_MS)

    unexplained = audited(states)
    found = audit_pumps(iter(late), iter(TICKS_READ), iter(states), guarding)

    assert unexplained.faults > 0
    assert found.faults == 0, found.first
    assert found.explained == {EARLY: unexplained.faults}
    assert found.compared > 10


def test_a_ticks_own_candle_is_found_behind_others_of_far_ahead() -> None:
    """An overloaded ingest wrote another symbol's candles of ten hours first."""
    states, _ = guarded(by_time())
    far = CANDLES[0].open_ms + 10 * HOUR_MS
    other = placed(
        "candles.1m",
        [
            replace(each, symbol=Symbol("ETHUSDT"), open_ms=far + number * MINUTE_MS)
            for number, each in enumerate(CANDLES)
        ],
    )
    guarding = Guarding(stage=STAGE, boundary_ms=BOUNDARY_MS, ahead_ms=2 * HOUR_MS)
    lane = [*MINUTES_READ[:5], *other, *MINUTES_READ[5:]]

    found = audit_pumps(iter(lane), iter(TICKS_READ), iter(states), guarding)

    assert (found.faults, found.explained) == (0, {})
    assert found.compared == len(states)
