"""Webhooks: addresses that hear of a project's events."""

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
from storage.outbox import NEWEST, Outbox
from storage.webhook_tables import deliveries, webhooks


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


class Webhooks:
    """The webhooks of one job database, and in `outbox` what is still to be sent to them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)
        self.outbox = Outbox(engine, deliveries.c.webhook_id, EventKind.WEBHOOK_DEAD)

    def add(self, project: str, url: str, secret: str, kinds: Collection[str]) -> Webhook:
        """Have a project's events sent to an address from now on. Raises AlreadyThere if they
        are.
        """
        values = {
            "project": project, "url": url, "secret": secret, "kinds": json.dumps(list(kinds)),
        }  # fmt: skip
        new = insert(webhooks).values(**values, seen=NEWEST, created_at=db_time())
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


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(**{**row._mapping, "kinds": tuple(json.loads(row.kinds))})
