"""Scripts and styles: read once, served under a digest of them all, and kept by browsers for a
year.

Modules name one another by relative paths. So one digest stands for the whole folder, and a
changed file changes the address of every one.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The content type of each kind of file."""
_DIGITS = 16
_SMALLEST = 512  # bytes; below, the header of gzip costs more than it saves


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent."""

    kind: str
    data: bytes
    zipped: bytes | None
    """The same, compressed, if that is worth it."""


@dataclass(frozen=True)
class StaticFiles:
    """All scripts and styles of the pages, by name."""

    digest: str
    files: Mapping[str, StaticFile]

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError if there is none of that name."""
        assert name in self.files, f"there is no static file {name}"
        return f"/static/{self.digest}/{name}"

    @property
    def zipped_bytes(self) -> int:
        """What a browser loads at most."""
        return sum(len(file.zipped or file.data) for file in self.files.values())


@cache
def static_files() -> StaticFiles:
    """The files in the package."""
    found = {
        entry.name: entry.read_bytes()
        for entry in sorted(files(__package__).joinpath("static").iterdir(), key=lambda e: e.name)
        if kind_of(entry.name)
    }
    digest = hashlib.sha256()
    for name, data in found.items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    made = {name: _file(name, data) for name, data in found.items()}
    return StaticFiles(digest.hexdigest()[:_DIGITS], made)


def kind_of(name: str) -> str | None:
    """The content type of a file by its name; None for files that are not served."""
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def _file(name: str, data: bytes) -> StaticFile:
    kind = kind_of(name)
    assert kind is not None
    zipped = gzip.compress(data, mtime=0) if len(data) >= _SMALLEST else None
    return StaticFile(kind, data, zipped)
