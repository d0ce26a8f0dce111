"""The notifier's fold: each notice once, in order, over kills, outages and records read again."""

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.granularity import DAY_MS
from chandler.core.notices.gathering import Pace
from chandler.core.notices.inputs import (
    Came,
    Confirmed,
    Muted,
    Passed,
    Rejected,
    Send,
    Started,
    Switched,
    Undelivered,
    Unsent,
)
from chandler.core.notices.outbox import (
    IDS_MAX,
    QUEUE_MAX,
    RETRY_MS,
    RETRY_MS_MAX,
    Notifying,
    State,
    next_ms,
    step,
)
from chandler.core.trading.events import Answer, Command, OrdersOut, PumpState
from tests.core.notices.scene import (
    AT,
    BTC,
    NOW,
    OPERATOR,
    OWNER,
    VIEWER,
    Chats,
    D,
    asked,
    closed,
    closing,
    fill,
    infra,
    letter,
    refusal,
    signal,
)

ALONE = Notifying(users={"olga": OWNER}, pace=Pace(flood=1_000))


def came(event: Any, offset: int, now: int = NOW, topic: str = "notices") -> Came:
    return Came(event=event, now=now, topic=topic, offset=offset)


def after(state: State, *inputs: Any, notifying: Notifying = ALONE) -> tuple[State, list[Any]]:
    made: list[Any] = []
    for each in inputs:
        state, outputs = step(notifying, state, each)
        made += outputs
    return state, made


def test_one_message_is_handed_out_at_a_time_and_the_next_when_it_is_confirmed():
    state, (first,) = after(State(), came(asked(1), 0), came(asked(2), 1))
    assert "number 1" in first.html

    state, (second,) = after(state, Confirmed(user="olga", id=first.id, now=NOW))
    assert "number 2" in second.html


def test_a_record_that_is_read_again_changes_nothing():
    state, _ = after(State(), came(asked(1), 0), came(asked(2), 1))

    assert after(state, came(asked(1), 0), came(asked(2), 1)) == (state, [])


def test_records_that_are_read_again_from_further_back_than_the_window_change_nothing():
    records = [came(asked(number), number) for number in range(IDS_MAX + 5)]
    state, _ = after(State(), *records)

    assert after(state, *records[:5]) == (state, [])


def test_an_event_that_was_written_twice_is_told_once():
    chats = Chats()
    chats.come(asked(1), closed(), fill())
    chats.come(asked(1), closed(), fill())

    assert len(chats.sent) == 3


def test_no_more_causes_than_so_many_are_remembered():
    chats = Chats(pace=Pace(flood=IDS_MAX * 2))
    chats.come(*(asked(number) for number in range(IDS_MAX + 10)))

    assert len(chats.state.ids) == IDS_MAX
    assert len(chats.sent) == IDS_MAX + 10


def test_what_was_handed_out_and_not_confirmed_comes_again_marked_as_a_repeat():
    state, (first,) = after(State(), came(asked(1), 0), came(asked(2), 1))
    state, (again,) = after(state, Started(now=NOW))

    assert (again.id, again.repeat) == (first.id, True)
    assert again.html == "<i>Repeat: it may have come before.</i>\n" + first.html
    _, (second,) = after(state, Confirmed(user="olga", id=again.id, now=NOW))
    assert not second.repeat


def test_retry_after_is_honoured_to_the_millisecond():
    state, (first,) = after(State(), came(asked(1), 0))
    limited = Unsent(user="olga", id=first.id, now=NOW, retry_after_ms=37_000)
    state, made = after(state, limited, came(asked(2), 1, NOW + 1), Passed(now=NOW + 36_999))
    assert not made
    assert next_ms(ALONE, state) == NOW + 37_000

    _, (again,) = after(state, Passed(now=NOW + 37_000))
    assert (again.id, again.repeat) == (first.id, False)


def test_failures_wait_twice_as_long_each_time_and_no_longer_than_a_minute():
    state, (send,) = after(State(), came(asked(1), 0))
    now, waits = NOW, []
    for _ in range(9):
        state, _ = after(state, Unsent(user="olga", id=send.id, now=now))
        waits.append((next_ms(ALONE, state) or 0) - now)
        now += waits[-1]
        state, (send,) = after(state, Passed(now=now))

    assert waits[:3] == [RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS]
    assert waits[-1] == RETRY_MS_MAX


def test_a_message_without_a_reply_is_a_repeat_and_one_that_never_left_is_none():
    for perhaps in (True, False):
        state, (first,) = after(State(), came(asked(1), 0))
        unsent = Unsent(user="olga", id=first.id, now=NOW, perhaps=perhaps)
        _, (again,) = after(state, unsent, Passed(now=NOW + RETRY_MS))

        assert again.repeat is perhaps


