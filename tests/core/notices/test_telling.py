"""Which events become notices, of which kind and level, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.market import pump
from chandler.core.notices.inputs import Muted
from chandler.core.notices.kinds import default_of
from chandler.core.notices.telling import cause_of, told
from chandler.core.trading import events as tr
from tests.core.notices.scene import AT, BTC, NOW, Chats, D, asked, infra, letter, refusal, signal


def one(event, **more):
    (notice,) = told(event, cause_of(event, "here:0:1"), NOW, **more)
    return notice


@pytest.mark.parametrize(
    ("kind", "detail", "level", "head"),
    [
        (
            "crashed",
            "ended with status 1 (no disk); again in 3 s",
            "alarm",
            "ingest crashed: ended with status 1 (no disk); again in 3 s",
        ),
        (
            "crashed",
            "was ended by signal 9; given up after 5 ends",
            "alarm",
            "ingest is given up: was ended by signal 9; given up after 5 ends",
        ),
        (
            "crashed",
            "ended with status 1 (given up; really); again in 3 s",
            "alarm",
            "ingest crashed: ended with status 1 (given up; really); again in 3 s",
        ),
        ("restarted", "restarts: 2", "info", "ingest restarted: restarts: 2"),
        ("recovered", "after 41 s", "info", "ingest recovered: after 41 s"),
        (
            "behind",
            "62 s of what came",
            "alarm",
            "ingest is behind the market: 62 s of what came",
        ),
        ("caught_up", "", "info", "ingest has caught up with the market"),
        ("connection_lost", "connection 3: reset", "warning", "ingest: connection 3 lost"),
        ("connection_back", "connection 3", "info", "ingest: connection 3 back"),
    ],
)
def test_what_happens_to_a_service_is_told(kind, detail, level, head):
    notice = one(infra(kind, detail))

    assert (notice.level, notice.head) == (level, head)


@pytest.mark.parametrize("kind", ["started", "ready", "stopping"])
def test_that_a_service_starts_or_stops_is_no_news(kind):
    assert told(infra(kind), "c", NOW) == []


def test_a_connection_is_one_group_whatever_its_reason_and_its_process():
    lost = one(infra("connection_lost", "connection 3: reset", instance="here:1:0"))
    back = one(infra("connection_back", "connection 3", instance="here:2:0"))

    assert lost.group == back.group == "ingest: connection 3"


def test_a_pump_says_which_side_it_blocks_and_a_crash_ends_as_one():
    state = tr.PumpState(symbol=BTC, at=AT, kind="started", pump="down", change=-0.05)
    end = tr.PumpState(symbol=BTC, at=AT, kind="ended", pump="none")

    assert one(state).head == "BTCUSDT: crash started"
    assert one(state).lines[1] == "no long is opened in it"
    assert one(end, crash=True).head == "BTCUSDT: crash ended"
    assert one(end).head == "BTCUSDT: pump ended"


def test_a_heartbeat_of_the_guard_has_no_cause_to_be_told():
    beat = tr.PumpState(symbol=BTC, at=AT, kind="heartbeat", pump="up")

    assert cause_of(beat, "here:0:1") == ""


@pytest.mark.parametrize("level", ["info", "warning", "alarm"])
def test_a_notice_of_the_desk_keeps_its_level_and_its_lines(level):
    notice = one(asked(level=level, text="the stop is gone\nof p1"))

    assert (notice.kind, notice.level) == ("desk", level)
    assert notice.head == "anna: the stop is gone"
    assert notice.lines == ["of p1", "2024-01-05 10:00 UTC"]


def test_a_refusal_says_its_reason_in_words():
    notice = one(refusal())

    assert notice.head == "anna: refusal of long BTCUSDT: strength low"
    assert notice.lines[0] == "strength 0.1: expected at least 0.3"


def test_funding_says_whether_it_was_paid_or_received():
    event = tr.FundingPaid(
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        rate=D("-0.0001"),
        mark=D(42000),
        size=D("0.5"),
        amount=D("-2.1"),
        settled_ms=AT,
        at=AT,
    )

    assert one(event).head == "anna: funding of BTCUSDT, 2.1 received"
    assert one(event).lines[0] == "rate -0.01 %, size 0.5, mark 42000"


def test_an_answer_says_what_became_of_the_command_and_knows_who_asked():
    event = tr.Answer(command="k1", outcome="refused", detail="too late", by="executor", at=AT)
    notice = one(event, who="telegram:olga")

    assert (notice.head, notice.who) == ("refused: too late", "telegram:olga")


def test_a_signal_says_side_strength_engine_and_its_stop():
    notice = one(signal())

    assert notice.head == "long BTCUSDT, strength 0.7, scalper 5m"
    assert notice.lines == ["dip in an uptrend", "stop 41000.5", "close 2024-01-05 10:00 UTC"]


def test_dead_letters_of_one_cause_are_one_group_and_each_of_them_another_notice():
    first = one(letter())

    assert first.group == "ingest: undecodable"
    assert cause_of(letter(), "dead-letters:0:1") != cause_of(letter(), "dead-letters:0:2")


@pytest.mark.parametrize(
    ("cause", "level", "head"),
    [
        (
            pump.NOT_JUDGED,
            "info",
            "pump_guard: INJUSDT is not watched for pumps yet, its candles are being fetched",
        ),
        (
            pump.BLIND,
            "warning",
            "pump_guard: INJUSDT is judged by older candles, the newest are late",
        ),
    ],
)
def test_prices_that_run_ahead_of_their_candles_are_told_in_words_for_people(cause, level, head):
    """The first words on a telephone were "dead letter, not judged … offset -1", at each start."""
    detail = "INJUSDT 2024-01-05 10:00: 256 ticks wait for the 1m candle of 2024-01-05 10:00"
    event = letter(source=pump.NAME, cause=cause, detail=detail, topic="tickers")
    found = one(event)

    assert (found.level, found.head) == (level, head)
    assert found.patient == (cause == pump.NOT_JUDGED)
    assert len(found.lines) == 1
    assert "/logs ingest" in found.lines[0]


@pytest.mark.parametrize(
    ("place", "said"),
    [((-1, -1), "tickers"), ((3, 17), "tickers 3 offset 17")],
)
def test_a_dead_letter_without_a_place_names_its_topic_only(place, said):
    partition, offset = place
    event = letter(topic="tickers", partition=partition, offset=offset)

    assert one(event).lines == ["record 1", said]


def test_funding_refusals_and_signals_are_off_where_nobody_asked_but_signals_without_agents():
    off = {kind for kind in ("entry", "funding", "refusal", "signal", "infra") if _off(kind)}

    assert off == {"funding", "refusal", "signal"}
    assert default_of("signal", alerts_only=True) == "on"


def _off(kind):
    return default_of(kind, alerts_only=False) == "off"


@given(
    st.text(),
    st.text(),
    st.floats(),
    st.integers(-(2**63), 2**63),
    st.one_of(st.none(), st.floats()),
)
def test_whatever_a_signal_says_it_becomes_one_line(symbol, text, strength, at, stop):
    event = signal(
        symbol=symbol, reason=text, source=text, strength=strength, close_ms=at, stop=stop
    )
    notice = one(event)

    assert notice.head
    assert len(notice.head) < 300
    assert "\n" not in notice.head + "".join(notice.lines)


def test_each_shard_of_the_desk_is_heard_on_a_command_for_all_agents():
    """The second shard's answer was taken for the first one's: nothing was said of its agent."""
    chats = Chats()
    said = [
        tr.Answer(command="c1", outcome="done", detail=detail, by="executor", at=AT)
        for detail in ("trend, scalper: paused", "trend, venue: paused", "trend, venue: paused")
    ]

    assert len(chats.come(*said)) == 2


def test_no_mute_hides_that_a_service_crashed():
    """A service was killed while its owner had muted: nobody was told for two hours."""
    chats = Chats()
    chats.take(Muted(user="olga", now=NOW, until_ms=NOW + 7_200_000))

    chats.come(infra("stopping"), infra("crashed", "was ended by signal 9; again in 3 s"))
    chats.come(infra("restarted", "restarts: 1"))

    assert chats.heads() == ["<b>ALARM: ingest crashed: was ended by signal 9; again in 3 s</b>"]
