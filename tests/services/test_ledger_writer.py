"""The ledger's writer: each event once, whatever dies, is locked, full, or goes away."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from chandler.streams.settings import installation
from services.layers import ConfigurationError, root
from services.ledger import opening, tables
from services.ledger.address import address, shown
from services.ledger.digest import digests, whole
from services.ledger.errors import LedgerAwayError, LedgerError
from services.ledger.opening import open_reader, open_writer
from services.ledger.writer import LedgerWriter
from tests.services.ledgering import (
    balance,
    both,
    filled,
    following,
    placed,
    requested,
    rows,
    signalled,
)
from tests.services.postgres import running

ORIGIN = "cluster/"
BATCH = 7  # events: not a divisor of what there is, so that lives lie across batches
LIVES = 60


def stream():
    """Many lives of orders, one after the other, in two partitions."""
    found = []
    for partition in (0, 1):
        events = []
        for number in range(LIVES):
            name = f"{partition}-{number}"
            entry = requested(f"in-{name}", number, position=f"p-{name}", size="0.7")
            exit_ = requested(
                f"out-{name}", number + 5, action="close", position=f"p-{name}", size="0.7"
            )
            price = str(100 + number)
            events += [entry, filled(entry, price, number, size="0.3", done=False)]
            events += [filled(entry, price, number, size="0.4", trade=f"in-{name}-2"), exit_]
            events += [filled(exit_, "131.5", number + 6), balance("0.5", number)]
        found += placed("orders", events, partition=partition)
    return found


def digest_of(url):
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            return whole(digests(connection))
    finally:
        engine.dispose()


def write_all(url, hook=lambda writer: None):
    """What a recorder does: goes on from the ledger's places, a batch at a time."""
    writer = LedgerWriter(url, ORIGIN)
    hook(writer)
    records = stream()
    places = writer.places()
    while True:
        left = [r for r in records if r.offset >= places.get((r.topic, r.partition), 0)]
        if not left:
            break
        batch = left[:BATCH]
        assert not writer.take(batch, following(batch)).untold
        places |= following(batch)
    writer.close()


def write_and_die(url, statements):
    """Killed after so many statements, wherever that is."""
    from sqlalchemy import event

    def hook(writer):
        left = [statements]

        @event.listens_for(writer._engine, "before_cursor_execute")
        @event.listens_for(writer._engine, "commit")
        def count(*_):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    write_all(url, hook)


def die_often(url, seed, lives):
    """Each life is a process of its own; prints how many were killed."""
    seeded = random.Random(int(seed))
    killed = 0
    for _ in range(int(lives)):
        statements = seeded.randrange(5, 160)
        child = os.fork()
        if not child:
            write_and_die(make_url(url), statements)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
        killed += os.WIFSIGNALED(status)
    print(killed)


