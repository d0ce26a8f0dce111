"""What is counted after the notifier's chaos run: every kind of fault is found."""

import pytest

from chandler.core.events import Symbol
from chandler.core.hashing import digest
from chandler.core.notices import outbox
from chandler.core.notices.inputs import Came, Confirmed
from chandler.core.notices.text import REPEAT
from chandler.core.trading.events import Command
from chandler.streams.reader import Record
from services.cli.chaos.telegram.causes import USERS, Ask, answer_to, causes
from services.cli.chaos.telegram.verdict import Doubt, Told, expected, reckon
from services.notifier.channels.webhook import plain

DOUBT = Doubt(kills=[100.5], spells=[(200.0, 210.0)], lost_replies=1, cuts=0, chats=1)
ASK = Ask(update=7, user="otto", text="/trading off first C0001USDT", token="C0001")
ASKED = Command(
    id=digest("command", "otto", "7"),
    who="telegram:otto",
    what="trading",
    agent="first",
    symbol=Symbol("C0001USDT"),
    on=False,
    at=1,
)


@pytest.fixture
def records():
    """Events of a run, as topics hold them."""
    made = [Record("commands", 0, 0, 0, ASKED.id, ASKED, b"", {})]
    offsets: dict[str, int] = {}
    for each in [*causes(40, 3), answer_to(ASKED)]:
        offset = offsets[each.topic] = offsets.get(each.topic, -1) + 1
        made.append(Record(each.topic, 0, offset, 0, each.key, each.event, b"", {}))
    return sorted(made, key=lambda each: (each.topic, each.offset))


@pytest.fixture
def chats(records):
    """What everybody gets where nothing fails."""
    notifying = outbox.Notifying(users=USERS)
    state = outbox.State()
    found: dict[str, list[Told]] = {name: [] for name in USERS}
    found["otto"].append(Told("Asked for: Stop trading of C0001USDT, agents: first", 1.0))
    now = 0
    for record in sorted(records, key=lambda each: each.topic != "commands"):
        now += 60_000  # no flood
        came = Came(event=record.event, now=now, topic=record.topic, offset=record.offset)
        state, left = outbox.step(notifying, state, came)
        while left:
            send = left.pop()
            found[send.user].append(Told(plain(send.html), 1.0))
            confirmed = Confirmed(user=send.user, id=send.id, now=now)
            state, more = outbox.step(notifying, state, confirmed)
            left += more
    return found


def counts(found):
    return {
        name: getattr(found, name)
        for name in ("lost", "replayed_commands", "repeated", "unmarked", "order")
    }


NOTHING = dict.fromkeys(("lost", "replayed_commands", "repeated", "unmarked", "order"), 0)


def test_where_nothing_failed_nothing_is_found(records, chats):
    found = reckon(USERS, records, chats, [ASK], DOUBT)

    assert (found.faults, counts(found)) == ([], NOTHING)
    assert (found.notices, found.commands, found.well) == (40, 1, True)


def test_whom_an_event_is_for_is_the_folds_to_say(records):
    wanted = expected(USERS, records)

    assert len([each for each in wanted["olga"] if each[0] == "N"]) == 40
    assert set(wanted["vera"]) < set(wanted["olga"])
    assert "A0001" in wanted["otto"]
    assert "A0001" not in wanted["olga"]


def test_a_message_that_one_did_not_get_is_lost(records, chats):
    chats["ola"].pop(3)

    found = reckon(USERS, records, chats, [ASK], DOUBT)

    assert counts(found) == {**NOTHING, "lost": 1}
    assert not found.well


def test_an_answer_that_never_came_is_lost(records, chats):
    chats["otto"].pop(0)

    assert reckon(USERS, records, chats, [ASK], DOUBT).lost == 1


