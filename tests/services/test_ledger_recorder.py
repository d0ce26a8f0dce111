"""The recorder with a real Kafka: from its own places, once whatever dies; rebuilt alike."""

import asyncio
import logging
import os
import signal
import sys

import msgspec
import pytest
from sqlalchemy import make_url, text

from chandler.core.events import DeadLetter, Event, InfraEvent, Symbol
from chandler.core.trading.events import Answer, Command, OrdersOut
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import ReadError, read_topics
from chandler.streams.reading.placed import cluster_id
from chandler.streams.settings import installation as read_installation
from services.declaration import Context, Health
from services.ledger import rebuild as again
from services.ledger import tables
from services.ledger.digest import digests
from services.ledger.errors import LedgerError
from services.ledger.opening import open_reader, open_writer
from services.ledger.writer import LedgerWriter
from services.profile import LedgerConfig, Profile
from services.recorder.ledger import record
from tests.services.ledgering import (
    START_MS,
    D,
    balance,
    both,
    closed,
    exit_requested,
    filled,
    opened,
    requested,
    rows,
    signalled,
    updated,
)

pytestmark = pytest.mark.kafka

DEADLINE_S = 60.0
LIVES = 150


@pytest.fixture
async def cluster(installation, topics, tmp_path):
    await topics((*tables.TOPICS, "dead-letters"), partitions=2)
    return msgspec.structs.replace(installation, data=tmp_path)


def context(cluster, url, stop=None, told=None):
    profile = Profile(ledger=LedgerConfig(url=url.render_as_string(hide_password=False)))
    return Context(
        installation=cluster,
        profile=profile,
        shard=None,
        stop=stop or asyncio.Event(),
        health=Health(),
        log=logging.getLogger("recorder"),
        code="",
        tell=lambda kind, detail: (told if told is not None else []).append((kind, detail)),
    )


async def publish(cluster, events):
    """(topic, key, event) or (topic, key, bytes)."""
    async with producer(cluster, linger_ms=5) as client:
        for topic, key, event in events:
            value = event if isinstance(event, bytes) else encode(event)
            await client.send(topic_name(cluster, topic), value, key=key.encode())
        await client.flush()


def life(number):
    """An order that opens, one that closes, and what goes with them."""
    symbol = Symbol(f"S{number % 7}USDT")
    entry = requested(f"in-{number}", number, position=f"p-{number}", symbol=symbol)
    exit_ = requested(
        f"out-{number}", number + 9, action="close", position=f"p-{number}", symbol=symbol
    )
    made = [entry, filled(entry, "100", number), OrdersOut(shard=0, shards=1, at=START_MS + number)]
    made += [
        balance("-0.12", number),
        exit_,
        filled(exit_, "101.5", number),
        balance("2.88", number),
    ]
    return [("orders", symbol, event) for event in made]


def day(lives=LIVES):
    """A bit of everything, in topics of one and of many partitions."""
    found: list[tuple[str, str, Event]] = []
    found.append(("orders", "one", balance("10000", kind="start")))
    for number in range(lives):
        found += life(number)
        found.append(("signals", f"S{number % 7}USDT", signalled(number)))
        if number % 10 == 0:
            asked = Command(id=f"c{number}", who="cli", what="pause", at=START_MS)
            done = Answer(command=asked.id, outcome="done", detail="", by="executor", at=START_MS)
            found += [("answers", asked.id, done), ("commands", asked.id, asked)]
            found.append(("exits", "AAAUSDT", exit_requested(number, number)))
    found += [
        ("positions", "AAAUSDT", e) for e in (opened(), updated(70_000, "99"), closed(80_000))
    ]
    found.append(
        ("infra", "ingest", InfraEvent(service="ingest", instance="i", kind="ready", at=1))
    )
    return found


