"""Webhooks: who hears of a project's events, and what is still to be sent to them."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage.clock import db_time
from storage.errors import AlreadyThere, NotFound
from storage.event_kinds import EventKind
from storage.events import Events, Wanted, record
from storage.tables import events
from storage.webhook_tables import deliveries, webhooks

_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """An address, and the kinds of events of its project that are sent there."""

    id: int
    project: str
    url: str
    secret: str = field(repr=False)
    kinds: tuple[str, ...]
    seen: int
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An event that is to be sent to a webhook. `due_at` is None once it was given up."""

    id: int
    webhook_id: int
    event_id: int
    body: str = field(repr=False)
    tries: int
    due_at: float | None
    error: str | None


class Webhooks:
    """The webhooks of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)
        self._events = Events(engine)

    def add(self, project: str, url: str, secret: str, kinds: Collection[str]) -> Webhook:
        """Have a project's events sent to an address from now on. Raises AlreadyThere if they
        are.
        """
        newest = select(func.coalesce(func.max(events.c.id), 0)).scalar_subquery()
        values = {
            "project": project, "url": url, "secret": secret, "kinds": json.dumps(list(kinds)),
        }  # fmt: skip
        new = insert(webhooks).values(**values, seen=newest, created_at=db_time())
        try:
            with self._engine.begin() as connection:
                row = connection.execute(new.returning(*webhooks.c)).one()
                data = {"webhook": row.id, "kinds": list(kinds)}
                record(connection, EventKind.WEBHOOK_ADDED, project=project, data=data)
        except IntegrityError as exc:
            raise AlreadyThere(f"The project {project} has that webhook already.") from exc
        return _webhook(row)

    def all(self, project: str | None = None) -> list[Webhook]:
        query = select(webhooks).order_by(webhooks.c.id)
        if project is not None:
            query = query.where(webhooks.c.project == project)
        with self._reader.connect() as connection:
            return [_webhook(row) for row in connection.execute(query)]

    def get(self, project: str, webhook_id: int) -> Webhook:
        """Raises NotFound if the project has no such webhook."""
        for webhook in self.all(project):
            if webhook.id == webhook_id:
                return webhook
        raise NotFound(f"The project {project} has no webhook {webhook_id}.")

    def remove(self, project: str, webhook_id: int) -> None:
        """Send nothing more there. Raises NotFound if the project has no such webhook."""
        self.get(project, webhook_id)
        with self._engine.begin() as connection:
            gone = delete(webhooks).where(webhooks.c.id == webhook_id)
            if connection.execute(gone.returning(webhooks.c.id)).first() is not None:
                data = {"webhook": webhook_id}
                record(connection, EventKind.WEBHOOK_REMOVED, project=project, data=data)

    def queue(self, webhook: Webhook, event_id: int, body: str) -> None:
        """Have one body sent, beside those of events."""
        with self._engine.begin() as connection:
            _queue(connection, webhook, [(event_id, body)])

    def collect(self, webhook: Webhook, body_of: Any) -> int:
        """Queue the events that a webhook has not been asked about; returns how many it wants.
        Whoever collects at the same time queues none twice.
        """
        newest = self._events.newest()
        if newest <= webhook.seen:
            return 0
        wanted = Wanted(projects=(webhook.project,), kinds=webhook.kinds)
        found = self._events.after(webhook.seen, wanted, limit=_AT_ONCE)
        upto = found[-1].id if len(found) == _AT_ONCE else newest
        found = [event for event in found if event.id <= upto]
        mine = (webhooks.c.id == webhook.id) & (webhooks.c.seen == webhook.seen)
        with self._engine.begin() as connection:
            moved = update(webhooks).where(mine).values(seen=upto).returning(webhooks.c.id)
            if connection.execute(moved).first() is None:
                return 0
            _queue(connection, webhook, [(event.id, body_of(event)) for event in found])
        return len(found)

    def due(self, limit: int) -> list[Delivery]:
        """Those that may be sent now, the longest waiting first."""
        query = select(deliveries).where(deliveries.c.due_at <= db_time())
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(deliveries.c.due_at).limit(limit))
            return [Delivery(**row._mapping) for row in rows]

    def sent(self, delivery: Delivery) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.id == delivery.id))

    def failed(self, delivery: Delivery, error: str, again_in_s: float | None) -> None:
        """Try a delivery again in some seconds; with None, give it up."""
        again = None if again_in_s is None else db_time() + again_in_s
        values = {"tries": delivery.tries + 1, "error": error, "due_at": again}
        with self._engine.begin() as connection:
            mine = update(deliveries).where(deliveries.c.id == delivery.id)
            connection.execute(mine.values(**values))

    def dead(self, project: str) -> list[Delivery]:
        """The deliveries that were given up."""
        mine = select(webhooks.c.id).where(webhooks.c.project == project)
        query = select(deliveries).where(
            deliveries.c.due_at.is_(None), deliveries.c.webhook_id.in_(mine)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(deliveries.c.id).limit(1000))
            return [Delivery(**row._mapping) for row in rows]

    def send_again(self, project: str) -> int:
        """Queue those that were given up once more; returns how many."""
        ids = [delivery.id for delivery in self.dead(project)]
        again = update(deliveries).where(deliveries.c.id.in_(ids), deliveries.c.due_at.is_(None))
        with self._engine.begin() as connection:
            return connection.execute(again.values(due_at=db_time(), tries=0)).rowcount


def _queue(connection: Connection, webhook: Webhook, bodies: list[tuple[int, str]]) -> None:
    rows = [
        {"webhook_id": webhook.id, "event_id": event_id, "body": body} for event_id, body in bodies
    ]
    if rows:
        connection.execute(insert(deliveries).values(due_at=db_time()), rows)


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(**{**row._mapping, "kinds": tuple(json.loads(row.kinds))})
