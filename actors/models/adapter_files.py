"""Adapter files: the one file that a path means, and its digest."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from storage.errors import RequestError


@dataclass(frozen=True)
class AdapterFile:
    """A safetensors file; it is read only if its digest is asked for."""

    path: Path

    @cached_property
    def digest(self) -> str:
        """sha256 of the file."""
        with self.path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    def has_digest(self, digest: str) -> bool:
        """Whether an adapter's digest is that of this file, whatever follows its hyphen."""
        return digest.partition("-")[0] == self.digest


def adapter_file(path: Path) -> AdapterFile:
    """The safetensors file at a path, or the only one in a folder. Raises RequestError if there is
    none, or more.
    """
    if not path.exists():
        raise RequestError(f"there is no file or folder {path}.")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1:
        raise RequestError(
            f"the folder {path} has {len(files) or 'no'} .safetensors files: name the one that is"
            " meant."
        )
    if files[0].suffix != ".safetensors" or not files[0].is_file():
        raise RequestError(
            f"{files[0]} is not a .safetensors file: other kinds are not read, because a pickle"
            " can run code when it is."
        )
    return AdapterFile(files[0])
