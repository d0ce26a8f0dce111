"""Log lines on their way to topic `logs`: clean, cut, bounded, and in nobody's way."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from chandler.core.events import InfraEvent, LogLine
from chandler.streams.settings import Installation, installation
from chandler.streams.telemetry import published
from chandler.streams.telemetry.background import AGAIN_MAX, ONCE_MAX, Background
from chandler.streams.telemetry.infra import infra
from chandler.streams.telemetry.logs import set_up
from chandler.streams.telemetry.published import (
    CHARACTERS_MAX,
    LINES_MAX,
    QUEUE_MAX,
    LogLines,
    published_logs,
)
from tests.conftest import Topics
from tests.streams.exact_cluster import read

SECRET = "hunter2hunter2"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock: Clock) -> Iterator[LogLines]:
    """The handler of a logger of its own."""
    handler = LogLines("ingest", "here:1:0", (SECRET,), clock)
    logger().addHandler(handler)
    logger().setLevel(logging.DEBUG)
    yield handler
    logger().removeHandler(handler)


def logger(name: str = "chandler.ingest") -> logging.Logger:
    return logging.getLogger(name)


def texts(handler: LogLines, *, last: bool = False) -> list[str]:
    return [line.text for line in handler.taken(last=last)]


def test_a_line_is_an_event_with_its_values(lines: LogLines) -> None:
    logger().warning("sealed %d", 12, extra={"symbol": "BTCUSDT"})

    [line] = lines.taken()

    assert (line.service, line.instance) == ("ingest", "here:1:0")
    assert (line.level, line.text) == ("warning", "sealed 12 · symbol=BTCUSDT")
    assert line.at > 1_700_000_000_000
    assert lines.taken() == []


def test_what_is_below_info_stays_here(lines: LogLines) -> None:
    logger().debug("much")
    logger().info("little")
    logger().critical("grave")

    assert [(line.level, line.text) for line in lines.taken()] == [
        ("info", "little"),
        ("error", "grave"),
    ]


def test_no_secret_gets_into_the_topic_even_where_a_line_is_cut(lines: LogLines) -> None:
    logger().info("the broker said %s", SECRET)
    logger().info("login", extra={"password": "sesame-sesame"})
    logger().info("%s%s", "x" * (CHARACTERS_MAX - 5), SECRET)

    found = texts(lines)

    assert "hunter" not in "".join(found)
    assert "sesame" not in "".join(found)
    assert [len(each) <= CHARACTERS_MAX for each in found] == [True] * 3


def test_a_flood_is_cut_and_says_how_much_is_missing(lines: LogLines, clock: Clock) -> None:
    for number in range(LINES_MAX + 7):
        logger().info("line %d", number)
    during = texts(lines)
    clock.now += 1.0
    logger().info("calm")

    assert during == [f"line {number}" for number in range(LINES_MAX)]
    assert texts(lines) == [f"7 lines are left out here: more than {LINES_MAX} in a second", "calm"]


def test_what_was_left_out_is_said_without_another_line_too(lines: LogLines) -> None:
    for number in range(LINES_MAX + 1):
        logger().info("line %d", number)

    assert texts(lines, last=True)[-1].startswith("1 lines are left out")


def test_the_queue_is_bounded_while_the_loop_stands(lines: LogLines, clock: Clock) -> None:
    for _ in range(QUEUE_MAX // LINES_MAX + 5):
        clock.now += 1.0
        for _ in range(LINES_MAX):
            logger().info("again")

    assert QUEUE_MAX <= len(texts(lines)) <= QUEUE_MAX + 2


def test_the_kafka_client_does_not_report_itself(lines: LogLines) -> None:
    for name in ("aiokafka.producer", "aiokafka", "kafka.conn", "asyncio"):
        logger(name).addHandler(lines)
        logger(name).error("can't send")
        logger(name).removeHandler(lines)

    assert lines.taken() == []


def test_a_message_that_does_not_fit_its_arguments_raises_nothing(lines: LogLines) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d candles", ("many",), None)

    lines.handle(record)

    assert lines.taken() == []


def test_threads_may_log_at_once(lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LINES_MAX", 10**6)
    monkeypatch.setattr(published, "QUEUE_MAX", 10**6)

    def talk() -> None:
        for _ in range(200):
            logger().info("x")

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    found: list[LogLine] = []
    while any(thread.is_alive() for thread in threads):
        found += lines.taken()
    found += lines.taken()

    assert len(found) == 800


def test_what_waits_for_kafka_is_bounded_and_a_flood_of_lines_leaves_events_alone() -> None:
    background = Background(installation({}))
    event = InfraEvent(service="ingest", instance="here:1:0", kind="started", at=1)
    line = LogLine(service="ingest", instance="here:1:0", level="info", text="x", at=1)

    background.send("infra", "ingest", event, again=True)
    for _ in range(ONCE_MAX + 10):
        background.send("logs", "ingest", line, again=False)

    assert [each.event for each in background._again] == [event]
    assert len(background._once) == ONCE_MAX
    for _ in range(AGAIN_MAX + 10):
        background.send("infra", "ingest", event, again=True)
    assert len(background._again) == AGAIN_MAX


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    before = logging.getLogger()
    handlers, level = list(before.handlers), before.level
    yield
    before.handlers[:] = handlers
    before.setLevel(level)


@pytest.mark.kafka
@pytest.mark.usefixtures("_logging_as_before")
async def test_lines_and_events_stand_in_their_topics(
    installation: Installation, topics: Topics
) -> None:
    await topics(["infra", "logs"])

    log = set_up("ingest", environ={})
    async with infra(installation, "ingest", 3) as teller, published_logs(teller):
        log.info("40 symbols")
        await asyncio.to_thread(log.warning, "from a thread")
        teller.tell("started", "code abc")
        log.info("the last words")
    log.info("after the end")

    lines = [each for each in await read(installation, "logs") if isinstance(each, LogLine)]
    events = [each for each in await read(installation, "infra") if isinstance(each, InfraEvent)]
    assert [line.text for line in lines] == ["40 symbols", "from a thread", "the last words"]
    assert {line.instance for line in lines} == {events[0].instance}
    assert [(each.kind, each.detail) for each in events] == [("started", "code abc")]
    assert events[0].instance.endswith(":3")


@pytest.mark.kafka
async def test_an_event_waits_for_its_topic_and_lines_do_not_wait_for_it(
    installation: Installation, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Kafka does not take now is sent again; a line that it does not take is gone."""
    monkeypatch.setattr("chandler.streams.telemetry.background.SEND_S_MAX", 1.0)
    event = InfraEvent(service="ingest", instance="here:1:0", kind="crashed", at=1)
    background = Background(installation)
    sending = asyncio.create_task(background.run())

    background.send("infra", "ingest", event, again=True)
    background.send("logs", "ingest", _line("lost"), again=False)
    async with asyncio.timeout(60):
        while background._again:  # taken
            await asyncio.sleep(0)
        while not background._again:  # and put back, after a try
            await asyncio.sleep(0.01)
        await topics(["infra", "logs"])
        while not await read(installation, "infra"):
            await asyncio.sleep(0.1)
    background.close()
    await sending

    assert await read(installation, "infra") == [event]
    assert await read(installation, "logs") == []


def _line(text: str) -> LogLine:
    return LogLine(service="ingest", instance="here:1:0", level="info", text=text, at=1)
