"""The events of the farm: one for each change, written in the transaction that makes the change.

Events that have an author are the audit log, and stay. All others go after a time.

`record` only notes an event; the commit of its transaction writes it. On PostgreSQL a lock is held
from then until the commit has ended, so that ids are given in the order of commits: a reader that
has seen an id never has to look for a smaller one again. Nobody waits for another lock while he
has this one.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, delete, event, func, insert, select

from storage.author import author
from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.rows import Json
from storage.tables import events

MOST_AT_ONCE = 1_000
_PRUNED_AT_ONCE = 10_000
_WRITING = 5_000_160_326  # the number of the lock on PostgreSQL; any would do
_NOTED = "events"


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """An event as it is stored. `at` is in seconds since 1970 by the database's clock."""

    id: int
    at: float
    kind: str
    """One of `EventKind`, or what a later version of the farm has written."""
    project: str | None
    campaign: str | None
    data: Json
    author: str | None
    token: str | None
    address: str | None
    before: Any = field(default=None)
    after: Any = field(default=None)


def record(
    connection: Connection,
    kind: EventKind,
    *,
    project: str | None = None,
    campaign: str | None = None,
    data: Json | None = None,
    before: Any = None,
    after: Any = None,
) -> None:
    """Note an event about a change. It is written with the change, or not at all. `before` and
    `after` say for the audit log what was changed.
    """
    by = author.get()
    row = {
        "kind": kind.value,
        "project": project,
        "campaign": campaign,
        "data": _json(data or {}),
        "author": None if by is None else by.name,
        "token": None if by is None else by.token_id,
        "address": None if by is None else by.address,
        "before": None if before is None else _json(before),
        "after": None if after is None else _json(after),
    }
    connection.info.setdefault(_NOTED, []).append(row)


def write_events_with_commits(engine: Engine) -> None:
    """Have each transaction of an engine write the events that were noted in it."""
    event.listen(engine, "commit", _write)
    event.listen(engine, "rollback", _drop)


def _write(connection: Connection) -> None:
    noted = connection.info.pop(_NOTED, None)
    if not noted:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_WRITING)))
    connection.execute(insert(events).values(at=db_time()), noted)


def _drop(connection: Connection) -> None:
    # one that has broken off is a new one by now, and has noted nothing
    if not connection.invalidated:
        connection.info.pop(_NOTED, None)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events a reader wants: None stands for all. `projects` leaves out those of the farm
    itself.
    """

    projects: Collection[str] | None = None
    campaign: str | None = None
    kinds: Collection[str] | None = None
    only_audited: bool = False
    author: str | None = None
    since: float | None = None


ALL = Wanted()


class Events:
    """The events of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def after(
        self, last: int, wanted: Wanted = ALL, *, limit: int = MOST_AT_ONCE
    ) -> list[EventRow]:
        """The first events with ids beyond `last`, in their order."""
        query = _chosen(wanted).where(events.c.id > last).order_by(events.c.id).limit(limit)
        with self._reader.connect() as connection:
            return [_event(row) for row in connection.execute(query)]

    def before(
        self, first: int | None, wanted: Wanted = ALL, *, limit: int, beyond: int = 0
    ) -> list[EventRow]:
        """The last events with ids below `first`, or of all, and above `beyond`, the newest
        first.
        """
        query = _chosen(wanted).order_by(events.c.id.desc()).limit(limit)
        query = query.where(events.c.id > beyond)
        if first is not None:
            query = query.where(events.c.id < first)
        with self._reader.connect() as connection:
            return [_event(row) for row in connection.execute(query)]

    def all(self, wanted: Wanted = ALL, *, after: int = 0) -> Iterator[EventRow]:
        """All events, read in pages."""
        last = after
        while page := self.after(last, wanted):
            yield from page
            last = page[-1].id

    def newest(self) -> int:
        """The id of the last event; 0 if there was none yet."""
        with self._reader.connect() as connection:
            query = select(func.coalesce(func.max(events.c.id), 0))
            return int(connection.execute(query).scalar_one())

    def prune(self, older_than_s: float) -> int:
        """Remove events without an author that are older; returns how many there were."""
        old = (
            select(events.c.id)
            .where(events.c.author.is_(None), events.c.at < db_time() - older_than_s)
            .order_by(events.c.id)
            .limit(_PRUNED_AT_ONCE)
        )
        removed = 0
        while True:
            with self._engine.begin() as connection:
                some = connection.execute(delete(events).where(events.c.id.in_(old))).rowcount
            removed += some
            if some < _PRUNED_AT_ONCE:
                return removed


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))  # ASCII: any text can be stored


def _chosen(wanted: Wanted) -> Select[Any]:
    query = select(events)
    c = events.c
    if wanted.projects is not None:
        query = query.where(c.project.in_(list(wanted.projects)))
    if wanted.campaign is not None:
        query = query.where(c.campaign == wanted.campaign)
    if wanted.kinds is not None:
        query = query.where(c.kind.in_(list(wanted.kinds)))
    if wanted.only_audited:
        query = query.where(c.author.is_not(None))
    if wanted.author is not None:
        query = query.where(c.author == wanted.author)
    if wanted.since is not None:
        query = query.where(c.at >= wanted.since)
    return query


def _event(row: Row[Any]) -> EventRow:
    values = dict(row._mapping)
    for name in ("data", "before", "after"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return EventRow(**values)
