"""Files that people upload, for campaigns that name them as `file:SHA256`: pictures that renders
begin from, and CSV tables.
"""

import hashlib
import threading
from typing import Any

from actors.pictures.reference import MAX_BYTES, read_reference
from farm.campaign.addresses import uploaded_address
from farm.documents.csv_table import table_of
from farm.documents.text_file import text_of
from farm.service.access import Access, Deed
from farm.service.quotas import over_storage
from storage.errors import Conflict, NotAllowed, NotFound, RequestError
from storage.projects import Quota, Usage
from storage.store import Outputs
from storage.uploads import UploadRow, Uploads

Json = dict[str, Any]
PICTURE, TABLE = "picture", "table"
_LOOKERS = threading.BoundedSemaphore(2)
"""A picture of the largest size takes 300 MB while it is looked at."""


class UploadService:
    """The uploaded files of a farm's projects."""

    def __init__(self, uploads: Uploads, outputs: Outputs) -> None:
        self._uploads = uploads
        self._outputs = outputs

    def add(self, project: str, data: bytes, name: str | None) -> tuple[Json, bool]:
        """Keep a file, and say whether it is new. Raises RequestError for a file that campaigns
        cannot use, and Conflict if the project's quota has no room.
        """
        with _LOOKERS:
            kind = kind_of(data, name)
        digest = hashlib.sha256(data).hexdigest()

        def admit(quota: Quota, usage: Usage) -> None:
            if reason := over_storage(quota, usage, len(data)):
                raise Conflict(f"The project {project} has no room. {reason}", code="over-quota")

        upload = self._uploads.begin(
            project, digest, kind=kind, size=len(data), name=name, admit=admit
        )
        if upload.is_stored:
            return upload_json(upload), False
        self._outputs.put(upload.key, data)
        if not self._uploads.stored(upload):
            self._outputs.delete(upload.key)
            raise Conflict("The file was removed while it was uploaded: send it again.")
        return upload_json(upload), True

    def all(self, project: str) -> list[Json]:
        return [upload_json(upload) for upload in self._uploads.all(project)]

    def show(self, project: str, digest: str) -> Json:
        """Raises NotFound."""
        return upload_json(self._uploads.get(project, digest))

    def read(self, project: str, digest: str) -> bytes:
        """The bytes of a file. Raises NotFound."""
        upload = self._uploads.get(project, digest)
        try:
            return self._outputs.read(upload.key, MAX_BYTES)
        except NotFound as exc:
            raise NotFound("its bytes are not in the outputs any more: upload it again.") from exc

    def table(self, project: str, digest: str, encoding: str | None = None) -> str:
        """The text of a table. Raises ValueError, as a sentence."""
        try:
            if self._uploads.get(project, digest).kind != TABLE:
                raise ValueError("the file is a picture, and no table.")
            return text_of(self.read(project, digest), encoding)
        except RequestError as exc:
            raise ValueError(str(exc)) from exc

    def remove(self, access: Access, project: str, digest: str) -> Json:
        """Remove a file. Raises NotAllowed for somebody else's, unless an operator asks, and
        Conflict while a campaign that is not over names it.
        """
        upload = self._uploads.get(project, digest)
        if upload.added_by != access.person and not access.may(Deed.OPERATE, project):
            raise NotAllowed(
                f"{upload.added_by} has uploaded this file: ask them, or an operator of {project}."
            )
        if names := self._uploads.namers(project, digest):
            raise Conflict(
                f"The campaign {names[0]} is not over and names this file: cancel it first, or"
                " remove the file later.",
                code="in-use",
            )
        self._remove(upload)
        return upload_json(upload)

    def prune(self, project: str | None, before: float, *, dry_run: bool) -> int:
        """Remove the files that were uploaded before then and that no campaign names; returns how
        many there are.
        """
        old = self._uploads.unnamed(project, before)
        if not dry_run:
            for upload in (*old, *self._uploads.leftovers(project)):
                self._remove(upload)
        return len(old)

    def _remove(self, upload: UploadRow) -> None:
        self._uploads.leave(upload)
        self._outputs.delete(upload.key)
        self._uploads.forget(upload)


def kind_of(data: bytes, name: str | None) -> str:
    """Whether a file is a picture or a table. Raises RequestError for anything else, and for a
    picture or a table that is wrong.
    """
    if not data:
        raise RequestError("The file is empty.")
    if (name or "").lower().endswith(".csv"):
        try:
            table_of(text_of(data), name or "the table")
        except ValueError as exc:
            raise RequestError(f"This is no table: {exc}") from exc
        return TABLE
    try:
        read_reference(data)
    except RequestError as exc:
        raise RequestError(
            f"This is no picture that renders can begin from: {exc} The name of a table ends in"
            " .csv."
        ) from exc
    return PICTURE


def upload_json(upload: UploadRow) -> Json:
    """A file as the API shows it."""
    shown = ("project", "kind", "bytes", "name", "key", "added_at", "added_by")
    told = {name: getattr(upload, name) for name in shown}
    return {"sha256": upload.digest, "address": uploaded_address(upload.digest), **told}
