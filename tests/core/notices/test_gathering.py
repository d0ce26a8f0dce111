"""Floods, flapping, signals of a close, mutes: counted, with the first lines, nothing lost."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.notices.gathering import (
    RUNS_MAX,
    Chat,
    Gathering,
    Pace,
    admit,
    due,
    next_ms,
    quiet_until,
)
from tests.core.notices.scene import AT, MINUTE, NOW, notice

PACE = Pace(flood=3, flood_ms=10_000, again_ms=60_000, gathered_ms=100_000, close_ms=2_000)
OPEN = Chat(PACE, 0, False)


class Room:
    """A chat's gathering, and what was told in it."""

    def __init__(self, chat: Chat = OPEN) -> None:
        self.chat = chat
        self.state = Gathering()
        self.told: list[Any] = []
        self.now = NOW

    def take(self, told: Any, how: Any = "on") -> None:
        self.state, more = admit(self.state, self.chat, told, how, self.now)
        self.told += more

    def wait(self, ms: int) -> None:
        self.now += ms
        self.state, more = due(self.state, self.chat, self.now)
        self.told += more

    def heads(self) -> list[str]:
        return [each.head for each in self.told]


def lost(number: int = 1, **more: Any) -> Any:
    given = {"kind": "connection", "group": "ingest: connection 3", "level": "warning"}
    return notice(number, **{**given, "label": "lost", "head": "lost", **more})


def back(number: int = 2, **more: Any) -> Any:
    return lost(number, **{"label": "back", "head": "back", "level": "info", **more})


def test_a_flood_is_one_message_with_counts_and_the_first_few():
    room = Room()
    for number in range(12):
        room.take(notice(number, kind="refusal" if number > 9 else "entry"))
    room.wait(9_999)
    assert room.heads() == ["number 0", "number 1", "number 2"]
    room.wait(1)

    assert room.told[3].head == "9 notices within a short time: 7 × entry, 2 × refusal"
    assert room.told[3].lines == [*(f"number {number}" for number in range(3, 8)), "… and 4 more"]


def test_one_notice_too_many_is_told_later_as_it_came():
    room = Room()
    for number in range(4):
        room.take(notice(number))
    room.wait(10_000)

    assert room.heads()[3] == "number 3"
    assert room.told[3].lines == []


def test_an_alarm_breaks_through_a_flood_and_what_came_before_comes_before():
    room = Room()
    for number in range(6):
        room.take(notice(number))
    room.take(notice(6, level="alarm"))

    assert [each.level for each in room.told] == ["info", "info", "info", "info", "alarm"]
    assert room.told[3].counts == {"entry": 3}


def test_a_flood_of_alarms_is_gathered_too_and_keeps_their_lines():
    room = Room()
    for number in range(30):
        room.take(notice(number, level="alarm", head=f"alarm {number}"))
    room.wait(10_000)

    assert len(room.told) == 4
    assert room.told[3].level == "alarm"
    assert room.told[3].lines[:2] == ["ALARM: alarm 3", "ALARM: alarm 4"]
    assert room.told[3].lines[-1] == "… and 2 more"


def test_flapping_is_one_line_with_how_often_since_when_and_how_it_stands():
    room = Room()
    for number in range(0, 10, 2):
        room.take(lost(number, at=AT + number * MINUTE))
        room.take(back(number + 1, at=AT + number * MINUTE + 1_000))
    room.wait(60_000)

    assert room.heads() == [
        "lost",
        "back",
        "ingest: connection 3: 5 × back, 5 × lost since 2024-01-05 10:00 UTC, now back",
    ]
    assert room.told[2].counts == {"connection": 8}


def test_flapping_that_goes_on_is_told_again_and_one_that_rests_begins_anew():
    room = Room()
    for number in range(4):
        room.take(lost(number))
    room.wait(60_000)
    room.take(lost(5))
    room.wait(60_000)
    assert room.heads() == ["lost", "lost", room.heads()[2], "lost"]

    room.wait(60_000)
    assert not room.state.runs
    room.take(lost(6))
    assert room.heads()[-1] == "lost"


def test_dead_letters_are_counted_after_the_first_one():
    room = Room()
    for number in range(215):
        group = "ingest: undecodable"
        room.take(notice(number, kind="dead_letters", group=group, label="dead letter"))
    room.wait(60_000)

    assert room.heads() == [
        "number 0",
        "ingest: undecodable: 215 × dead letter since 2024-01-05 10:00 UTC",
    ]


def test_what_nobody_has_to_act_on_is_gathered_from_its_first_one_on():
    room = Room()
    for number in range(40):
        more = {"group": "pump_guard waits", "label": "coin", "patient": True}
        room.take(notice(number, kind="dead_letters", **more))
    assert room.heads() == []
    room.wait(60_000)

    assert room.heads() == ["pump_guard waits: 40 × coin since 2024-01-05 10:00 UTC"]


def test_no_more_groups_than_so_many_are_counted_and_the_rest_is_told():
    room = Room(Chat(Pace(flood=RUNS_MAX * 2), 0, False))
    for number in range(RUNS_MAX + 3):
        room.take(lost(number, group=f"g{number}"))

    assert len(room.state.runs) == RUNS_MAX
    assert len(room.told) == RUNS_MAX + 3


def test_signals_of_one_close_are_one_message():
    room = Room()
    for number in range(3):
        room.take(notice(number, kind="signal", close_ms=AT))
    assert not room.told
    room.wait(2_000)

    (told,) = room.told
    assert told.head == "3 signals of the close 2024-01-05 10:00 UTC"
    assert told.lines == ["number 0", "number 1", "number 2"]


