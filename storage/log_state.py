"""The write-ahead log of the job database: how large it is, and how far those who follow it are
behind.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

_SIZE = text("SELECT sum(size) FROM pg_ls_waldir()")
_LAG = text("SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication")
_MAY_LOOK = text("SELECT pg_has_role('pg_monitor', 'USAGE')")


@dataclass(frozen=True, kw_only=True)
class LogState:
    """The size of the log in bytes, and the seconds by which the slowest follower is behind; None
    if that cannot be seen, or if nobody follows.
    """

    size_bytes: int | None = None
    lag_s: float | None = None


def log_state(engine: Engine) -> LogState:
    """SQLite has the log in a file beside its own. PostgreSQL shows its log to the roles that are
    members of `pg_monitor` (PostgreSQL, *Predefined Roles*).
    """
    if engine.dialect.name == "sqlite":
        try:
            return LogState(size_bytes=Path(f"{engine.url.database}-wal").stat().st_size)
        except FileNotFoundError:  # it goes with the last connection
            return LogState(size_bytes=0)
    with engine.connect() as connection:
        if not connection.execute(_MAY_LOOK).scalar_one():
            return LogState()
        size, lag_s = (connection.execute(query).scalar_one() for query in (_SIZE, _LAG))
    return LogState(
        size_bytes=int(size or 0),
        lag_s=None if lag_s is None else float(lag_s),
    )
