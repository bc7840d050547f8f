"""Roles of persons in projects, as rows."""

from sqlalchemy import Connection, delete, insert, select

from storage.access_tables import grants
from storage.author import author
from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.events import record
from storage.everywhere import EVERYWHERE


def put_grant(connection: Connection, person: str, project: str, role: str | None) -> None:
    """Give a person a role in a project in the place of the one before, or with None no role."""
    mine = (grants.c.person == person) & (grants.c.project == project)
    before = connection.execute(select(grants.c.role).where(mine).with_for_update()).scalar()
    if before == role:
        return
    record(
        connection,
        EventKind.ROLE_CHANGED,
        project=None if project == EVERYWHERE else project,
        data={"person": person, "in": project},
        before=before,
        after=role,
    )
    connection.execute(delete(grants).where(mine))
    if role is None:
        return
    by = author.get()
    values = {"person": person, "project": project, "role": role, "given_at": db_time()}
    connection.execute(insert(grants).values(**values, given_by=None if by is None else by.name))