def test_a_message_that_is_never_taken_is_given_up_with_its_reason_and_the_next_goes_on():
    state, (first,) = after(State(), came(asked(1), 0), came(asked(2), 1))
    rejected = Rejected(user="olga", id=first.id, now=NOW, reason="chat not found")
    _, (gone, second) = after(state, rejected)

    assert gone == Undelivered(user="olga", id=first.id, html=first.html, reason="chat not found")
    assert "number 2" in second.html


def test_a_reply_to_what_is_not_out_changes_nothing():
    state, (first,) = after(State(), came(asked(1), 0))
    state, _ = after(state, Confirmed(user="olga", id=first.id, now=NOW))

    for user, id_ in (("olga", first.id), ("nobody", first.id), ("olga", "")):
        assert after(state, Confirmed(user=user, id=id_, now=NOW)) == (state, [])


def test_a_chat_that_waits_holds_no_other_chat_up():
    both = Notifying(users={"olga": OWNER, "otto": OPERATOR})
    _, made = after(State(), came(asked(1), 0), came(asked(2), 1), notifying=both)
    assert [each.user for each in made] == ["olga", "otto"]


def test_a_viewer_gets_what_the_named_agents_do_and_nothing_of_services():
    chats = Chats(users={"vera": VIEWER})
    chats.come(asked(1), asked(2, agent="ben"), infra("crashed", "again in 3 s"), letter())

    assert [each.telegram_id for each in chats.sent] == [VIEWER.telegram_id]


def test_an_answer_goes_to_who_asked():
    chats = Chats(users={"olga": OWNER, "otto": OPERATOR})
    chats.come(
        Command(id="k1", who="telegram:otto", what="trading", at=AT),
        Answer(command="k1", outcome="done", detail="trading is on", by="executor", at=AT),
    )

    assert chats.heads("otto") == ["<b>done: trading is on</b>"]
    assert not chats.heads("olga")


def test_a_mute_ends_at_its_time_and_drops_no_alarm():
    chats = Chats()
    chats.take(Muted(user="olga", now=NOW, until_ms=NOW + 5_000))
    chats.come(asked(1), asked(2, level="alarm"), asked(3))
    assert chats.heads() == ["<b>ALARM: anna: number 2</b>"]
    assert next_ms(chats.notifying, chats.state) == NOW + 5_000
    chats.take(Passed(now=NOW + 5_000))

    assert chats.heads()[1] == "<b>2 notices while muted: 2 × notice of the desk</b>"


def test_a_switch_turns_a_kind_on_and_off():
    chats = Chats()
    chats.come(refusal(1))
    chats.take(Switched(user="olga", now=NOW, kind="refusal", how="on"))
    chats.take(Switched(user="olga", now=NOW, kind="desk", how="off"))
    chats.come(refusal(2), asked(1))

    assert chats.heads() == ["<b>anna: refusal of long BTCUSDT: strength low</b>"]


def test_without_agents_the_signals_of_a_close_are_one_message():
    chats = Chats(alerts_only=True)
    chats.come(signal(1), signal(2, symbol="ETHUSDT"))
    chats.take(Passed(now=NOW + 2_000))

    assert chats.heads() == ["<b>2 signals of the close 2024-01-05 10:00 UTC</b>"]


def test_with_agents_a_signal_is_no_notice():
    chats = Chats()
    chats.come(signal(1))

    assert not chats.state.chats


def test_a_round_trip_is_told_and_stands_in_the_digest_of_its_day():
    chats = Chats()
    chats.come(fill(), closing(size=D("0.2")), closed(), OrdersOut(shard=0, shards=1, at=AT))
    chats.come(OrdersOut(shard=0, shards=1, at=AT + DAY_MS))

    assert [head.split(",")[0] for head in chats.heads()] == [
        "<b>anna: entry long BTCUSDT at 42000</b>",
        "<b>anna: partial exit long BTCUSDT",
        "<b>anna: exit long BTCUSDT",
        "<b>Day 2024-01-05 (UTC): +476",
    ]


def test_the_end_of_a_crash_is_told_as_one():
    chats = Chats()
    state = PumpState(symbol=BTC, at=AT, kind="started", pump="down")
    beat = PumpState(symbol=BTC, at=AT + 1, kind="heartbeat", pump="down")
    chats.come(state, beat, PumpState(symbol=BTC, at=AT + 2, kind="ended", pump="none"))

    assert chats.heads() == ["<b>BTCUSDT: crash started</b>", "<b>BTCUSDT: crash ended</b>"]


@pytest.mark.parametrize("figure", ["NaN", "sNaN", "Infinity", "1E+999999"])
def test_figures_that_are_no_numbers_are_said_and_the_rest_goes_on(figure):
    chats = Chats()
    chats.come(closed(realised=D(figure)), fill(price=D(figure)), asked(1))

    assert chats.heads() == [
        "<b>Warning: PositionClosed can&#x27;t be told: its figures are impossible</b>",
        "<b>Warning: OrderFilled can&#x27;t be told: its figures are impossible</b>",
        "<b>anna: number 1</b>",
    ]


