"""Opening the job database, and bringing its tables up to date."""

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import errors as pg
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError

import storage.tables  # noqa: F401  # so that the metadata has all tables
from storage.errors import DatabaseAway, DatabaseError
from storage.events import write_events_with_commits
from storage.metadata import metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADING = 5_000_160_325  # the number of the lock on PostgreSQL; any would do
_HOW = "write it like postgresql://user:password@host:5432/farm, or sqlite:////path/to/farm.db."

# A connection whose other end has vanished is noticed in 15 s, not in the two hours that TCP would
# take.
_POSTGRESQL_CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    # a pooler in transaction mode gives statements to other connections
    "prepare_threshold": None,
    "application_name": "seedbed",
}


def sqlite_address(path: Path) -> str:
    """The address of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def shown_address(url: str) -> str:
    """An address as it may be shown: without its password."""
    return _shown(_parse(url))


JobDatabase = Engine
"""An open job database."""


def open_database(url: str, *, looks_first: bool = True) -> Engine:
    """An engine for `url`, SQLite or PostgreSQL. With `looks_first`, a connection to a server is
    looked at before each use, so that one that a restart has cut is replaced unseen; without,
    whoever uses it hears of it once as DatabaseAway.

    Raises DatabaseError if the address is wrong or the folder of a SQLite file cannot be made.
    Later errors of the driver come as DatabaseError too, and as DatabaseAway if the same may work
    later.
    """
    parsed = _parse(url)
    engine = (
        _open_sqlite(parsed)
        if parsed.get_backend_name() == "sqlite"
        else _open_postgresql(parsed, looks_first=looks_first)
    )
    event.listen(engine, "handle_error", _translate)
    write_events_with_commits(engine)
    return engine


@contextmanager
def closing_engine(url: str, *, looks_first: bool = True) -> Iterator[Engine]:
    """An engine whose connections are closed after the block."""
    engine = open_database(url, looks_first=looks_first)
    try:
        yield engine
    finally:
        engine.dispose()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:
        raise DatabaseError(f"The database address cannot be read: {_HOW}") from exc
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise DatabaseError(
            f"Databases of the kind {parsed.get_backend_name()!r} are not supported: {_HOW}"
        )
    if parsed.get_backend_name() == "postgresql" and not parsed.database:
        raise DatabaseError(f"The database address names no database: {_HOW}")
    return parsed


def _open_sqlite(url: URL) -> Engine:
    """Write-ahead logging, so that readers never wait for the writer."""
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DatabaseError(
                f"The folder of the database {url.database} cannot be made ({exc.strerror})."
            ) from exc
    engine = create_engine(url.set(drivername="sqlite"))
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _open_postgresql(url: URL, *, looks_first: bool) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=looks_first,
        pool_size=5,
        max_overflow=15,
        connect_args=_POSTGRESQL_CONNECT,
    )
    event.listen(engine, "connect", _on_postgresql_connect)
    return engine


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late and too weak (a read that later writes can fail as
    # busy); `_on_sqlite_begin` says it instead.
    connection.isolation_level = None
    try:
        for pragma in (
            "busy_timeout=120000",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as exc:
        raise _refusal(exc) from exc


def _on_sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("readonly") else "BEGIN IMMEDIATE")


def _on_postgresql_connect(connection: psycopg.Connection[Any], _record: object) -> None:
    # A process that was stopped in the middle of a transaction must not hold its locks for ever:
    # another is to take over from it.
    connection.execute("SET idle_in_transaction_session_timeout = '15s'")
    connection.commit()


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of PostgreSQL's driver within a transaction, for COPY, which SQLAlchemy has no
    words for. Refusals come as elsewhere.
    """
    # the pool does not know whose it is
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with driver.cursor() as cursor:
            yield cursor
    except psycopg.IntegrityError:
        raise
    except psycopg.Error as exc:
        if driver.broken:
            connection.invalidate(exc)
        raise _postgresql_refusal(exc) from exc


