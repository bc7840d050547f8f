"""Notifications: the addresses of people who hear of a project's events."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from storage.clock import db_time
from storage.errors import AlreadyThere, NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.notification_tables import messages, notifications
from storage.outbox import NEWEST, Outbox


@dataclass(frozen=True, kw_only=True)
class Notification:
    """An address of a service, like a mailbox, and the kinds of events that are told there. The
    address has secrets in it.
    """

    id: int
    project: str
    name: str
    service: str
    address: str = field(repr=False)
    kinds: tuple[str, ...]
    seen: int
    created_at: float


class Notifications:
    """The notifications of one job database, and in `outbox` the messages still to be sent."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)
        self.outbox = Outbox(engine, messages.c.notification_id, EventKind.NOTIFICATION_DEAD)

    def add(
        self, project: str, *, name: str, service: str, address: str, kinds: Collection[str]
    ) -> Notification:
        """Have a project's events told to an address from now on. Raises AlreadyThere if the
        project has one of that name.
        """
        values = {
            "project": project, "name": name, "service": service, "address": address,
            "kinds": json.dumps(list(kinds)),
        }  # fmt: skip
        new = insert(notifications).values(**values, seen=NEWEST, created_at=db_time())
        try:
            with self._engine.begin() as connection:
                row = connection.execute(new.returning(*notifications.c)).one()
                data = {"notification": row.id, "name": name, "service": service}
                told = {**data, "kinds": list(kinds)}
                record(connection, EventKind.NOTIFICATION_ADDED, project=project, data=told)
        except IntegrityError as exc:
            raise AlreadyThere(
                f"The project {project} has a notification named {name} already: give this one"
                " another name, with --name."
            ) from exc
        return _notification(row)

    def all(self, project: str | None = None) -> list[Notification]:
        query = select(notifications).order_by(notifications.c.id)
        if project is not None:
            query = query.where(notifications.c.project == project)
        with self._reader.connect() as connection:
            return [_notification(row) for row in connection.execute(query)]

    def get(self, project: str, number: int) -> Notification:
        """Raises NotFound if the project has no such notification."""
        for notification in self.all(project):
            if notification.id == number:
                return notification
        raise NotFound(f"The project {project} has no notification {number}.")

    def remove(self, project: str, number: int) -> None:
        """Tell that address nothing more, not even what waits. Raises NotFound if the project has
        no such notification.
        """
        self.get(project, number)
        gone = delete(notifications).where(notifications.c.id == number)
        with self._engine.begin() as connection:
            row = connection.execute(gone.returning(notifications.c.name)).first()
            if row is not None:
                data = {"notification": number, "name": row.name}
                record(connection, EventKind.NOTIFICATION_REMOVED, project=project, data=data)


def _notification(row: Row[Any]) -> Notification:
    return Notification(**{**row._mapping, "kinds": tuple(json.loads(row.kinds))})
