"""What a client may say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.streaming.asked import (
    ONLY_WHERE_ASKED,
    TOPICS,
    Hello,
    Pong,
    Watch,
    read,
    wants,
)
from services.gateway.streaming.ended import End, EndedError

SECRET = "eyJhbGciOiJIUzI1NiJ9.secret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 30_000,
        '{"type":"hello","last":' + '{"places":' * 3_000,
        "{",
        '{"type":"nothing"}',
        '{"type":1}',
        "{}",
        '{"type":"hello","token":5}',
        '{"type":"hello","tokens":"x"}',
        '{"type":"hello","token":NaN}',
        '{"type":"hello","token":"' + "x" * 5_000 + '"}',
        '{"type":"hello","topics":["everything"]}',
        '{"type":"hello","symbols":["' + "x" * 65 + '"]}',
        json.dumps({"type": "hello", "symbols": ["X"] * 501}),
        '{"type":"hello","last":{"seq":-1}}',
        '{"type":"hello","last":{"seq":1e400}}',
        '{"type":"hello","last":{"seq":99999999999999999999999}}',
        '{"type":"hello","last":{"places":{"orders:0":-2}}}',
        '{"type":"hello","last":{"places":{"orders:0":"1"}}}',
        '{"type":"pong","more":1}',
        '{"type":"hello","token":"\ud800"}',
        "x" * 40_000,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_message_is_refused_with_a_line(text):
    with pytest.raises(EndedError) as refused:
        read(text)

    assert refused.value.end is End.INVALID
    assert "expected" in refused.value.detail
    assert len(refused.value.detail) < 200


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_nothing_that_is_said_raises_anything_else(text):
    try:
        read(text)
    except EndedError as refused:
        assert refused.end is End.INVALID  # noqa: PT017


def test_a_refusal_quotes_nothing_of_what_was_sent():
    with pytest.raises(EndedError) as refused:
        read(json.dumps({"type": "hello", "topics": [SECRET], "token": SECRET}))

    assert SECRET not in refused.value.detail
    assert "$.topics[0]" in refused.value.detail


def test_a_hello_without_wishes_wants_all_but_what_is_much():
    asked = read('{"type":"hello","token":"t"}')

    assert isinstance(asked, Hello)
    assert wants(asked).topics == TOPICS - ONLY_WHERE_ASKED
    assert wants(asked).symbols == frozenset()


def test_candles_are_sent_of_named_symbols_only():
    with pytest.raises(EndedError, match="1 to 20 symbols"):
        wants(Watch(topics=["candles"]))
    with pytest.raises(EndedError, match="1 to 20 symbols"):
        wants(Watch(topics=["candles"], symbols=[f"S{number}" for number in range(21)]))

    assert wants(Watch(topics=["candles"], symbols=["BTCUSDT"])).symbols == {"BTCUSDT"}


def test_a_granularity_that_nobody_has_is_refused():
    with pytest.raises(EndedError, match="1m 5m"):
        wants(Watch(granularities=["7m"]))


def test_a_pong_is_read():
    assert read('{"type":"pong"}') == Pong()