@both
def test_killed_in_the_middle_of_batches_each_event_is_there_once(database, tmp_path):
    whole_url = make_url(f"sqlite:///{tmp_path}/whole.sqlite")
    write_all(whole_url)
    LedgerWriter(database, ORIGIN).close()
    program = (
        "import sys\n"
        "from tests.services.test_ledger_writer import die_often\n"
        "die_often(*sys.argv[1:])\n"
    )
    url = database.render_as_string(hide_password=False)
    words = [sys.executable, "-c", program, url, "4", "14"]
    done = subprocess.run(words, cwd=root(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    write_all(database)

    assert int(done.stdout) >= 10
    assert digest_of(database) == digest_of(whole_url)


@both
def test_a_second_recorder_is_refused_whichever_comes_later(database):
    records = stream()
    first, second = LedgerWriter(database, ORIGIN), LedgerWriter(database, ORIGIN)
    first.places()
    second.places()
    first.take(records[:3], following(records[:3]))

    with pytest.raises(LedgerError, match="another recorder writes the ledger"):
        second.take(records[:3], following(records[:3]))
    first.take(records[3:6], following(records[3:6]))
    first.close()
    second.close()

    engine = open_reader(database)
    assert len(rows(engine, tables.order_events)) == 5
    engine.dispose()


@both
def test_a_ledger_of_another_kafka_is_left_alone(database):
    writer = LedgerWriter(database, ORIGIN)
    writer.places()
    writer.close()
    stranger = LedgerWriter(database, "other/")

    with pytest.raises(LedgerError, match="was filled from Kafka cluster/, this is other/"):
        stranger.places()
    stranger.close()


@both
def test_nothing_happens_before_the_letters_of_a_batch_are_out(database):
    writer = LedgerWriter(database, ORIGIN)
    writer.places()
    bad = msgspec.structs.replace(signalled(1), reason="\x00")
    records = placed("signals", [bad, signalled(2)])

    before = writer.take(records, following(records))
    places_before = writer.places()
    after = writer.take(records, following(records), {("signals", 0, 0)})

    assert [each.record.offset for each in before.untold] == [0]
    assert places_before == {}
    assert after.untold == []
    assert writer.places() == {("signals", 0): 2}
    writer.close()


def test_a_locked_ledger_is_away_and_takes_the_batch_later(database, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_MS", 20)
    records = stream()[:6]
    writer = LedgerWriter(database, ORIGIN)
    writer.places()
    other = sqlite3.connect(database.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerAwayError, match="another program holds it"):
        writer.take(records, following(records))
    other.execute("ROLLBACK")
    other.close()
    taken = writer.take(records, following(records))

    assert taken.rows > 0
    assert writer.places() == {("orders", 0): 6}
    writer.close()


def test_a_full_disk_takes_nothing_of_the_batch_and_all_of_it_later(database):
    """max_page_count refuses the write in its middle, as a full disk does."""
    records = stream()
    writer = LedgerWriter(database, ORIGIN)
    writer.places()
    with writer._engine.connect() as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    set_pages(writer, pages + 3)

    with pytest.raises(LedgerAwayError, match="make room on its disk"):
        writer.take(records, following(records))
    nothing = writer.places()
    set_pages(writer, 1_000_000)
    writer.take(records, following(records))

    assert nothing == {}
    engine = open_reader(database)
    assert len(rows(engine, tables.trades)) == 2 * LIVES
    engine.dispose()
    writer.close()


def set_pages(writer, pages):
    with writer._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar()


def test_a_postgresql_that_goes_away_and_comes_back_loses_nothing(tmp_path):
    records = stream()
    with running() as server:
        url = make_url(server.database()).set(drivername="postgresql+psycopg")
        writer = LedgerWriter(url, ORIGIN)
        writer.places()
        writer.take(records[:10], following(records[:10]))
        server.stop()

        for _ in range(2):
            with pytest.raises(LedgerAwayError, match="can't be used now"):
                writer.take(records[10:], following(records[10:]))
        with pytest.raises(LedgerAwayError):
            LedgerWriter(url, ORIGIN)
        server.start()
        writer.take(records[10:], following(records[10:]))
        writer.close()

        other = make_url(f"sqlite:///{tmp_path}/other.sqlite")
        write_all(other)
        assert digest_of(url) == digest_of(other)


@both
def test_the_migrations_make_the_tables_that_the_code_knows(database):
    engine = open_writer(database)
    open_writer(database).dispose()  # again: nothing to do
    with engine.connect() as connection:
        options = {"compare_type": True}
        differences = compare_metadata(
            MigrationContext.configure(connection, opts=options), tables.METADATA
        )
    engine.dispose()

    head = ScriptDirectory(str(opening.MIGRATIONS)).get_current_head()
    assert differences == []
    assert head == opening.NEWEST


@both
def test_a_schema_of_newer_code_is_told_and_not_touched(database):
    engine = open_writer(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    engine.dispose()

    with pytest.raises(LedgerError, match="schema 0999, newer than 0001: update this service"):
        open_writer(database)
    with pytest.raises(LedgerError, match="has schema 0999, this code knows 0001"):
        open_reader(database)


@both
def test_a_reader_can_only_read(database):
    open_writer(database).dispose()
    engine = open_reader(database)

    with pytest.raises(Exception, match=r"read-?only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM orders"))
    engine.dispose()


def test_a_command_without_a_ledger_says_what_to_do(tmp_path):
    with pytest.raises(LedgerError, match=r"there is no ledger at .*: run \./chandler up first"):
        open_reader(make_url(f"sqlite:///{tmp_path}/none.sqlite"))

    assert not (tmp_path / "none.sqlite").exists()


def test_the_file_is_in_wal_mode_with_foreign_keys(database):
    writer = LedgerWriter(database, ORIGIN)
    with writer._engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()
    writer.close()

    assert (mode, keys) == ("wal", 1)


class TestAddress:
    """Where the ledger is; a password is nobody's business."""

    here = installation({"CHANDLER_DATA": "somewhere"})

    def test_it_is_a_file_of_the_data_directory(self):
        url = address(self.here, "", {})

        assert Path(url.database or "") == self.here.data / "ledger.sqlite"

    def test_the_environment_is_stronger_and_brings_the_password(self):
        environ = {"CHANDLER_LEDGER": "postgres://me@db/one", "CHANDLER_LEDGER_PASSWORD": "secret"}
        url = address(self.here, "postgresql://other@db/two", environ)

        assert url.render_as_string(hide_password=False) == "postgresql+psycopg://me:secret@db/one"
        assert "secret" not in shown(url)

    def test_a_platform_brings_the_password_as_a_file(self, tmp_path):
        file = tmp_path / "password"
        file.write_text("secret\n")
        environ = {
            "CHANDLER_LEDGER": "postgresql://me@db/one",
            "CHANDLER_LEDGER_PASSWORD_FILE": str(file),
        }

        url = address(self.here, "", environ)

        assert url.password == "secret"

    @pytest.mark.parametrize("content", [None, "", " \n", b"\xff\xfe"])
    def test_a_password_file_that_says_nothing_is_told_in_one_line(self, tmp_path, content):
        file = tmp_path / "password"
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        environ = {
            "CHANDLER_LEDGER": "postgresql://me@db/one",
            "CHANDLER_LEDGER_PASSWORD_FILE": str(file),
        }

        with pytest.raises(ConfigurationError, match=r"^CHANDLER_LEDGER_PASSWORD_FILE: [^\n]*$"):
            address(self.here, "", environ)

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("postgresql://me:secret@db/one", "ledger.url holds a password: leave it out"),
            ("mysql://me@db/one", "begins with mysql: expected sqlite or postgresql"),
            ("no url", "ledger.url is no URL"),
            ("postgresql://me@db", "names no database"),
            ("sqlite://", "names no file"),
        ],
    )
    def test_what_cant_be_used_is_told_without_the_secret(self, url, said):
        with pytest.raises(ConfigurationError, match=said) as caught:
            address(self.here, url, {})

        assert "secret" not in str(caught.value)


def test_an_error_of_the_server_never_tells_the_password(postgres):
    url = make_url(postgres.database()).set(
        drivername="postgresql+psycopg", password="secret", database="absent"
    )

    with pytest.raises(LedgerError) as caught:
        open_writer(url)

    assert "secret" not in str(caught.value)
    assert "absent" in str(caught.value)
