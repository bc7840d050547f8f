"""The versions of brand packs in the job database. A version stays as it is once a campaign has
used it.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage.clock import db_time
from storage.errors import Conflict, NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.rows import Json, dump
from storage.tables import brands

_TRIES = 3  # two that add a first version at once: the second finds the first's


@dataclass(frozen=True, kw_only=True)
class BrandRow:
    """A version of a pack. Times are seconds since 1970 by the database's clock."""

    project: str
    name: str
    version: int
    digest: str
    document: Json = field(repr=False)
    added_at: float
    frozen_at: float | None
    """Since when a campaign uses it."""


class Brands:
    """The brand packs of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def add(self, project: str, name: str, digest: str, document: Json) -> tuple[BrandRow, str]:
        """Store a pack. Says what that did: `known` if a version with the same contents is there,
        `changed` if it took the place of the newest version, which no campaign has used, or
        `added` as a new version.
        """
        for _ in range(_TRIES):
            try:
                with self._engine.begin() as connection:
                    return _added(connection, project, name, digest, document)
            except IntegrityError:
                continue
        raise Conflict(f"The brand {name} changes too fast: add it again.")

    def get(self, project: str, name: str, version: int | None = None) -> BrandRow:
        """A version of a pack, the newest if none is named. Raises NotFound, with those that there
        are.
        """
        found = [row for row in self.all(project) if row.name == name]
        if not found:
            known = sorted({row.name for row in self.all(project)})
            there = f"it has {', '.join(known)}" if known else "`farm brands add FILE` adds one"
            raise NotFound(f"The project {project} has no brand {name}: {there}.")
        if version is None:
            return found[-1]
        for row in found:
            if row.version == version:
                return row
        versions = ", ".join(str(row.version) for row in found)
        raise NotFound(f"The brand {name} has no version {version}: there are {versions}.")

    def all(self, project: str) -> list[BrandRow]:
        """All versions of a project's packs, by name and version."""
        query = (
            select(brands)
            .where(brands.c.project == project)
            .order_by(brands.c.name, brands.c.version)
        )
        with self._reader.connect() as connection:
            return [_brand(row) for row in connection.execute(query)]

    def everywhere(self, projects: Collection[str] | None) -> list[BrandRow]:
        """All versions of the packs of some projects, or with None of all, by project, name and
        version.
        """
        c = brands.c
        query = select(brands).order_by(c.project, c.name, c.version)
        if projects is not None:
            query = query.where(c.project.in_(projects))
        with self._reader.connect() as connection:
            return [_brand(row) for row in connection.execute(query)]

    def freeze(self, project: str, name: str, version: int, digest: str) -> None:
        """Let a version stay as it is for ever. Raises RequestError if it has other contents by
        now.
        """
        c = brands.c
        mine = (c.project == project) & (c.name == name) & (c.version == version)
        with self._engine.begin() as connection:
            found = connection.execute(select(brands).where(mine).with_for_update()).first()
            if found is None or found.digest != digest:
                raise Conflict(
                    f"The brand {name}@{version} was changed while the campaign was submitted:"
                    " submit it again."
                )
            if found.frozen_at is None:
                connection.execute(update(brands).where(mine).values(frozen_at=db_time()))


def _added(
    connection: Connection, project: str, name: str, digest: str, document: Json
) -> tuple[BrandRow, str]:
    c = brands.c
    mine = (c.project == project) & (c.name == name)
    query = select(brands).where(mine).order_by(c.version).with_for_update()
    rows = list(connection.execute(query))
    for row in rows:
        if row.digest == digest:
            return _brand(row), "known"
    values: dict[str, Any] = {"digest": digest, "document": dump(document), "added_at": db_time()}
    if rows and rows[-1].frozen_at is None:
        version, did = rows[-1].version, "changed"
        connection.execute(update(brands).where(mine, c.version == version).values(values))
    else:
        version, did = (rows[-1].version if rows else 0) + 1, "added"
        key = {"project": project, "name": name, "version": version}
        connection.execute(insert(brands).values(**key, **values))
    row = connection.execute(select(brands).where(mine, c.version == version)).one()
    kind = EventKind.BRAND_ADDED if did == "added" else EventKind.BRAND_CHANGED
    data = {"brand": name, "version": version, "digest": digest}
    record(connection, kind, project=project, data=data)
    return _brand(row), did


def _brand(row: Row[Any]) -> BrandRow:
    return BrandRow(**{**row._mapping, "document": json.loads(row.document)})
