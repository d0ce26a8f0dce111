"""Every event type has a golden record for each version that was ever written: all stay readable.

A changed event raises `version` and adds tests/streams/golden/<Event>.v<version>.json: one line,
as `codec.encode` writes it. What stands there is never edited.
"""

import contextlib
import inspect
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core import events
from chandler.streams.catalogue import TOPICS
from chandler.streams.codec import NewerSchemaError, UndecodableError, decode, encode

GOLDEN = Path(__file__).parent / "golden"
TYPES = {
    name: found
    for name, found in inspect.getmembers(events, inspect.isclass)
    if issubclass(found, events.Event) and found is not events.Event
}
TOPICS_OF = {
    name: [topic.name for topic in TOPICS if found in topic.events] for name, found in TYPES.items()
}
RECORDS = sorted(path.name for path in GOLDEN.glob("*.json"))
EVENT_TOPICS = [topic.name for topic in TOPICS if topic.events]


def record(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().removesuffix(b"\n")


def test_each_version_of_each_event_has_a_golden_record_and_there_are_no_others():
    expected = [
        f"{name}.v{version}.json"
        for name, found in TYPES.items()
        for version in range(1, found.version + 1)
    ]

    assert sorted(expected) == RECORDS


@pytest.mark.parametrize("name", TYPES)
def test_each_event_has_a_topic(name):
    assert TOPICS_OF[name]


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_record_is_read_from_each_of_its_topics_and_written_back_byte_for_byte(name):
    kind, version = name.removesuffix(".json").split(".v")
    for topic in TOPICS_OF[kind]:
        event = decode(topic, record(name))

        assert type(event) is TYPES[kind]
        assert event.v == int(version)
        if event.v == type(event).version:
            assert encode(event) == record(name)


@pytest.mark.parametrize("name", RECORDS)
def test_a_newer_schema_stops_the_reader_even_if_it_could_be_read(name):
    kind = name.split(".")[0]
    raw = msgspec.json.decode(record(name)) | {"v": TYPES[kind].version + 1}
    without_fields = {"type": kind, "v": TYPES[kind].version + 1}
    for topic in TOPICS_OF[kind]:
        for newer in (raw, without_fields):
            with pytest.raises(NewerSchemaError, match=f"{topic} holds {kind} of schema"):
                decode(topic, msgspec.json.encode(newer))


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"\x00",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{",
        b"{}",
        b'{"type":"CandleSealed"}',
        b'{"type":"Nonsense","v":1}',
        b'{"type":"Nonsense","v":99}',
        b'{"type":"CandleSealed","v":"newer"}',
        b'{"type":7,"v":1}',
    ],
)
def test_garbage_is_undecodable_in_each_topic(raw):
    for topic in EVENT_TOPICS:
        with pytest.raises(UndecodableError, match=topic):
            decode(topic, raw)


@given(raw=st.binary(max_size=200), topic=st.sampled_from(EVENT_TOPICS))
def test_no_bytes_make_the_reader_fail_in_another_way(raw, topic):
    with pytest.raises(UndecodableError):
        decode(topic, raw)


def test_an_event_of_another_topic_is_undecodable():
    with pytest.raises(UndecodableError, match="tickers"):
        decode("tickers", record("Signal.v1.json"))


@given(st.data())
def test_a_record_with_one_byte_changed_is_read_or_refused_but_never_breaks_the_reader(data):
    name = data.draw(st.sampled_from(RECORDS))
    raw = bytearray(record(name))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    topic = TOPICS_OF[name.split(".")[0]][0]

    with contextlib.suppress(UndecodableError, NewerSchemaError):
        assert encode(decode(topic, bytes(raw)))
