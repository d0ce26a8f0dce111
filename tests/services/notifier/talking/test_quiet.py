"""Mutes and switches of kinds: wishes of who asks."""

import pytest

from chandler.core.notices.inputs import Muted, Switched
from tests.services.notifier.talking.scene import NOW, OLGA, VERA, Chat, taps, words

MINUTE = 60_000


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("/mute 30m", 30 * MINUTE),
        ("/mute 2 H", 120 * MINUTE),
        ("/mute 7d", 7 * 1440 * MINUTE),
        ("/mute 15min", 15 * MINUTE),
        ("/mute off", 0),
    ],
)
def test_a_mute_is_a_wish_with_its_end(text, span):
    decided = Chat(VERA).says(text)

    assert decided.wish == Muted(user="vera", now=NOW, until_ms=NOW + span)
    assert ("Quiet for" in words(decided)) == (span > 0)


@pytest.mark.parametrize(
    "text", ["30", "0m", "8d", "-5m", "99999h", "soon", "1.5h", "٣m", "off 2h"]
)
def test_a_mute_that_is_no_time_is_refused(text):
    decided = Chat().says(f"/mute {text}")

    assert decided.wish is None
    assert "the time is '" in words(decided)


def test_a_bare_mute_offers_times():
    chat = Chat()

    assert chat.taps(taps(chat.says("/mute"))["2h"]).wish == Muted(
        user="olga", now=NOW, until_ms=NOW + 120 * MINUTE
    )


@pytest.mark.parametrize(
    ("text", "kind", "how"),
    [
        ("/notices entry off", "entry", "off"),
        ("/notices Partial Exit ON", "partial_exit", "on"),
        ("/notices partial_exit gathered", "partial_exit", "gathered"),
        ("/notices daily digest off", "digest", "off"),
        ("/notices service off", "infra", "off"),
    ],
)
def test_a_kind_is_switched_however_it_is_called(text, kind, how):
    decided = Chat().says(text)

    assert decided.wish == Switched(user="olga", now=NOW, kind=kind, how=how)
    assert words(decided).startswith("Switched: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/notices entry", "expected a kind, then on, off or gathered, found 'entry'"),
        ("/notices off", "nothing is no kind of notice: there are "),
        ("/notices entri off", "'entri' is no kind of notice: the nearest is entry"),
        ("/notices entry maybe", "found 'entry maybe'"),
    ],
)
def test_a_kind_that_is_none_is_refused(text, says):
    decided = Chat().says(text)

    assert decided.wish is None
    assert says in words(decided)


def test_the_bare_switches_are_shown_as_they_are_and_a_tap_sets_the_next():
    chat = Chat(OLGA, switched={"olga": {"entry": "gathered"}, "vera": {"exit": "off"}})
    decided = chat.says("/notices")

    assert "entry: gathered" in words(decided)
    assert "exit: on" in words(decided)
    after = chat.taps(taps(decided)["switch entries off"])
    assert after.wish == Switched(user="olga", now=NOW, kind="entry", how="off")
    assert "entry: off" in words(after)
    assert taps(after)["switch entries on"] == "/notices entry on"
    assert taps(after)["gather exits"] == "/notices exit gathered"


def test_signals_are_on_where_there_are_no_agents():
    assert "signal: off" in words(Chat().says("/notices"))
    assert "signal: on" in words(Chat(agents=()).says("/notices"))


def test_a_viewer_has_no_switch_for_what_only_operators_are_told():
    chat = Chat(VERA)

    assert "connection" not in words(chat.says("/notices"))
    assert "no kind of notice" in words(chat.says("/notices connection off"))
