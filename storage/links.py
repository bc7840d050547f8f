"""Links that show one campaign to people outside, in the job database. Of a link's secret only a
digest is kept.
"""

from dataclasses import dataclass, field

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    insert,
    or_,
    select,
    update,
)

from storage.access_tables import links
from storage.author import author
from storage.clock import db_time
from storage.errors import NotFound
from storage.event_kinds import EventKind
from storage.events import record

MOST_TRIES = 10
"""Wrong passphrases in a row, until somebody has to wait."""
WAIT_S = 3600.0
"""For how long nobody may try after that."""


@dataclass(frozen=True, kw_only=True)
class LinkRow:
    """A link without its secret. Times are seconds since 1970 by the database's clock, and `now`
    is one of them: when the row was read.
    """

    id: str
    digest: str = field(repr=False)
    passphrase: str | None = field(repr=False)
    project: str
    campaign: str
    name: str
    may_review: bool
    created_at: float
    created_by: str | None
    expires_at: float
    revoked_at: float | None
    opened_at: float | None
    tries: int
    tried_at: float | None
    now: float

    @property
    def is_valid(self) -> bool:
        return self.revoked_at is None and self.now < self.expires_at


class Links:
    """The links of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def find(self, link_id: str) -> LinkRow | None:
        """A link as it is now, whether it is valid or not."""
        with self._reader.connect() as connection:
            row = connection.execute(_links().where(links.c.id == link_id)).first()
        return None if row is None else LinkRow(**row._mapping)

    def of(self, project: str, campaign: str | None = None) -> list[LinkRow]:
        """The links of a project, or of one of its campaigns, the oldest first."""
        query = _links().where(links.c.project == project)
        if campaign is not None:
            query = query.where(links.c.campaign == campaign)
        with self._reader.connect() as connection:
            found = connection.execute(query.order_by(links.c.created_at, links.c.id))
            return [LinkRow(**row._mapping) for row in found]

    def create(
        self,
        *,
        link_id: str,
        digest: str,
        passphrase: str | None,
        project: str,
        campaign: str,
        name: str,
        may_review: bool,
        expires_at: float,
    ) -> LinkRow:
        """Store a link; `passphrase` is a hash, never the words."""
        by = author.get()
        values = {
            "id": link_id, "digest": digest, "passphrase": passphrase, "project": project,
            "campaign": campaign, "name": name, "may_review": may_review,
            "created_at": db_time(), "created_by": None if by is None else by.name,
            "expires_at": expires_at,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(insert(links).values(values))
            row = _one(connection, links.c.id == link_id)
            _tell(connection, EventKind.LINK_CREATED, row)
            return row

    def revoke(self, project: str, link_id: str) -> LinkRow:
        """A link that was revoked before stays as it is. Raises NotFound."""
        mine = (links.c.project == project) & (links.c.id == link_id)
        with self._engine.begin() as connection:
            _end(connection, mine)
            return _one(connection, mine)

    def take_try(self, link_id: str) -> bool:
        """Count a try of a link's passphrase before it is compared, so that tries at one moment
        all count. False if there were too many of late.
        """
        is_old = or_(links.c.tried_at.is_(None), links.c.tried_at < db_time() - WAIT_S)
        may = and_(links.c.id == link_id, or_(is_old, links.c.tries < MOST_TRIES))
        tries = case((is_old, 1), else_=links.c.tries + 1)
        counted = update(links).where(may).values(tries=tries, tried_at=db_time())
        with self._engine.begin() as connection:
            return connection.execute(counted).rowcount > 0

    def note_opened(self, link_id: str) -> None:
        """Write down that somebody has opened a link just now, and forget wrong tries."""
        mine = links.c.id == link_id
        opened = update(links).where(mine).values(opened_at=db_time(), tries=0)
        with self._engine.begin() as connection:
            connection.execute(opened)
            _tell(connection, EventKind.LINK_OPENED, _one(connection, mine))


def end_links(connection: Connection, project: str, campaign: str) -> None:
    """End the links of a campaign that goes: they must not open another one of its name."""
    _end(connection, (links.c.project == project) & (links.c.campaign == campaign))


def _end(connection: Connection, some: ColumnElement[bool]) -> None:
    ended = update(links).where(some, links.c.revoked_at.is_(None)).values(revoked_at=db_time())
    ids = connection.execute(ended.returning(links.c.id)).scalars().all()
    for link_id in ids:
        _tell(connection, EventKind.LINK_REVOKED, _one(connection, links.c.id == link_id))


def _links() -> Select[tuple[object, ...]]:
    return select(*links.c, db_time().label("now"))


def _one(connection: Connection, some: ColumnElement[bool]) -> LinkRow:
    row = connection.execute(_links().where(some)).first()
    if row is None:
        raise NotFound("The project has no such link: `farm links list` shows those there are.")
    return LinkRow(**row._mapping)


def _tell(connection: Connection, kind: EventKind, row: LinkRow) -> None:
    data = {"link": row.id, "name": row.name, "may_review": row.may_review}
    record(connection, kind, project=row.project, campaign=row.campaign, data=data)
