"""How long statements take in the job database, by their kind, and how many connections to it are
in use.
"""

import time
from typing import Any

from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError

from storage.timings import Timings

KINDS = frozenset({"select", "insert", "update", "delete", "begin"})
_BEGAN = "seedbed_began"


def time_statements(engine: Engine) -> Timings:
    """Note each statement from now on, by its first word. In SQLite, `begin` is where writers wait
    for each other. A row that is there already is no error.
    """
    timings = Timings()

    def begin(connection: Any, *_: Any) -> None:
        connection.info[_BEGAN] = time.perf_counter()

    def end(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        began = connection.info.pop(_BEGAN, None)
        if began is not None:
            timings.note(kind_of(statement), time.perf_counter() - began)

    def fail(context: ExceptionContext) -> None:
        began = context.connection.info.pop(_BEGAN, None) if context.connection else None
        if began is not None:
            failed = not isinstance(context.sqlalchemy_exception, IntegrityError)
            kind = kind_of(context.statement or "")
            timings.note(kind, time.perf_counter() - began, failed=failed)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)
    return timings


def kind_of(statement: str) -> str:
    """Like `select`; `other` if its first word is none of `KINDS`."""
    word = statement.lstrip()[:6].split(maxsplit=1)[:1]
    first = word[0].lower() if word else ""
    return first if first in KINDS else "other"


def connections_in_use(engine: Engine) -> int:
    """The connections of this process that somebody uses now."""
    return engine.pool.checkedout() if isinstance(engine.pool, QueuePool) else 0
