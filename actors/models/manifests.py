"""The list of a registered model's files: each by its place in the folder, its size and its
sha256. The list is a file of the outputs too, under its own sha256, so that it cannot change.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from storage.errors import RequestError

MAX_BYTES = 8 * 1024 * 1024
"""Of such a list; one of a model in a thousand shards has 200 KB."""
_MAX_FILES = 20_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"(?!\.\.?$)[\w.+=, -]{1,200}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of a model: `path` is its place in the folder, like `unet/config.json`."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All files of a model or an adapter, and the digest that recipes have of it."""

    digest: str
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """The bytes of all its files, each content counted once."""
        return sum({file.sha256: file.bytes for file in self.files}.values())

    @property
    def data(self) -> bytes:
        """The list as it is stored."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read_manifest(data: bytes, sha256: str) -> Manifest:
    """The list that has this sha256. Raises RequestError if these bytes are another, or name a
    place outside of the folder.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RequestError("the list of its files in the outputs is damaged: add it again.")
    try:
        value = json.loads(data)
        files = tuple(_file(entry) for entry in value["files"])
        digest = value["digest"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RequestError("the list of its files cannot be read: add it again.") from exc
    if not isinstance(digest, str) or not 0 < len(files) <= _MAX_FILES:
        raise RequestError("the list of its files cannot be read: add it again.")
    return Manifest(digest=digest, files=files)


def check_place(path: str) -> None:
    """Raise RequestError for a file that could not lie at this place on every machine."""
    parts = PurePosixPath(path).parts
    if not parts or len(parts) > 8 or not all(_PART.fullmatch(part) for part in parts):
        raise RequestError(
            f"the file {path[:200]!r} cannot be kept under that name: use letters, digits and"
            " `.-_+=,`."
        )


def _file(entry: Any) -> StoredFile:
    file = StoredFile(path=entry["path"], bytes=entry["bytes"], sha256=entry["sha256"])
    is_sound = (
        isinstance(file.path, str)
        and isinstance(file.bytes, int)
        and isinstance(file.sha256, str)
        and file.bytes >= 0
        and _SHA256.fullmatch(file.sha256)
    )
    if not is_sound:
        raise ValueError(entry)
    check_place(file.path)
    return file