async def recorded(cluster, url, letters=None):
    """Runs the recorder's ledger until it has everything."""
    stop = asyncio.Event()
    health = Health()
    told = letters if letters is not None else []
    task = asyncio.create_task(record(context(cluster, url, stop), health, told.append))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not task.done() and not (health.took_any and health.lag == 0):
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task


def nothing(done, total):
    assert done <= total


@both
async def test_it_takes_everything_once_and_a_rebuild_makes_the_same_rows(cluster, database):
    await publish(cluster, day())
    await recorded(cluster, database)
    await publish(cluster, life(9_000))
    await recorded(cluster, database)

    compared = await again.compare(cluster, database, nothing)
    engine = open_writer(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE trades SET reason = 'tampered with' WHERE id = 'p-7'"))
        connection.execute(text("DELETE FROM signals WHERE id = 'signal-8'"))
    tampered = await again.compare(cluster, database, nothing)
    rebuilt = await again.rebuild(cluster, database, nothing)
    after = await again.compare(cluster, database, nothing)

    assert compared.differing == []
    assert compared.events == len(day()) + len(life(9_000))
    assert tampered.differing == rebuilt.differing == ["signals", "trades"]
    assert after.differing == []
    assert after.digest == compared.digest == rebuilt.digest
    assert len(rows(engine, tables.trades)) == LIVES + 1
    assert len(rows(engine, tables.fills)) == 2 * (LIVES + 1)
    assert all(each["answers"] == 1 for each in rows(engine, tables.commands))
    engine.dispose()


async def test_killed_at_any_instant_each_event_is_there_once(cluster, database):
    environ = {
        **os.environ,
        "CHANDLER_BROKERS": cluster.bootstrap,
        "CHANDLER_TOPIC_PREFIX": cluster.topic_prefix,
    }
    program = (
        "import asyncio, sys\n"
        "from tests.services.test_ledger_recorder import run_for_ever\n"
        "asyncio.run(run_for_ever(sys.argv[1]))\n"
    )
    url = database.render_as_string(hide_password=False)
    await publish(cluster, day(40))
    for number in range(3):
        # The one before may have taken everything there was.
        await publish(cluster, life(2_000 + number))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, url, env=environ, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        await asyncio.wait_for(child.stdout.readline(), DEADLINE_S)  # it has taken a batch
        for part in range(3):
            await publish(cluster, life(1_000 + 10 * number + part))
            await asyncio.sleep(0.02 * number)
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()
    await recorded(cluster, database)

    compared = await again.compare(cluster, database, nothing)
    engine = open_reader(database)
    assert compared.differing == []
    assert compared.events == len(day(40)) + 12 * len(life(0))
    assert len(rows(engine, tables.fills)) == 2 * (40 + 12)
    engine.dispose()


async def run_for_ever(url):
    """A recorder in a process of its own; says each batch of which something is in the ledger."""
    from chandler.streams.reading import placed

    placed.RECORDS_MAX = 60
    writes = LedgerWriter.take

    def take(self, *arguments):
        taken = writes(self, *arguments)
        print("taken", flush=True)
        return taken

    LedgerWriter.take = take  # type: ignore[method-assign]
    await record(context(read_installation(), make_url(url)), Health(), print)


async def test_what_cant_be_taken_is_a_dead_letter_and_the_rest_goes_on(cluster, database):
    bad = msgspec.structs.replace(signalled(1), reason="\x00")
    await publish(
        cluster,
        [
            ("signals", "A", b"{not json"),
            ("signals", "A", bad),
            ("signals", "A", signalled(2)),
            ("signals", "A", signalled(2, strength=0.9)),
            ("orders", "A", balance("NaN")),
        ],
    )
    told: list[DeadLetter] = []
    await recorded(cluster, database, told)

    letters = [each.event async for each in read_topics(cluster, ["dead-letters"])]
    causes = sorted(each.cause for each in letters if isinstance(each, DeadLetter))
    assert (
        causes
        == sorted(each.cause for each in told)
        == [
            "impossible for the ledger",
            "impossible for the ledger",
            "same id, other bytes",
            "undecodable",
        ]
    )
    engine = open_reader(database)
    assert [each["id"] for each in rows(engine, tables.signals)] == ["signal-2"]
    engine.dispose()


async def test_a_ledger_that_is_locked_for_a_while_delays_and_loses_nothing(
    cluster, database, caplog
):
    import sqlite3

    from services.ledger import opening

    open_writer(database).dispose()
    opening.BUSY_MS, before = 20, opening.BUSY_MS
    other = sqlite3.connect(database.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await publish(cluster, day(10))
    stop = asyncio.Event()
    health = Health()
    told: list[tuple[str, str]] = []
    with caplog.at_level(logging.INFO):
        own = context(cluster, database, stop, told)
        task = asyncio.create_task(record(own, health, print))
        async with asyncio.timeout(DEADLINE_S):
            while health.state != "waiting for the ledger":
                await asyncio.sleep(0.05)
            other.execute("ROLLBACK")
            other.close()
            while not (health.took_any and health.lag == 0):
                await asyncio.sleep(0.05)
        stop.set()
        await task
    opening.BUSY_MS = before

    said = [r.getMessage() for r in caplog.records if r.name == "recorder"]
    assert sum("another program holds it" in line for line in said) == 1
    assert sum("is back" in line for line in said) == 1
    assert [kind for kind, _ in told] == ["connection_lost", "connection_back"]
    assert told[0][1].startswith("ledger: the ledger sqlite:")
    assert told[1][1] == "ledger"
    assert (await again.compare(cluster, database, nothing)).differing == []


async def test_asked_to_end_while_the_ledger_is_away_it_ends(cluster):
    stop = asyncio.Event()
    health = Health()
    url = make_url("postgresql://me@127.0.0.1:1/none")
    task = asyncio.create_task(record(context(cluster, url, stop), health, print))
    async with asyncio.timeout(DEADLINE_S):
        while health.state != "waiting for the ledger":
            await asyncio.sleep(0.05)
        stop.set()
        await task


async def test_a_ledger_that_is_ahead_of_its_topics_is_told(cluster, database):
    """A Kafka that lost its records, or was made anew under the same name."""
    engine = open_writer(database)
    origin = f"{await cluster_id(cluster)}/{cluster.topic_prefix}"
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE ledger_origin SET origin = '{origin}'"))
        connection.execute(text("INSERT INTO ledger_offsets VALUES ('orders', 0, 500)"))
    engine.dispose()

    with pytest.raises(ReadError, match="ends at 0, but what was taken of it goes up to 500"):
        await recorded(cluster, database)


async def test_a_ledger_of_another_kafka_is_told(cluster, database):
    writer = LedgerWriter(database, "elsewhere/")
    writer.places()
    writer.close()

    with pytest.raises(LedgerError, match="was filled from Kafka elsewhere/"):
        await recorded(cluster, database)


@both
async def test_a_rebuild_while_the_recorder_runs_disturbs_nothing(cluster, database):
    await publish(cluster, day(30))
    stop, health = asyncio.Event(), Health()
    task = asyncio.create_task(record(context(cluster, database, stop), health, print))
    async with asyncio.timeout(DEADLINE_S):
        while not (health.took_any and health.lag == 0):
            await asyncio.sleep(0.05)
        rebuilt = await again.rebuild(cluster, database, nothing)
        await publish(cluster, [event for number in range(500, 520) for event in life(number)])
        engine = open_reader(database)
        while len(rows(engine, tables.trades, size=D(0))) < 50:
            await asyncio.sleep(0.1)
        engine.dispose()
    stop.set()
    await task

    assert rebuilt.differing == []
    assert (await again.compare(cluster, database, nothing)).differing == []
    engine = open_reader(database)
    with engine.connect() as connection:
        assert digests(connection)["trades"].rows == 50
    engine.dispose()
