"""Bodies for those who hear of a project's events: collected once, tried until one
arrives, or given up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Engine, case, delete, func, insert, select, update

from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.events import EventRow, Events, Wanted, record
from storage.tables import events

_AT_ONCE = 500
_MOST_DEAD = 1_000

NEWEST = select(func.coalesce(func.max(events.c.id), 0)).scalar_subquery()
"""The id of the last event: whoever is added now hears of those after it."""


class Listener(Protocol):
    """Who hears of some kinds of events of a project. `seen` is the last event that it was asked
    about.
    """

    @property
    def id(self) -> int: ...
    @property
    def project(self) -> str: ...
    @property
    def kinds(self) -> tuple[str, ...]: ...
    @property
    def seen(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A body that is to be sent to a listener. `due_at` is None once it was given up."""

    id: int
    listener: int
    event_id: int
    body: str = field(repr=False)
    tries: int
    due_at: float | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The deliveries that wait, how many of those have failed before, and those given up."""

    waiting: int = 0
    failing: int = 0
    given_up: int = 0


class Outbox:
    """The bodies for the listeners of one table."""

    def __init__(self, engine: Engine, listener: Column[Any], dead: EventKind) -> None:
        """`listener` is the column of the table of bodies that points to who hears; `dead` tells
        that bodies for somebody have begun to be given up.
        """
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)
        self._events = Events(engine)
        self._listener = listener
        self._bodies = listener.table
        (key,) = listener.foreign_keys
        self._listeners = key.column.table
        self._dead = dead

    def queue(self, listener: Listener, event_id: int, body: str) -> None:
        """Have one body sent, beside those of events."""
        with self._engine.begin() as connection:
            self._queue(connection, listener, [(event_id, body)])

    def collect(self, listener: Listener, body_of: Callable[[EventRow], str]) -> int:
        """Queue the events that a listener has not been asked about; returns how many it wants.
        Whoever collects at the same time queues none twice.
        """
        newest = self._events.newest()
        if newest <= listener.seen:
            return 0
        wanted = Wanted(projects=(listener.project,), kinds=listener.kinds)
        found = self._events.after(listener.seen, wanted, limit=_AT_ONCE)
        upto = found[-1].id if len(found) == _AT_ONCE else newest
        found = [event for event in found if event.id <= upto]
        c = self._listeners.c
        mine = (c.id == listener.id) & (c.seen == listener.seen)
        with self._engine.begin() as connection:
            moved = update(self._listeners).where(mine).values(seen=upto).returning(c.id)
            if connection.execute(moved).first() is None:
                return 0
            self._queue(connection, listener, [(event.id, body_of(event)) for event in found])
        return len(found)

    def due(self, limit: int) -> list[Delivery]:
        """Those that may be sent now, the longest waiting first."""
        due_at = self._bodies.c.due_at
        query = select(self._bodies).where(due_at <= db_time()).order_by(due_at).limit(limit)
        return self._deliveries(query)

    def sent(self, delivery: Delivery) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(self._bodies).where(self._bodies.c.id == delivery.id))

    def failed(self, delivery: Delivery, error: str, again_in_s: float | None) -> None:
        """Try a delivery again in some seconds; with None, give it up. That is told of the first
        one of a listener, until those that were given up are sent again.
        """
        again = None if again_in_s is None else db_time() + again_in_s
        values = {"tries": delivery.tries + 1, "error": error, "due_at": again}
        c = self._bodies.c
        mine = update(self._bodies).where(c.id == delivery.id, c.due_at.is_not(None))
        own = select(self._listeners).where(self._listeners.c.id == delivery.listener)
        given_up = select(c.id).where(self._listener == delivery.listener, c.due_at.is_(None))
        with self._engine.begin() as connection:
            listener = connection.execute(own.with_for_update()).first()
            is_first = again is None and connection.execute(given_up.limit(1)).first() is None
            changed = connection.execute(mine.values(**values)).rowcount
            if changed and is_first and listener is not None:
                subject = self._dead.partition(".")[0]
                data = {subject: listener.id, "error": error}
                record(connection, self._dead, project=listener.project, data=data)

    def backlog(self) -> Backlog:
        c = self._bodies.c
        counts = select(
            func.count(c.due_at).label("waiting"),
            func.count(case((c.tries > 0, c.due_at))).label("failing"),
            (func.count() - func.count(c.due_at)).label("given_up"),
        )
        with self._reader.connect() as connection:
            return Backlog(**connection.execute(counts.select_from(self._bodies)).one()._mapping)

    def dead(self, project: str) -> list[Delivery]:
        """The deliveries that were given up, 1,000 at most."""
        c = self._bodies.c
        mine = select(self._listeners.c.id).where(self._listeners.c.project == project)
        query = select(self._bodies).where(c.due_at.is_(None), self._listener.in_(mine))
        return self._deliveries(query.order_by(c.id).limit(_MOST_DEAD))

    def send_again(self, project: str) -> int:
        """Queue those that were given up once more; returns how many."""
        ids = [delivery.id for delivery in self.dead(project)]
        c = self._bodies.c
        again = update(self._bodies).where(c.id.in_(ids), c.due_at.is_(None))
        with self._engine.begin() as connection:
            return connection.execute(again.values(due_at=db_time(), tries=0)).rowcount

    def _deliveries(self, query: Any) -> list[Delivery]:
        with self._reader.connect() as connection:
            found = [dict(row._mapping) for row in connection.execute(query)]
        return [Delivery(listener=row.pop(self._listener.name), **row) for row in found]

    def _queue(
        self, connection: Connection, listener: Listener, bodies: Sequence[tuple[int, str]]
    ) -> None:
        rows = [
            {self._listener.name: listener.id, "event_id": event_id, "body": body}
            for event_id, body in bodies
        ]
        if rows:
            connection.execute(insert(self._bodies).values(due_at=db_time()), rows)
