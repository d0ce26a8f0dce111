"""Opens the ledger: engine, pragmas, and its schema brought up to date before anyone writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from services.ledger.address import shown
from services.ledger.errors import LedgerError, LedgerSchemaError, explained
from services.ledger.tables import ledger_origin

BUSY_MS = 3_000  # how long SQLite waits for another writer before it says so
CONNECT_S = 5
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0001"  # the revision that this code knows; a test keeps it the migrations' head
_UPGRADE_LOCK = 7_305_911  # of PostgreSQL: one migrates at a time


def open_writer(url: URL) -> Engine:
    """An engine whose transactions may write; the schema is up to date when it returns.

    LedgerAwayError: not now. LedgerError: never like this (no right, a newer schema, no database).
    """
    if url.database and url.drivername == "sqlite":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url, writes=True)
    try:
        migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        raise explained(error, url) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_reader(url: URL) -> Engine:
    """An engine for reading; LedgerError if there is no ledger yet, or one of another schema."""
    if url.drivername == "sqlite" and not Path(url.database or "").is_file():
        raise LedgerError(f"there is no ledger at {url.database}: run ./chandler up first")
    engine = _engine(url, writes=False)
    try:
        with engine.connect() as connection:
            found = _revision(connection)
    except DBAPIError as error:
        engine.dispose()
        raise explained(error, url) from None
    if found == NEWEST:
        return engine
    engine.dispose()
    if not found:
        raise LedgerError(f"{shown(url)} holds no ledger yet: run ./chandler up first")
    raise LedgerSchemaError(
        f"{shown(url)} has schema {found}, this code knows {NEWEST}: "
        "start the recorder, which brings it up to date, or update this code"
    )


@contextmanager
def snapshot(url: URL) -> Iterator[Connection]:
    """A connection that can only read: one snapshot for all that is asked in it. LedgerError."""
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise explained(error, url) from None
    finally:
        engine.dispose()


def open_memory() -> Engine:
    """A ledger of this process alone, empty: what a rebuild is compared in."""
    engine = _engine(URL.create("sqlite", database=":memory:"), writes=True)
    migrate(engine)
    return engine


def _engine(url: URL, *, writes: bool) -> Engine:
    if url.drivername != "sqlite":
        server = f"-c default_transaction_read_only={'off' if writes else 'on'} -c timezone=UTC"
        arguments: dict[str, Any] = {"connect_timeout": CONNECT_S, "options": server}
        return create_engine(
            url, pool_pre_ping=True, pool_size=2, max_overflow=2, connect_args=arguments
        )
    if url.database == ":memory:":
        from sqlalchemy.pool import StaticPool

        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1_000})
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are ours, not the driver's
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            # What a power cut takes takes its offsets too: the topics give it again.
            connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def migrate(engine: Engine) -> None:
    """Brings the schema up to date, in one transaction; LedgerError for a newer one than ours."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        found = _revision(connection)
        if found == NEWEST:
            return
        _upgrade(connection, found, engine.url)
        if connection.execute(select(ledger_origin.c.id)).first() is None:
            connection.execute(insert(ledger_origin).values(id=1, origin="", rebuilt=0))


def _upgrade(connection: Connection, found: str, url: URL) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise LedgerSchemaError(
            f"{shown(url)} has schema {found}, newer than {NEWEST}: update this service"
        )
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
