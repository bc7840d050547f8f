"""Projects in the job database: those that an operator has made known, with their quotas and the
people who have a role in them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row, case, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from storage.access_tables import files, grants, projects
from storage.author import author
from storage.clock import db_time, now
from storage.errors import AlreadyThere, NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.everywhere import EVERYWHERE
from storage.granting import put_grant
from storage.months import MonthUse, month_start, used_s
from storage.states import ChunkState
from storage.tables import campaigns, chunks, renders

Within = Callable[[Connection], None]
"""Raises, in the transaction that it is given, if that must write nothing."""
Growing = Callable[[Connection, int], None]
"""Locks a project, and raises if its quota has no room for so many more renders. With 0 it locks
only: a project is locked before its campaigns.
"""


def always(_: Connection) -> None:
    """Lets every transaction write."""


def freely(_: Connection, _more: int) -> None:
    """Lets every transaction add as many renders as it will."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The most that a project may have; None is no limit."""

    workers: int | None = None
    """At a time."""
    queued: int | None = None
    """Renders that wait."""
    stored_bytes: int | None = None
    device_hours: float | None = None
    """In a calendar month (UTC)."""

    @property
    def limits_more(self) -> bool:
        """Whether there may be renders or bytes that it has no room for."""
        return self.queued is not None or self.stored_bytes is not None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a project has at a moment: renders that have not ended, and bytes of pictures and of
    uploaded files.
    """

    queued: int
    stored_bytes: int


Admit = Callable[[Quota, Usage], None]
"""Raises Conflict if a project's quota has no room beside what it has."""


@dataclass(frozen=True, kw_only=True)
class UsageNow(Usage):
    """The same with its campaigns, the workers that have a chunk of it, and the hours for which
    workers had one in this calendar month (UTC).
    """

    campaigns: int
    workers: int
    device_hours: float


@dataclass(frozen=True, kw_only=True)
class ProjectRow:
    """A project, and the roles of people in it."""

    name: str
    created_at: float
    created_by: str | None
    quota: Quota
    roles: Mapping[str, str]


