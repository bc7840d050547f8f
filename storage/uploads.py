"""The files that people have uploaded, in the job database. Their bytes are in the outputs.

A row is written before the bytes are, and leaves after them: so no bytes are without a row, and
what a kill has left is found and removed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from storage.access_tables import files
from storage.author import author
from storage.clock import db_time
from storage.errors import Conflict, NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.keys import upload_key
from storage.projects import Admit, admitted
from storage.tables import campaigns

MOST = 10_000
"""Files of a project: a list of them is one answer."""
ARRIVES_S = 86_400.0
"""No upload takes a day: its process has died."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PRESENT = files.c.left_at.is_(None)
_STORED = _PRESENT & files.c.stored_at.is_not(None)


@dataclass(frozen=True, kw_only=True)
class UploadRow:
    """An uploaded file. Times are seconds since 1970 by the database's clock."""

    id: int
    project: str
    digest: str
    kind: str
    bytes: int
    name: str | None
    added_at: float
    added_by: str | None
    is_stored: bool

    @property
    def key(self) -> str:
        """Of its bytes, in the outputs."""
        return upload_key(self.project, self.digest, self.id)


class Uploads:
    """The uploaded files of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def begin(
        self,
        project: str,
        digest: str,
        *,
        kind: str,
        size: int,
        name: str | None,
        admit: Admit | None = None,
    ) -> UploadRow:
        """The row of a file, new or known, whose bytes are to be written to its key unless it
        `is_stored`. Raises what `admit` raises if the project has no room for a new one.
        """
        by = author.get()
        values = {
            "project": project, "digest": digest, "kind": kind, "bytes": size, "name": name,
            "added_by": None if by is None else by.name,
        }  # fmt: skip
        try:
            with self._engine.begin() as connection:
                if (known := _present(connection, project, digest)) is not None:
                    return _row(known)
                admitted(connection, project, admit)
                _check_count(connection, project)
                new = insert(files).values(**values, added_at=db_time()).returning(files)
                return _row(connection.execute(new).one())
        except IntegrityError as exc:  # somebody else has begun at the same moment
            raise Conflict(
                "The same file is being uploaded: send it again in a second.", code="in-progress"
            ) from exc

    def stored(self, upload: UploadRow) -> bool:
        """Note that the bytes are there. False if the file was removed meanwhile."""
        arrived = update(files).where(files.c.id == upload.id, _PRESENT)
        with self._engine.begin() as connection:
            is_new = files.c.stored_at.is_(None)
            if connection.execute(arrived.where(is_new).values(stored_at=db_time())).rowcount:
                _tell(connection, EventKind.FILE_ADDED, upload)
                return True
            query = select(files.c.id).where(files.c.id == upload.id, _STORED)
            return connection.execute(query).first() is not None

    def all(self, project: str) -> list[UploadRow]:
        """The files of a project, the newest first."""
        query = select(files).where(files.c.project == project, _STORED)
        with self._reader.connect() as connection:
            return [_row(row) for row in connection.execute(query.order_by(files.c.id.desc()))]

    def get(self, project: str, digest: str) -> UploadRow:
        """Raises NotFound."""
        with self._reader.connect() as connection:
            found = _present(connection, project, digest, _STORED)
        if found is None:
            raise NotFound(
                f"The project {project} has no file {digest}: `farm files add FILE` uploads one."
            )
        return _row(found)

    def leave(self, upload: UploadRow) -> bool:
        """Let nobody find a file any more; its bytes may be deleted then. False if somebody else
        has done it.
        """
        gone = update(files).where(files.c.id == upload.id, _PRESENT)
        with self._engine.begin() as connection:
            if not connection.execute(gone.values(left_at=db_time())).rowcount:
                return False
            if upload.is_stored:
                _tell(connection, EventKind.FILE_REMOVED, upload)
            return True

    def forget(self, upload: UploadRow) -> None:
        """Remove the row of a file whose bytes are deleted."""
        with self._engine.begin() as connection:
            connection.execute(delete(files).where(files.c.id == upload.id))

    def leftovers(self, project: str | None) -> list[UploadRow]:
        """Files whose removal or whose upload was broken off."""
        died = files.c.stored_at.is_(None) & (files.c.added_at < db_time() - ARRIVES_S)
        return self._some(project, or_(files.c.left_at.is_not(None), died))

    def unnamed(self, project: str | None, before: float) -> list[UploadRow]:
        """The files that were uploaded before then and that no campaign of their project names."""
        old = self._some(project, _STORED & (files.c.added_at < before))
        named = {name: self._named(name) for name in {upload.project for upload in old}}
        return [upload for upload in old if upload.digest not in named[upload.project]]

    def namers(self, project: str, digest: str) -> list[str]:
        """The names of the campaigns that are not over and name a file."""
        query = select(campaigns.c.name, campaigns.c.spec).where(
            campaigns.c.project == project, campaigns.c.finished_at.is_(None),
            campaigns.c.pruned_at.is_(None), campaigns.c.proof_of.is_(None),
            campaigns.c.spec.contains(digest),
        )  # fmt: skip
        with self._reader.connect() as connection:
            return sorted(row.name for row in connection.execute(query))

    def _some(self, project: str | None, of: ColumnElement[bool]) -> list[UploadRow]:
        query = select(files).where(of).order_by(files.c.id)
        if project is not None:
            query = query.where(files.c.project == project)
        with self._reader.connect() as connection:
            return [_row(row) for row in connection.execute(query)]

    def _named(self, project: str) -> set[str]:
        """The digests in the specs of a project's campaigns, also of those that are kept to be
        read.
        """
        can_be_read = campaigns.c.pruned_at.is_(None) | campaigns.c.version_of.is_not(None)
        query = select(campaigns.c.spec).where(campaigns.c.project == project, can_be_read)
        with self._reader.connect() as connection:
            return set(_digests(connection.execute(query).scalars()))


def _digests(specs: Iterator[str]) -> Iterator[str]:
    for spec in specs:
        yield from _DIGEST.findall(spec)


def _present(
    connection: Connection, project: str, digest: str, of: ColumnElement[bool] = _PRESENT
) -> Row[Any] | None:
    mine = (files.c.project == project) & (files.c.digest == digest)
    return connection.execute(select(files).where(mine, of)).first()


def _check_count(connection: Connection, project: str) -> None:
    """Raise Conflict if a project has as many files as it may have."""
    query = select(func.count()).where(files.c.project == project)
    if connection.execute(query).scalar_one() >= MOST:
        raise Conflict(
            f"The project {project} has {MOST:,} files already: remove some with `farm files"
            " remove`.",
            code="over-quota",
        )


def _tell(connection: Connection, kind: EventKind, upload: UploadRow) -> None:
    shown = ("digest", "kind", "bytes", "name")
    data = {name: getattr(upload, name) for name in shown}
    record(connection, kind, project=upload.project, data=data)


def _row(row: Row[Any]) -> UploadRow:
    shown = ("id", "project", "digest", "kind", "bytes", "name", "added_at", "added_by")
    values = {name: row._mapping[name] for name in shown}
    return UploadRow(**values, is_stored=row.stored_at is not None and row.left_at is None)
