"""Whatever is written or tapped: an answer that can be sent, bounded state, nothing by accident."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.notices.text import parts
from services.notifier.talk import Talks
from services.notifier.talking.commands import COMMANDS
from services.notifier.talking.confirming import OPEN_MAX
from tests.core.notices.test_text import seen
from tests.services.notifier.talking.scene import NOW, OLGA, OTTO, RITA, STRANGER, VERA, Chat, taps

ANY = st.text(st.characters(codec=None), max_size=80)  # surrogates too
WORD = st.one_of(
    st.sampled_from(
        ["anna", "scalper", "btc", "ETHUSDC", "100", "0", "-1", "1e30", "NaN", "1,5", "10k", "on",
         "off", "all", "by", "engine", "trend", "ingest", "positions_max", "default", "1h", "5",
         "entry", "gathered", "agents", "agent", "<b>", "&amp;", ",", "9" * 50, "²", "١"]
    ),
    ANY,
)  # fmt: skip
LINE = st.one_of(
    ANY,
    st.builds(
        lambda name, words: " ".join([f"/{name}", *words]),
        st.sampled_from(sorted(COMMANDS)),
        st.lists(WORD, max_size=5),
    ),
)
TIMES = st.one_of(st.integers(NOW - 120_000, NOW + 120_000), st.integers(-(2**63), 2**63 - 1))
USERS = st.sampled_from([OLGA, OTTO, RITA, VERA, STRANGER])


@given(USERS, LINE, st.booleans(), st.booleans(), ANY, TIMES, TIMES, st.booleans())
def test_anything_is_answered_with_what_can_be_sent(
    user_id, line, private, tapped, name, at, now, known
):
    chat = Chat(user_id) if known else Chat(user_id, symbols=frozenset())
    chat.now = now
    asked = {"private": private, "name": name, "at": at}
    decided = chat.taps(line, **asked) if tapped else chat.says(line, **asked)

    for html in parts(decided.reply.lines) if decided.reply else []:
        seen(html)  # nothing unescaped
    if private and user_id == STRANGER:
        assert decided.refusal
        assert "<" not in decided.refusal
    elif private:
        assert decided.reply or decided.query
    assert not decided.commands or (now - at <= 60_000 and not tapped)
    assert private or not chat.talks.pending
    assert tapped or not decided.tapped
    for text in (decided.refusal, decided.owners, decided.tapped):
        text.encode()
        assert "\n" not in text


@given(st.lists(st.tuples(USERS, LINE, st.booleans()), max_size=12))
def test_nothing_is_made_by_a_tap_that_was_not_asked_back(steps):
    chat = Chat()
    for user_id, line, tapped in steps:
        made = (chat.taps if tapped else chat.says)(line, user_id=user_id).commands
        assert not (made and tapped)
        assert all(each.what not in ("force", "close", "close_all", "limit") for each in made)
        kept = [each.user for each in chat.talks.pending.values()]
        assert all(kept.count(each) <= OPEN_MAX for each in kept)
        assert msgspec.json.decode(msgspec.json.encode(chat.talks), type=Talks) == chat.talks


@given(st.lists(st.tuples(st.sampled_from(["/closeall", "/go", "/buy btc 5", "yes", "no"]),
                          st.integers(0, 40_000), st.integers(0, 9)), max_size=20))  # fmt: skip
def test_each_question_is_confirmed_once_at_most_and_only_in_time(steps):
    chat = Chat()
    asked: dict[str, int] = {}
    answered: set[str] = set()
    for line, passed, choice in steps:
        chat.now += passed
        if line.startswith("/"):
            asked[taps(chat.says(line))["Confirm"].removeprefix("yes:")] = chat.now
        elif asked:
            code = list(asked)[choice % len(asked)]
            made = chat.taps(f"{line}:{code}").commands
            newest = list(asked)[-OPEN_MAX:]
            in_time = chat.now - asked[code] < 60_000 and code not in answered
            assert not made or (in_time and line == "yes")
            assert made or line == "no" or not in_time or code not in newest
            answered.add(code)
    assert len({each.id for each in chat.made}) == len(chat.made)
