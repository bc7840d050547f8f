"""Campaigns that are forgotten: first nobody sees them any more, then their rows are removed step
by step.

A campaign that loses its pictures too is marked first. It keeps its name until the last picture is
deleted, so that a removal that was broken off can be seen, and is finished by the next one.
Deleting pictures is not done here.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Table,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from storage.campaigns import HAS_LEFT, IS_LEAVING, NAME_LEFT
from storage.clock import db_time, now
from storage.event_kinds import EventKind
from storage.events import record
from storage.keys import campaign_folder
from storage.links import end_links
from storage.states import ChunkState
from storage.tables import attempts, campaigns, chunks, renders, reviews
from storage.telling import tell

_AT_ONCE = 10_000
_ROWS = ((renders, "number"), (attempts, "id"), (chunks, "id"), (reviews, "id"))


class Removal:
    """Removes campaigns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def moment(self, seconds_ago: float) -> float:
        """A time by the database's clock."""
        with self._reader.connect() as connection:
            return now(connection) - seconds_ago

    def mark(self, campaign_id: int) -> bool:
        """Let a campaign be removed with its pictures. False, and nothing changed, if it is not
        over any more.
        """
        return self._change(campaign_id, campaigns.c.pruned_at.is_(None), pruned_at=db_time())

    def mark_previews(self, campaign_id: int) -> bool:
        """Let a campaign keep no previews any more. False, and nothing changed, if it is not over
        any more.
        """
        not_leaving = campaigns.c.pruned_at.is_(None)
        kind = EventKind.CAMPAIGN_PREVIEWS_PRUNED
        return self._change(campaign_id, not_leaving, kind, previews_pruned_at=db_time())

    def forget(self, campaign_id: int) -> bool:
        """Let nobody see a campaign any more, and give its name free. False if it is not over, or
        was forgotten before.
        """
        not_yet = or_(campaigns.c.pruned_at.is_(None), IS_LEAVING)
        return self._change(campaign_id, not_yet, name=NAME_LEFT, pruned_at=db_time())

    def old_versions(self, project: str | None, before: float) -> int:
        """How many versions were replaced before then, of those that can still be read."""
        query = select(func.count()).where(
            campaigns.c.version_of.is_not(None), _older(project, before)
        )
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def let_old_versions_go(self, project: str | None, before: float) -> int:
        """Let nobody read versions any more that were replaced before then; returns how many there
        were.
        """
        gone = update(campaigns).where(
            campaigns.c.version_of.is_not(None), _older(project, before)
        )
        with self._engine.begin() as connection:
            count = int(connection.execute(gone.values(version_of=None)).rowcount)
            if count:
                data = {"versions": count}
                record(connection, EventKind.VERSIONS_PRUNED, project=project, data=data)
        return count

    def sweep(self) -> None:
        """Remove the rows of what nobody sees any more. Goes step by step, so that nobody waits
        for it; what a kill has left, the next sweep removes. What workers still paint stays until
        they have stopped.
        """
        with self._engine.begin() as connection:
            _let_orphans_go(connection)
        busy = exists().where(
            chunks.c.campaign_id == campaigns.c.id, chunks.c.state == ChunkState.LEASED
        )
        unseen = HAS_LEFT & campaigns.c.version_of.is_(None)
        with self._reader.connect() as connection:
            ids = connection.execute(select(campaigns.c.id).where(unseen, ~busy)).scalars().all()
        for campaign_id in ids:
            for table, key in _ROWS:
                while self._remove_some(table, key, campaign_id):
                    pass
            with self._engine.begin() as connection:
                connection.execute(delete(campaigns).where(campaigns.c.id == campaign_id))

    def under_way(self) -> frozenset[int]:
        """The campaigns that workers paint something of, with versions that were replaced."""
        query = select(chunks.c.campaign_id).where(chunks.c.state == ChunkState.LEASED).distinct()
        with self._reader.connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def bytes_of(self, campaign_id: int) -> int:
        """How large a campaign's pictures are, without previews."""
        query = select(func.coalesce(func.sum(renders.c.bytes), 0)).where(
            renders.c.campaign_id == campaign_id
        )
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def namers(self, campaign_id: int, project: str, name: str) -> list[int]:
        """The other campaigns whose renders name files in the folder of this one. There is no
        index on keys: this reads the rows of all that the project has, once.
        """
        is_own = (campaigns.c.id == campaign_id) | (
            func.coalesce(campaigns.c.version_of, "") == name
        )
        can_be_read = campaigns.c.pruned_at.is_(None) | campaigns.c.version_of.is_not(None)
        folder = f"{campaign_folder(project, name)}/"
        names_some = exists().where(
            renders.c.campaign_id == campaigns.c.id,
            renders.c.key.startswith(folder, autoescape=True),
        )
        query = select(campaigns.c.id).where(
            campaigns.c.project == project, ~is_own, can_be_read, names_some
        )
        with self._reader.connect() as connection:
            return list(connection.execute(query).scalars())

    def named(self, campaign_ids: Collection[int], keys: Collection[str]) -> set[str]:
        """Those of these keys that renders of these campaigns name."""
        if not campaign_ids:
            return set()
        query = select(renders.c.key).where(
            renders.c.campaign_id.in_(campaign_ids), renders.c.key.in_(keys)
        )
        with self._reader.connect() as connection:
            return set(connection.execute(query).scalars())

    def _change(
        self,
        campaign_id: int,
        condition: ColumnElement[bool],
        kind: EventKind = EventKind.CAMPAIGN_PRUNED,
        **values: Any,
    ) -> bool:
        is_over = (campaigns.c.id == campaign_id) & campaigns.c.finished_at.is_not(None)
        query = select(campaigns).where(is_over, condition).with_for_update()
        both = (campaigns.c.id == campaign_id) | (campaigns.c.proof_of == campaign_id)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
            if row is not None:
                connection.execute(update(campaigns).where(both).values(**values))
                _tell_pruned(connection, row, kind)
                if kind is EventKind.CAMPAIGN_PRUNED:
                    end_links(connection, row.project, row.name)
            _let_orphans_go(connection)
        return row is not None

    def _remove_some(self, table: Table, key: str, campaign_id: int) -> bool:
        column = table.c[key]
        some = (
            select(column)
            .where(table.c.campaign_id == campaign_id)
            .order_by(column)
            .limit(_AT_ONCE)
        )
        with self._engine.begin() as connection:
            return (
                connection.execute(
                    delete(table).where(table.c.campaign_id == campaign_id, column.in_(some))
                ).rowcount
                > 0
            )


def _tell_pruned(connection: Connection, row: Row[Any], kind: EventKind) -> None:
    """Note that a campaign goes, once: when it is marked, or when it is forgotten unmarked."""
    mark = "previews_pruned_at" if kind is EventKind.CAMPAIGN_PREVIEWS_PRUNED else "pruned_at"
    if getattr(row, mark) is None:
        tell(connection, row, kind)


def _let_orphans_go(connection: Connection) -> None:
    """Versions go with their campaign: another one of its name must not take them for its own."""
    present = campaigns.alias("present")
    is_there = exists().where(
        present.c.project == campaigns.c.project, present.c.name == campaigns.c.version_of
    )
    orphans = update(campaigns).where(campaigns.c.version_of.is_not(None), ~is_there)
    connection.execute(orphans.values(version_of=None))


def _older(project: str | None, before: float) -> ColumnElement[bool]:
    older = campaigns.c.pruned_at < before
    return older if project is None else older & (campaigns.c.project == project)
