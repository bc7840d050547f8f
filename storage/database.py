"""Opening the job database, and bringing its tables up to date."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError

from storage.errors import DatabaseError

_MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_address(path: Path) -> str:
    """The address of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def open_database(url: str) -> Engine:
    """An engine for `url`; SQLite is set to write-ahead logging, so that readers never wait for the writer.

    Raises DatabaseError where the address is wrong or the folder of a SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise DatabaseError("The database address cannot be read: write it like sqlite:////path/to/farm.db.") from exc
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(f"Databases of the kind {parsed.get_backend_name()!r} are not supported: use sqlite:////path/to/farm.db.")
    if parsed.database:
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DatabaseError(f"The folder of the database {parsed.database} cannot be made ({exc.strerror}).") from exc
    engine = create_engine(parsed)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    event.listen(engine, "handle_error", _translate)
    return engine


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late and too weak (a read that later writes can fail as busy); `_on_begin` says it instead.
    connection.isolation_level = None
    try:
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as exc:
        raise _refusal(exc) from exc


def _on_begin(connection: object) -> None:
    options = connection.get_execution_options()  # type: ignore[attr-defined]  # typed as object by the event API
    connection.exec_driver_sql("BEGIN" if options.get("readonly") else "BEGIN IMMEDIATE")  # type: ignore[attr-defined]


def _translate(context: ExceptionContext) -> None:
    """Turn the driver's refusals into sentences; a broken constraint stays what it is, for the caller to name."""
    error = context.original_exception
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
        raise _refusal(error) from error


def _refusal(error: sqlite3.DatabaseError) -> DatabaseError:
    return DatabaseError(
        f"The job database cannot be used ({error}): check that farm.db in the home is a database of the farm, "
        "and that its folder is writable and not full."
    )


def upgrade(engine: Engine) -> str:
    """Bring the tables to the newest revision and return its name; does nothing where they are there already.

    Raises DatabaseError where the database cannot be used, or was made by a newer version.
    """
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        script = ScriptDirectory.from_config(config)
        head = script.get_current_head()
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise DatabaseError(
                f"The database {engine.url.database} was made by a newer Seedbed (revision {current}): "
                "update this one, or use another --home."
            )
        if current != head:
            command.upgrade(config, "head")
        return str(head)
