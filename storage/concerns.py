"""What people were told to look at of each campaign and project, so that they are told once."""

from dataclasses import dataclass, field

from sqlalchemy import Engine, delete, insert, select, update

from storage.access_tables import projects
from storage.event_kinds import EventKind
from storage.events import record
from storage.notification_tables import concerns
from storage.rows import Json
from storage.tables import campaigns
from storage.telling import tell


@dataclass(frozen=True, kw_only=True)
class Concern:
    """Something of a campaign or a project that a person has to look at. With another `about` it
    is another one: the kind of the event, and its details.
    """

    kind: EventKind
    about: str = ""
    data: Json = field(default_factory=dict)

    @property
    def cause(self) -> str:
        return f"{self.kind.value} {self.about}"


Told = dict[tuple[int, str], str]
"""By a campaign's id and the kind of its concern: what that was about."""


class Concerns:
    """The concerns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def told(self) -> Told:
        with self._reader.connect() as connection:
            rows = connection.execute(select(concerns)).all()
        return {(row.campaign_id, row.kind): row.about for row in rows}

    def tell(self, campaign_id: int, concern: Concern) -> bool:
        """Write the event of a concern; returns False if it was told before, or the campaign has
        ended or was removed.
        """
        c = campaigns.c
        open_one = (c.id == campaign_id) & c.finished_at.is_(None) & c.pruned_at.is_(None)
        columns = [column for column in c if column.name != "spec"]
        known = (concerns.c.campaign_id == campaign_id) & (concerns.c.kind == concern.kind.value)
        with self._engine.begin() as connection:
            row = connection.execute(select(*columns).where(open_one).with_for_update()).first()
            about = connection.execute(select(concerns.c.about).where(known)).scalar()
            if row is None or about == concern.about:
                return False
            connection.execute(delete(concerns).where(known))
            values = {"kind": concern.kind.value, "about": concern.about}
            connection.execute(insert(concerns).values(campaign_id=campaign_id, **values))
            tell(connection, row, concern.kind, concern.data)
        return True

    def tell_of_month(self, project: str, concern: Concern) -> bool:
        """Write the event of a concern about a project's month; returns False if that was told
        last, or the project is not known.
        """
        mine = projects.c.name == project
        with self._engine.begin() as connection:
            query = select(projects.c.month_told).where(mine).with_for_update()
            row = connection.execute(query).first()
            if row is None or row.month_told == concern.cause:
                return False
            connection.execute(update(projects).where(mine).values(month_told=concern.cause))
            record(connection, concern.kind, project=project, data=concern.data)
        return True

    def forget(self, campaign_id: int, kind: str) -> None:
        """There is nothing to look at any more: the same again is another cause."""
        mine = (concerns.c.campaign_id == campaign_id) & (concerns.c.kind == kind)
        with self._engine.begin() as connection:
            connection.execute(delete(concerns).where(mine))