class Projects:
    """The projects of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def create(self, name: str, quota: Quota, roles: Mapping[str, str | None]) -> ProjectRow:
        """Raises AlreadyThere."""
        by = author.get()
        values = {"name": name, "created_at": db_time(), **vars(quota)}
        try:
            with self._engine.begin() as connection:
                who = None if by is None else by.name
                connection.execute(insert(projects).values(**values, created_by=who))
                record(connection, EventKind.PROJECT_CREATED, project=name, after=vars(quota))
                return _changed(connection, name, {}, roles)
        except IntegrityError as exc:
            raise AlreadyThere(
                f"There is a project {name} already: `farm projects set {name}` changes it."
            ) from exc

    def all(self) -> list[ProjectRow]:
        """In the order of their names."""
        with self._reader.connect() as connection:
            names = connection.execute(select(projects.c.name).order_by(projects.c.name))
            return [_one(connection, name) for name in names.scalars().all()]

    def get(self, name: str) -> ProjectRow:
        """Raises NotFound."""
        with self._reader.connect() as connection:
            return _one(connection, name)

    def change(
        self, name: str, quota: Mapping[str, float | None], roles: Mapping[str, str | None]
    ) -> ProjectRow:
        """Change some limits, by the names of `Quota`, and the roles of some people; None takes a
        limit or a role away. Raises NotFound.
        """
        with self._engine.begin() as connection:
            return _changed(connection, name, quota, roles)

    def give(self, roles: Mapping[str, str | None], *, project: str) -> dict[str, str]:
        """Change the roles that people have in a project, which needs no row, or with EVERYWHERE
        in all of them; returns those that they have then.
        """
        with self._engine.begin() as connection:
            for person, role in sorted(roles.items()):
                put_grant(connection, person, project, role)
            return _roles(connection, project)

    def worker_limits(self) -> dict[str, int]:
        """The most workers at a time of the projects that have such a limit."""
        query = select(projects.c.name, projects.c.workers).where(projects.c.workers.is_not(None))
        with self._reader.connect() as connection:
            return {row.name: row.workers for row in connection.execute(query)}

    def months(self) -> dict[str, MonthUse]:
        """The device time of this month, of the projects that have a limit of it."""
        query = select(projects.c.name, projects.c.device_hours).where(
            projects.c.device_hours.is_not(None)
        )
        with self._reader.connect() as connection:
            limits = {row.name: row.device_hours * 3600 for row in connection.execute(query)}
            since = month_start(now(connection))
            used = used_s(connection, limits) if limits else {}
        return {
            name: MonthUse(used_s=used.get(name, 0.0), limit_s=limit, since=since)
            for name, limit in limits.items()
        }

    def usage(self, name: str) -> Usage:
        """What a project has of that which its quota limits, as far as campaigns are known."""
        with self._reader.connect() as connection:
            return _usage(connection, name)

    def within(self, name: str, check: Callable[[Quota, Usage], None]) -> Within:
        """Has a quota checked in another's transaction: no other of the project can come between
        the check and the end of it. A project without quotas of its own passes.
        """

        def checked(connection: Connection) -> None:
            try:
                quota = _one(connection, name, locks=True).quota
            except NotFound:
                return
            if quota.limits_more:
                check(quota, _usage(connection, name))

        return checked

    def growing(self, name: str, check: Callable[[int, Quota, Usage], None]) -> Growing:
        """The same for renders that only that transaction will have counted."""

        def grown(connection: Connection, more: int) -> None:
            if more:
                self.within(name, partial(check, more))(connection)
                return
            with suppress(NotFound):
                _one(connection, name, locks=True)

        return grown

    def usages(self, names: Collection[str] | None) -> dict[str, UsageNow]:
        """What these projects have now, or with None all; those without campaigns are left out."""
        c = campaigns.c
        chosen = c.pruned_at.is_(None) if names is None else c.project.in_(names)
        ended = c.done + c.failed + c.held + c.cancelled + c.rejected
        is_open = c.finished_at.is_(None) & c.proof_of.is_(None)
        counts = (
            select(c.project, func.count().label("campaigns"),
                   func.sum(case((is_open, c.total - ended), else_=0)).label("queued"))
            .where(chosen, c.pruned_at.is_(None), c.proof_of.is_(None))
            .group_by(c.project)
        )  # fmt: skip
        stored = (
            select(c.project, func.sum(renders.c.bytes).label("bytes"))
            .join(renders, renders.c.campaign_id == c.id)
            .where(chosen, c.pruned_at.is_(None))
            .group_by(c.project)
        )
        uploaded = (
            select(files.c.project, func.sum(files.c.bytes).label("bytes"))
            .where(files.c.project.in_(names) if names is not None else true())
            .group_by(files.c.project)
        )
        leased = (
            select(c.project, func.count(chunks.c.worker.distinct()).label("workers"))
            .join(chunks, chunks.c.campaign_id == c.id)
            .where(chosen, chunks.c.state == ChunkState.LEASED)
            .group_by(c.project)
        )
        with self._reader.connect() as connection:
            sizes: Counter[str] = Counter()
            for row in (*connection.execute(stored), *connection.execute(uploaded)):
                sizes[row.project] += int(row.bytes or 0)
            workers = {row.project: row.workers for row in connection.execute(leased)}
            seconds = used_s(connection, names)
            return {
                row.project: UsageNow(
                    campaigns=row.campaigns,
                    queued=int(row.queued or 0),
                    stored_bytes=sizes[row.project],
                    workers=int(workers.get(row.project, 0)),
                    device_hours=round(seconds.get(row.project, 0.0) / 3600, 6),
                )
                for row in connection.execute(counts.order_by(c.project))
            }

    def roles(self, project: str) -> dict[str, str]:
        """The roles that people have in a project, whether it was made known or not."""
        with self._reader.connect() as connection:
            return _roles(connection, project)

    def everywhere(self) -> dict[str, str]:
        """The roles that people have in all projects."""
        with self._reader.connect() as connection:
            return _roles(connection, EVERYWHERE)


def admitted(connection: Connection, project: str, admit: Admit | None) -> None:
    """Let `admit` hold what a project has against its quota, and raise if that has no room. Until
    the transaction ends nobody else is admitted, so that two at once do not both pass.
    """
    if admit is None:
        return
    query = select(projects).where(projects.c.name == project).with_for_update()
    if (row := connection.execute(query).first()) is not None:
        admit(_quota(row), _usage(connection, project))


def _usage(connection: Connection, name: str) -> Usage:
    c = campaigns.c
    mine = (c.project == name) & c.pruned_at.is_(None)
    ended = c.done + c.failed + c.held + c.cancelled + c.rejected
    waiting = select(func.coalesce(func.sum(c.total - ended), 0)).where(
        mine, c.finished_at.is_(None), c.proof_of.is_(None)
    )
    pictures = (
        select(func.coalesce(func.sum(renders.c.bytes), 0))
        .join(campaigns, c.id == renders.c.campaign_id)
        .where(mine)
    )
    uploads = select(func.coalesce(func.sum(files.c.bytes), 0)).where(files.c.project == name)
    stored = (connection.execute(query).scalar_one() for query in (pictures, uploads))
    return Usage(
        queued=int(connection.execute(waiting).scalar_one()), stored_bytes=sum(map(int, stored))
    )


def _changed(
    connection: Connection,
    name: str,
    quota: Mapping[str, float | None],
    roles: Mapping[str, str | None],
) -> ProjectRow:
    before = vars(_one(connection, name, locks=True).quota)
    if after := {limit: value for limit, value in quota.items() if value != before[limit]}:
        connection.execute(update(projects).where(projects.c.name == name).values(**after))
        was = {limit: before[limit] for limit in after}
        record(connection, EventKind.PROJECT_CHANGED, project=name, before=was, after=after)
    for person, role in sorted(roles.items()):
        put_grant(connection, person, name, role)
    return _one(connection, name)


def _one(connection: Connection, name: str, *, locks: bool = False) -> ProjectRow:
    query = select(projects).where(projects.c.name == name)
    row = connection.execute(query.with_for_update() if locks else query).first()
    if row is None:
        raise NotFound(
            f"There is no project {name}: `farm projects list` shows those there are, and"
            f" `farm projects create {name}` makes it."
        )
    return ProjectRow(
        name=row.name,
        created_at=row.created_at,
        created_by=row.created_by,
        quota=_quota(row),
        roles=_roles(connection, name),
    )


def _quota(row: Row[Any]) -> Quota:
    return Quota(
        workers=row.workers,
        queued=row.queued,
        stored_bytes=row.stored_bytes,
        device_hours=row.device_hours,
    )


def _roles(connection: Connection, project: str) -> dict[str, str]:
    query = select(grants.c.person, grants.c.role).where(grants.c.project == project)
    return {row.person: row.role for row in connection.execute(query.order_by(grants.c.person))}