def _translate(context: ExceptionContext) -> DatabaseError | None:
    """Turn the driver's refusals into sentences; a broken constraint stays what it is, for the
    caller to name. The answer is raised once others have heard of the error too.
    """
    if context.is_pre_ping:
        return None  # the pool's own look at a connection: it takes another
    error = context.original_exception
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
        return _refusal(error)
    if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.IntegrityError):
        return _postgresql_refusal(error)
    return None


def _refusal(error: sqlite3.DatabaseError) -> DatabaseError:
    kind = (
        DatabaseAway
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        else DatabaseError
    )
    return kind(
        f"The job database cannot be used ({error}): check that farm.db in the home is a database"
        " of the farm, and that its folder is writable and not full."
    )


def _postgresql_refusal(error: psycopg.Error) -> DatabaseError:
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    match error:
        case pg.UndefinedTable() | pg.UndefinedColumn():
            return DatabaseError(
                f"The database has not the tables of this version ({said}): run `farm db upgrade`."
            )
        case pg.ReadOnlySqlTransaction() | pg.InsufficientPrivilege():
            # A server that stands by may be promoted in a moment; a missing right stays missing.
            kind = DatabaseAway if isinstance(error, pg.ReadOnlySqlTransaction) else DatabaseError
            return kind(
                f"The database may not be written ({said}): name the primary server in"
                " FARM_DATABASE_URL, and a user that may write."
            )
        case (
            psycopg.OperationalError()
            | psycopg.InterfaceError()
            | pg.IdleInTransactionSessionTimeout()
        ):
            return DatabaseAway(
                f"The job database does not answer ({said}): check FARM_DATABASE_URL and that the"
                " server runs."
            )
        case _:
            return DatabaseError(f"The job database refused ({type(error).__name__}: {said}).")


def prepare(engine: Engine) -> None:
    """Make sure that the database can be used by this version, written too; a SQLite file is
    brought up to date, a server is not.

    Raises DatabaseError with what to do about it.
    """
    if engine.dialect.name == "sqlite":
        upgrade(engine)
    with engine.begin() as connection:
        current = _revision(connection, engine)
        if current != _script().get_current_head():
            has = (
                "has no tables of the farm yet"
                if current is None
                else f"is at revision {current}, this version needs a newer one"
            )
            raise DatabaseError(f"The database {_name(engine)} {has}: run `farm db upgrade`.")
        # Changes nothing, and is refused where nothing may be changed.
        connection.execute(
            text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0")
        )


def upgrade(engine: Engine) -> str:
    """Bring the tables to the newest revision and return its name; does nothing if they are
    there already.

    Raises DatabaseError if the database cannot be used, or was made by a newer version.
    """
    with engine.connect() as connection:
        sqlite = (
            connection.connection.driver_connection if engine.dialect.name == "sqlite" else None
        )
        if sqlite is not None:
            # Rebuilding a table drops the old one, and with it, were keys enforced, every row that
            # refers to it.
            sqlite.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if sqlite is None:
                    connection.execute(
                        select(func.pg_advisory_xact_lock(_UPGRADING))
                    )  # two at once would both begin
                return _upgrade(connection, engine)
        finally:
            if sqlite is not None:
                sqlite.execute("PRAGMA foreign_keys=ON")


def _upgrade(connection: Connection, engine: Engine) -> str:
    head = str(_script().get_current_head())
    current = _revision(connection, engine)
    if current is None and not inspect(connection).get_table_names():
        metadata.create_all(connection)  # what all migrations come to, which a test compares
        MigrationContext.configure(connection).stamp(_script(), head)
    elif current != head:
        migrate(connection, "head")
    return head


def migrate(connection: Connection, revision: str) -> None:
    """Run migrations up to a revision, in a transaction of the caller's."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(connection: Connection, engine: Engine) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {
        revision.revision for revision in _script().walk_revisions()
    }:
        raise DatabaseError(
            f"The database {_name(engine)} was made by a newer Seedbed (revision {current}):"
            " update this one, or use another database."
        )
    return current


def _name(engine: Engine) -> str:
    return _shown(engine.url)


def _shown(url: URL) -> str:
    # Without its query: a password may stand there too.
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(
        hide_password=True
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


@functools.cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
