"""What the pipelines of each numerics class paint when they are loaded: the first worker to say so
is believed.
"""

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import db_time
from storage.tables import canaries


class Canaries:
    """The canaries of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def known(self, subject: str) -> dict[str, str]:
        """The hashes of a subject's canaries, by numerics class."""
        query = select(canaries.c.numerics_class, canaries.c.digest).where(
            canaries.c.subject == subject
        )
        with self._reader.connect() as connection:
            return {row.numerics_class: row.digest for row in connection.execute(query)}

    def record(self, *, subject: str, numerics_class: str, digest: str, worker: str) -> str:
        """Write down what a worker's canaries are, unless another was first; returns what stands
        there then.
        """
        insert = (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(canaries)
        values = {
            "subject": subject,
            "numerics_class": numerics_class,
            "digest": digest,
            "worker": worker,
            "seen_at": db_time(),
        }
        mine = (canaries.c.subject == subject) & (canaries.c.numerics_class == numerics_class)
        with self._engine.begin() as connection:
            connection.execute(insert.values(values).on_conflict_do_nothing())
            return str(connection.execute(select(canaries.c.digest).where(mine)).scalar_one())

    def forget(self) -> int:
        """Believe whoever says next; returns how many there were."""
        with self._engine.begin() as connection:
            return connection.execute(delete(canaries)).rowcount