def test_a_signal_of_another_close_lets_the_ones_before_go():
    room = Room()
    room.take(notice(1, kind="signal", close_ms=AT))
    room.take(notice(2, kind="signal", close_ms=AT + MINUTE))

    assert room.heads() == ["number 1"]


def test_what_is_gathered_by_wish_comes_once_in_a_while():
    room = Room()
    for number in range(3):
        room.take(notice(number, kind="refusal"), "gathered")
        room.wait(1_000)
    assert not room.told
    room.wait(97_000)

    assert room.heads() == ["3 notices since 2024-01-05 10:00 UTC: 3 × refusal"]


def test_a_mute_keeps_all_but_alarms_and_answers_for_later():
    room = Room(OPEN._replace(muted_until_ms=NOW + 50_000))
    room.take(notice(1))
    room.take(notice(2, level="alarm"))
    room.take(notice(3))
    room.take(notice(4, kind="answer"))
    assert room.heads() == ["number 2", "number 4"]
    room.wait(50_000)

    assert room.heads()[2:] == ["2 notices while muted: 2 × entry"]


def test_a_summary_names_the_gravest_first_and_keeps_their_lines():
    """After a mute, 118 notices of which 7 told of a service came as ten exits and "108 more"."""
    room = Room(OPEN._replace(muted_until_ms=NOW + 50_000))
    for number in range(31):
        room.take(notice(number, kind="exit", head=f"exit {number}"))
    room.take(notice(31, kind="refusal", head="refusal"))
    room.take(notice(32, kind="infra", head="market restarted"))
    room.take(notice(33, kind="desk", level="warning", head="a difference"))
    room.wait(50_000)

    (told,) = room.told
    assert told.head == (
        "34 notices while muted: 1 × service, 1 × notice of the desk, 31 × exit, 1 × refusal"
    )
    assert told.lines[:3] == ["Warning: a difference", "market restarted", "exit 0"]
    assert told.lines[10:] == ["… and 24 more"]


def test_an_alarm_of_a_gathered_kind_comes_at_once():
    room = Room()
    room.take(notice(1, level="alarm"), "gathered")

    assert room.heads() == ["number 1"]


def test_a_mute_that_is_ended_lets_go_what_waited():
    room = Room(OPEN._replace(muted_until_ms=NOW + 50_000))
    room.take(notice(1))
    room.chat = OPEN
    room.state = quiet_until(room.state, NOW)
    room.wait(0)

    assert room.heads() == ["number 1"]


def test_a_clock_that_was_set_back_holds_nothing_up():
    room = Room()
    for number in range(5):
        room.take(notice(number))
    room.wait(-3_600_000)

    assert room.told[3].counts == {"entry": 2}
    room.take(notice(6))
    assert room.heads()[-1] == "number 6"


def test_a_full_queue_holds_the_flood_until_there_is_room():
    room = Room(OPEN._replace(full=True))
    room.take(notice(1))
    room.wait(1_000_000)
    assert not room.told
    assert next_ms(room.state, full=True) is None
    room.chat = OPEN
    room.wait(0)

    assert room.heads() == ["number 1"]


def test_an_urgent_bundle_that_is_due_with_the_flood_lets_it_go_once():
    """The flood had been let go by an alarm of the same moment, and was looked for again."""
    room = Room()
    room.take(notice(0, kind="signal", level="alarm", close_ms=AT))
    for number in range(1, 6):
        room.take(notice(number))
    room.wait(10_000)

    assert room.heads()[-1] == "number 0"
    assert sum(sum(each.stands_for.values()) for each in room.told) == 6


MADE = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["entry", "refusal", "answer", "signal", "connection", "desk"]),
        "level": st.sampled_from(["info", "info", "warning", "alarm"]),
        "how": st.sampled_from(["on", "on", "on", "gathered"]),
        "group": st.sampled_from(["a", "b"]),
        "close": st.integers(0, 2),
        "wait": st.sampled_from([0, 0, 0, 500, 2_000, 10_000, 70_000, -5_000]),
        "mute": st.sampled_from([0, 0, 5_000]),
        "full": st.booleans(),
    }
)


@given(st.lists(MADE, max_size=40))
def test_whatever_comes_each_notice_is_told_once_or_counted_once(made):
    room = Room()
    for number, each in enumerate(made):
        group = each["group"] if each["kind"] == "connection" else ""
        muted = max(room.chat.muted_until_ms, room.now + each["mute"] if each["mute"] else 0)
        room.chat = Chat(PACE, muted, each["full"])
        told = notice(
            number,
            kind=each["kind"],
            level="info" if group else each["level"],
            group=group,
            label="lost" if group else "",
            close_ms=AT + each["close"],
        )
        room.take(told, each["how"])
        room.wait(each["wait"])
    room.chat = OPEN
    for _ in range(4):
        room.wait(200_000)

    assert sum(sum(each.stands_for.values()) for each in room.told) == len(made)
    assert len({each.id for each in room.told}) == len(room.told)
    assert next_ms(room.state, full=False) is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0, 3_000, 10_000])), max_size=40))
def test_what_is_told_at_once_keeps_its_order_through_floods_and_alarms(made):
    room = Room()
    for number, (alarm, wait) in enumerate(made):
        room.take(notice(number, level="alarm" if alarm else "info", head=f"{number:03}"))
        room.wait(wait)
    room.wait(200_000)

    firsts = [(each.lines or [each.head])[0].removeprefix("ALARM: ") for each in room.told]
    assert firsts == sorted(firsts)
