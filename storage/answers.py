"""The answers to orders that were sent with a key of their own (`Idempotency-Key`): an order that
is sent again is not carried out again.

An order in progress has a row without an answer. Of several that come at once, one begins: the
primary key refuses the others.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import db_time
from storage.errors import Conflict
from storage.tables import answers

KEPT_S = 86_400.0
ABANDONED_S = 300.0
"""After which an order without an answer counts as broken off: its farm has died."""


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """What an order was answered with."""

    status: int
    body: bytes


class KeyReused(Conflict):
    """The key was sent with another order."""

    code = "key-reused"


class InProgress(Conflict):
    """The same order is being carried out."""

    code = "in-progress"
    retry_after_s = 1


class Answers:
    """The answers of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, scope: str, key: str, digest: str) -> StoredAnswer | None:
        """Begin an order: None if it is to be carried out, else the answer that it had. `scope` is
        whoever sends it, `digest` that of the whole order.

        Raises KeyReused for a key that another order had, InProgress if it has no answer yet.
        """
        c = answers.c
        mine = (c.scope == scope) & (c.key == key)
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        first = dialect.insert(answers).values(
            scope=scope, key=key, digest=digest, begun_at=db_time()
        )
        with self._engine.begin() as connection:
            _forget(connection)
            begun = first.on_conflict_do_nothing().returning(c.key)
            if connection.execute(begun).first() is not None:
                return None
            found = connection.execute(select(answers).where(mine)).one()
        if found.digest != digest:
            raise KeyReused(
                f"The key {key!r} was sent with another order before: give each order a key of its"
                " own."
            )
        if found.status is None:
            raise InProgress("This order is being carried out: ask again in a second.")
        return StoredAnswer(status=found.status, body=found.body)

    def end(self, scope: str, key: str, answer: StoredAnswer) -> None:
        """Keep the answer to an order that was carried out."""
        mine = (answers.c.scope == scope) & (answers.c.key == key)
        with self._engine.begin() as connection:
            connection.execute(
                update(answers).where(mine).values(status=answer.status, body=answer.body)
            )

    def give_up(self, scope: str, key: str) -> None:
        """Let an order that was refused, or failed, be sent again under its key."""
        mine = (answers.c.scope == scope) & (answers.c.key == key)
        with self._engine.begin() as connection:
            connection.execute(delete(answers).where(mine, answers.c.status.is_(None)))


def _forget(connection: Connection) -> None:
    """Remove answers that are old, and orders that were broken off."""
    age = db_time() - answers.c.begun_at
    broken_off = answers.c.status.is_(None) & (age > ABANDONED_S)
    connection.execute(delete(answers).where((age > KEPT_S) | broken_off))
