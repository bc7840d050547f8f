"""Registered models and adapters in the job database: which versions each name has, and which
files of the outputs they need.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from storage.author import author
from storage.clock import db_time
from storage.errors import Conflict, NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.registry_tables import registered
from storage.rows import Json, dump
from storage.tables import campaigns


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version of a model or an adapter. `added_at` is in seconds since 1970 by the database's
    clock.
    """

    kind: str
    name: str
    digest: str
    manifest: str
    """The sha256 of the list of its files, which is a file of the outputs itself."""
    files: tuple[str, ...] = field(repr=False)
    """The sha256 of each of its files and of that list."""
    bytes: int
    about: Json
    added_at: float
    added_by: str | None

    @property
    def label(self) -> str:
        """Names this version, whatever is added later."""
        return f"{self.name}@{self.digest[:12]}"


class Registry:
    """The registered models and adapters of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def add(
        self, kind: str, name: str, digest: str, *,
        manifest: str, files: Collection[str], size: int, about: Json,
    ) -> tuple[Registered, str]:  # fmt: skip
        """Store a version; from now on the name alone stands for it. Says what that did: `added`,
        or `known` if the name had this version.
        """
        by = author.get()
        key = {"kind": kind, "name": name, "digest": digest}
        values = {
            "manifest": manifest, "files": json.dumps(sorted(files)), "bytes": size,
            "about": dump(about), "added_at": db_time(),
            "added_by": None if by is None else by.name,
        }  # fmt: skip
        with self._engine.begin() as connection:
            known = connection.execute(update(registered).where(_is(key)).values(values))
            did = "known" if known.rowcount else "added"
            if not known.rowcount:
                connection.execute(insert(registered).values(**key, **values))
            row = connection.execute(select(registered).where(_is(key))).one()
            data = {"kind": kind, "name": name, "digest": digest, "did": did}
            record(connection, EventKind.REGISTRY_ADDED, data=data)
        return _row(row), did

    def all(self, kind: str) -> list[Registered]:
        """Every version, by name, the newest of each name first."""
        c = registered.c
        query = select(registered).where(c.kind == kind)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(c.name, c.added_at.desc(), c.digest))
            return [_row(row) for row in rows]

    def find(self, kind: str, name: str, digest: str | None = None) -> Registered | None:
        """A version of a name, by the beginning of its digest or the newest, if there is one.

        Raises Conflict if several versions begin with these digits.
        """
        found = [
            row
            for row in self.all(kind)
            if row.name == name and row.digest.startswith(digest or "")
        ]
        if digest is not None and len(found) > 1:
            raise Conflict(f"Several versions of {name} begin with {digest}: give more digits.")
        return found[0] if found else None

    def get(self, kind: str, name: str, digest: str | None = None) -> Registered:
        """Like `find`. Raises NotFound if there is no such version, with those that there are."""
        found = self.find(kind, name, digest)
        if found is not None:
            return found
        labels = [row.label for row in self.all(kind) if row.name == name]
        if labels:
            raise NotFound(f"The {kind} {name} has no version {digest}: it has {listed(labels)}.")
        names = sorted({row.name for row in self.all(kind)})
        there = f"there are {listed(names)}" if names else f"`farm {kind}s add` adds one"
        raise NotFound(f"There is no registered {kind} {name}: {there}.")

    def remove(self, row: Registered) -> None:
        """Forget a version. Raises Conflict if a campaign that is not over needs it."""
        key = {"kind": row.kind, "name": row.name, "digest": row.digest}
        with self._engine.begin() as connection:
            if user := _user_of(connection, row.manifest):
                raise Conflict(
                    f"The {row.kind} {row.label} cannot be removed: the campaign {user} still"
                    " needs it. Wait for its end, or cancel it."
                )
            if connection.execute(delete(registered).where(_is(key))).rowcount:
                record(connection, EventKind.REGISTRY_REMOVED, data=key)

    def needs(self, file: str) -> bool:
        """Whether any version needs the file with this sha256."""
        query = select(registered.c.name).where(registered.c.files.contains(file)).limit(1)
        with self._reader.connect() as connection:
            return connection.execute(query).first() is not None


def listed(names: Collection[str]) -> str:
    """Names as words, of very many the first."""
    shown = list(names)[:10]
    return ", ".join(shown) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")


def _user_of(connection: Connection, manifest: str) -> str | None:
    """A campaign that is not over and needs the version with this manifest."""
    c = campaigns.c
    query = select(c.project, c.name).where(
        c.finished_at.is_(None), c.pruned_at.is_(None), c.spec.contains(manifest)
    )
    found = connection.execute(query.limit(1)).first()
    return None if found is None else f"{found.project}/{found.name}"


def _is(key: Json) -> Any:
    c = registered.c
    return (c.kind == key["kind"]) & (c.name == key["name"]) & (c.digest == key["digest"])


def _row(row: Row[Any]) -> Registered:
    return Registered(
        **{
            **row._mapping,
            "files": tuple(json.loads(row.files)),
            "about": json.loads(row.about),
        }
    )