def test_what_a_digest_counts_is_not_lost_and_what_it_counts_too_few_is(records, chats):
    wanted = expected(USERS, records)["vera"]
    tokens = [each for each, kind in wanted.items() if kind == "entry"][:2]
    gone = [each for each in chats["vera"] if any(token in each.text for token in tokens)]
    left = [each for each in chats["vera"] if each not in gone]
    told = Told(f"9 notices within a short time: {len(gone)} × entry, 7 × connection\n…", 2.0)
    few = Told("1 notices within a short time: 1 × entry", 2.0)

    whole = reckon(USERS, records, {**chats, "vera": [told, *left]}, [ASK], DOUBT)
    twice = reckon(USERS, records, {**chats, "vera": [few, few, *left]}, [ASK], DOUBT)

    assert len(gone) == 2
    assert (whole.lost, whole.gathered) == (0, 2)
    assert twice.lost == 1


@pytest.mark.parametrize(("first_s", "again_s"), [(100.0, 101.0), (205.0, 205.0), (1.0, 300.0)])
def test_a_repeat_is_counted_and_one_without_its_mark_is_a_fault(records, chats, first_s, again_s):
    text, left = chats["olga"][0].text, chats["olga"][1:]
    first = Told(text, first_s)
    marked = {**chats, "olga": [first, Told(f"{REPEAT}\n{text}", again_s), *left]}
    bare = {**chats, "olga": [first, Told(text, again_s), *left]}

    well = reckon(USERS, records, marked, [ASK], DOUBT)
    ill = reckon(USERS, records, bare, [ASK], DOUBT)

    assert (counts(well), well.well) == ({**NOTHING, "repeated": 1}, True)
    assert (counts(ill), ill.well) == ({**NOTHING, "repeated": 1, "unmarked": 1}, False)


@pytest.mark.parametrize(("first_s", "again_s"), [(98.0, 99.0), (101.0, 150.0), (211.0, 212.0)])
def test_a_repeat_between_which_and_its_elder_nothing_failed_is_a_fault(
    records, chats, first_s, again_s
):
    text, left = chats["olga"][0].text, chats["olga"][1:]
    again = [Told(text, first_s), Told(f"{REPEAT}\n{text}", again_s), *left]

    found = reckon(USERS, records, {**chats, "olga": again}, [ASK], DOUBT)

    assert (found.repeated, found.well) == (1, False)
    assert found.faults[0].startswith("olga: again without a cause: 'Repeat")


def test_more_repeats_than_could_be_are_a_fault(records, chats):
    again = [Told(f"{REPEAT}\n{each.text}", 101.0) for each in chats["olga"][:3]]

    found = reckon(USERS, records, {**chats, "olga": [*chats["olga"], *again]}, [ASK], DOUBT)

    assert found.repeated == 3
    assert found.faults == ["3 messages came twice: expected at most 2"]


def test_what_came_before_its_elder_is_out_of_order(records, chats):
    orders = [number for number, told in enumerate(chats["olga"]) if ": entry long" in told.text]
    first, second = orders[:2]
    mixed = list(chats["olga"])
    mixed[first], mixed[second] = mixed[second], mixed[first]

    found = reckon(USERS, records, {**chats, "olga": mixed}, [ASK], DOUBT)

    assert counts(found) == {**NOTHING, "order": 1}


def test_a_command_that_is_there_twice_or_that_nobody_wrote_is_replayed(records, chats):
    again = next(each for each in records if isinstance(each.event, Command))._replace(offset=1)

    twice = reckon(USERS, [*records, again], chats, [ASK], DOUBT)
    unasked = reckon(USERS, records, chats, [ASK._replace(update=8)], DOUBT)
    other = reckon(USERS, records, chats, [ASK._replace(user="olga")], DOUBT)

    assert (twice.replayed_commands, twice.well) == (1, False)
    assert (unasked.replayed_commands, unasked.well) == (1, False)
    assert other.replayed_commands == 1


def test_a_run_in_which_nothing_happened_is_not_well():
    found = reckon(USERS, [], {name: [] for name in USERS}, [], DOUBT)

    assert (found.notices, found.faults, found.well) == (0, [], False)
