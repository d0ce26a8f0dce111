"""Every event type has a golden record for each version that was ever written: all stay readable.

A changed event raises `version` and adds tests/streams/golden/<Event>.v<version>.json: one line,
as `codec.encode` writes it. What stands there is never edited.
"""

import contextlib
import inspect
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core import events
from chandler.core.events import Event
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.core.trading import events as trading
from chandler.streams.catalogue import TOPICS
from chandler.streams.codec import NewerSchemaError, UndecodableError, decode, encode

GOLDEN = Path(__file__).parent / "golden"
TYPES = {
    name: found
    for module in (events, trading)
    for name, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, Event) and found is not Event
}
JOURNALLED = {"WindowClosed"}  # stand in no topic of their own, but as inputs in `desk`
TOPICS_OF = {
    name: [topic.name for topic in TOPICS if found in topic.events] for name, found in TYPES.items()
}
RECORDS = sorted(path.name for path in GOLDEN.glob("*.json"))
EVENT_TOPICS = [topic.name for topic in TOPICS if topic.events]


def record(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().removesuffix(b"\n")


def in_topic(topic: str, raw: bytes) -> bytes:
    """The record with the granularity that the topic asks for, and a time on its grid."""
    last = topic.rpartition(".")[2]
    if last not in INTERVAL_MS:
        return raw
    fields = msgspec.json.decode(raw)
    time = next(name for name in ("open_ms", "close_ms") if name in fields)
    fields[time] -= fields[time] % INTERVAL_MS[Granularity(last)]
    return msgspec.json.encode(fields | {"granularity": last})


def test_each_version_of_each_event_has_a_golden_record_and_there_are_no_others():
    expected = [
        f"{name}.v{version}.json"
        for name, found in TYPES.items()
        for version in range(1, found.version + 1)
    ]

    assert sorted(expected) == RECORDS


@pytest.mark.parametrize("name", TYPES)
def test_each_event_has_a_topic_or_stands_in_the_journal(name):
    assert bool(TOPICS_OF[name]) != (name in JOURNALLED)


@pytest.mark.parametrize("name", sorted(JOURNALLED))
def test_a_golden_input_of_the_journal_is_read_and_written_back_byte_for_byte(name):
    raw = record(f"{name}.v{TYPES[name].version}.json")

    assert encode(msgspec.json.decode(raw, type=TYPES[name])) == raw


@pytest.mark.parametrize("name", TYPES)
def test_the_newest_golden_record_has_every_field(name):
    """A field that was added without one: write the record anew, or raise the version."""
    fields = msgspec.json.decode(record(f"{name}.v{TYPES[name].version}.json"))

    assert set(fields) == {"type", *TYPES[name].__struct_fields__}


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_record_is_read_from_each_of_its_topics_and_written_back_byte_for_byte(name):
    kind, version = name.removesuffix(".json").split(".v")
    for topic in TOPICS_OF[kind]:
        raw = in_topic(topic, record(name))
        event = decode(topic, raw)

        assert type(event) is TYPES[kind]
        assert event.v == int(version)
        if event.v == type(event).version:
            assert encode(event) == raw


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


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"granularity": "7m"}, "unknown granularity '7m'"),
        ({"granularity": "1H"}, "its granularity is 1H, expected the topic's"),
        ({"open_ms": 1_704_067_200_001}, "time 1704067200001 is off the grid"),
        ({"open_ms": -300_000}, "time -300000 is off the grid"),
        ({"open_ms": 300_000 * 10**12}, "off the grid: expected a multiple of 5m before 2100"),
        ({"symbol": ""}, "symbol '' is none"),
        ({"symbol": "@offsets"}, "symbol '@offsets' is none"),
        ({"symbol": "A|1H"}, "symbol 'A|1H' is none"),
    ],
)
def test_a_candle_of_no_possible_slot_is_undecodable(changed, said):
    """A candle of 7m in candles.5m ended indicators and market with KeyError, at each start."""
    fields = msgspec.json.decode(in_topic("candles.5m", record("CandleSealed.v1.json")))

    with pytest.raises(UndecodableError, match=re.escape(said)):
        decode("candles.5m", msgspec.json.encode(fields | changed))


def test_an_event_of_another_topic_is_undecodable():
    with pytest.raises(UndecodableError, match="tickers"):
        decode("tickers", record("Signal.v1.json"))


@given(st.data())
def test_a_record_with_one_byte_changed_is_read_or_refused_but_never_breaks_the_reader(data):
    names = [each for each in RECORDS if each.split(".")[0] not in JOURNALLED]
    name = data.draw(st.sampled_from(names))
    raw = bytearray(record(name))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    topic = TOPICS_OF[name.split(".")[0]][0]

    with contextlib.suppress(UndecodableError, NewerSchemaError):
        assert encode(decode(topic, bytes(raw)))


@pytest.mark.parametrize("symbol", ["", "@offsets", "BTC|5m"])
def test_a_ticker_whose_symbol_is_none_is_undecodable(symbol: str) -> None:
    """A stage's state of it would have taken the place of another."""
    ticker = msgspec.json.decode(record("Ticker.v1.json"), type=events.Ticker)
    wrong = encode(msgspec.structs.replace(ticker, symbol=events.Symbol(symbol)))

    with pytest.raises(UndecodableError, match="is none"):
        decode("tickers", wrong)