def test_a_long_outage_counts_what_the_queue_does_not_hold_and_loses_none():
    chats = Chats(pace=Pace(flood=10_000))
    state, _ = after(State(), came(asked(0), 0), notifying=chats.notifying)
    for number in range(1, QUEUE_MAX + 301):
        state, _ = after(state, came(asked(number), number), notifying=chats.notifying)
    assert len(state.chats["olga"].queue) == QUEUE_MAX
    again = Chats(pace=Pace(flood=10_000), state=state)
    again.take(Started(now=NOW))
    again.take(Passed(now=NOW + 60_000))

    assert len(again.sent) == 1 + QUEUE_MAX + 1
    assert again.heads()[-1].startswith("<b>300 notices within a short time")


def test_the_state_is_the_same_after_it_was_kept_as_json():
    state, _ = after(
        State(),
        came(fill(), 0, topic="orders"),
        came(closing(size=D("0.20"), done=False), 1, topic="orders"),
        came(closed(), 0, topic="positions"),
        came(infra("connection_lost", "connection 1: reset"), 0, topic="infra"),
        Muted(user="olga", now=NOW, until_ms=NOW + 9),
        came(asked(1), 0),
    )

    kept = msgspec.json.encode(state)
    assert msgspec.json.decode(kept, type=State) == state
    assert msgspec.json.encode(msgspec.json.decode(kept, type=State)) == kept


class Cut(NamedTuple):
    """Where the notifier dies, after so many inputs."""

    where: str
    inputs: int


class World:
    """A notifier that dies where it is told to; `kept` survives, and so do the chats."""

    def __init__(self, events: list[Any], pace: Pace) -> None:
        self.notifying = Notifying(users={"olga": OWNER, "vera": VIEWER}, pace=pace)
        self.events = events
        self.kept = msgspec.json.encode(State())
        self.got: list[Send] = []
        self.now = NOW

    def run(self, cuts: list[Cut]) -> None:
        """Until all is told, once started anew after each cut."""
        for cut in [*cuts, Cut("never", 0)]:
            self._live(*cut)

    def _live(self, where: str, left: int) -> None:
        state = msgspec.json.decode(self.kept, type=State)
        inputs: list[Any] = [Started(now=self.now)]
        inputs += [came(each, offset) for offset, each in enumerate(self.events)]
        while inputs:
            self.now += 10
            state, outputs = step(
                self.notifying, state, msgspec.structs.replace(inputs.pop(0), now=self.now)
            )
            left -= 1
            if where == "before keeping" and left < 0:
                return
            self.kept = msgspec.json.encode(state)
            for number, send in enumerate(outputs):
                assert isinstance(send, Send)
                if where == "before sending" and left < 0:
                    return
                self.got.append(send)
                if where == "after sending" and left < 0:
                    return
                inputs.insert(number, Confirmed(user=send.user, id=send.id, now=self.now))
            if not inputs and (waits := next_ms(self.notifying, state)) is not None:
                self.now = max(self.now, waits)
                inputs.append(Passed(now=self.now))


CUTS = st.lists(
    st.builds(
        Cut,
        st.sampled_from(["before keeping", "before sending", "after sending"]),
        st.integers(0, 25),
    ),
    max_size=6,
)


@given(st.integers(0, 30), CUTS)
@settings(max_examples=60)
def test_kills_anywhere_lose_nothing_keep_the_order_and_double_only_what_is_marked(count, cuts):
    world = World([asked(number) for number in range(count)], Pace(flood=1_000))
    world.run(cuts)

    for user in world.notifying.users:
        got = [each for each in world.got if each.user == user]
        firsts = [each for number, each in enumerate(got) if each.id not in _ids(got[:number])]
        assert [_number(each) for each in firsts] == list(range(count))  # none lost, in order
        numbers = [_number(each) for each in got]
        assert numbers == sorted(numbers)
        assert sum(each.repeat for each in got) <= len(cuts)  # one for each kill at most
    assert all(each.repeat for each in _again(world.got))


@given(st.integers(0, 60), CUTS)
@settings(max_examples=40)
def test_kills_in_a_flood_count_each_notice_once(count, cuts):
    pace = Pace(flood=3, flood_ms=200)
    world = World([asked(number) for number in range(count)], pace)
    world.run(cuts)

    got = {each.id: each for each in world.got if each.user == "olga"}
    assert sum(map(_stands_for, got.values())) == count


def _ids(sent: list[Send]) -> set[str]:
    return {each.id for each in sent}


def _again(sent: list[Send]) -> list[Send]:
    """Those that came before already."""
    known: set[tuple[str, str]] = set()
    found = []
    for each in sent:
        if (each.user, each.id) in known:
            found.append(each)
        known.add((each.user, each.id))
    return found


def _number(send: Send) -> int:
    return int(send.html.partition("number ")[2].partition("<")[0])


def _stands_for(send: Send) -> int:
    head = send.html.partition("<b>")[2]
    return int(head.split()[0]) if " notices within" in head else 1
