"""Where pictures go: the protocol, and the folder that is its embedded default."""

import errno
import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

from storage.errors import NotFound, OutputsAway, OutputsError, RequestError

SCHEME = "s3://"

# What may be otherwise in a while, without anybody changing a setting: a full disk, a network folder that does not answer.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN})


class Outputs(Protocol):
    """A store of whole files under keys like `project/campaign/final/shot/seed.png`.

    A key can be read only once all its bytes are there. Writing the same bytes again is harmless, and so is deleting what is not
    there. What cannot be written or read raises OutputsError, with a sentence that says where and why.
    """

    address: str

    def put(self, key: str, data: bytes | IO[bytes]) -> None: ...

    def open(self, key: str) -> IO[bytes]: ...

    def read(self, key: str, limit: int) -> bytes:
        """The bytes of a file that may be a stranger's. Raises RequestError, before reading them, where there are more than `limit`."""
        ...

    def copy(self, source: str, key: str) -> None:
        """Put what stands under one key under another too. Raises NotFound where there is nothing."""
        ...

    def delete(self, key: str) -> None: ...

    def keys(self, prefix: str) -> Iterator[str]: ...

    def clock_skew_s(self) -> float:
        """How far the store's clock is from this machine's."""
        ...


def open_outputs(address: str, *, s3_style: str = "auto") -> Outputs:
    """The store at an address: a bucket for s3://bucket/prefix, else a folder. `s3_style` is how buckets are named in requests."""
    if address.startswith(SCHEME):
        # boto3 takes half a second to import: only who has a bucket pays for it.
        from storage.s3 import S3Outputs  # noqa: PLC0415

        return S3Outputs(address, style=s3_style)
    return FolderOutputs(Path(address))


def refuse_larger(size: int, limit: int) -> None:
    if size > limit:
        raise RequestError(f"the file has {size:,} bytes; at most {limit:,} are read.")


class FolderOutputs:
    """Outputs in a folder. Files are written beside their place and renamed into it, so that a key never holds half a file."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self.address = str(self._root)

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        path = self._path(key)
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    shutil.copyfileobj(BytesIO(data) if isinstance(data, bytes) else data, file)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
                _sync(path.parent)
            finally:
                part.unlink(missing_ok=True)
        except OSError as exc:
            raise self._refusal("write", path, exc) from exc

    def open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        try:
            return path.open("rb")
        except FileNotFoundError as exc:
            raise NotFound(f"There is no {key} in {self.address}.") from exc
        except OSError as exc:
            raise self._refusal("read", path, exc) from exc

    def read(self, key: str, limit: int) -> bytes:
        with self.open(key) as file:
            refuse_larger(os.fstat(file.fileno()).st_size, limit)
            return file.read()

    def copy(self, source: str, key: str) -> None:
        with self.open(source) as file:
            self.put(key, file)

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise self._refusal("delete", path, exc) from exc

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with a folder's name, in no particular order; files still being written are not among them."""
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self._root).as_posix()

    def clock_skew_s(self) -> float:
        return 0.0  # nobody looks at the clock for a file

    def _path(self, key: str) -> Path:
        path = Path(os.path.normpath(self._root / key))
        if "\0" in key or not path.is_relative_to(self._root):
            raise OutputsError(f"The key {key!r} leads out of {self.address}.")
        return path

    def _refusal(self, verb: str, path: Path, exc: OSError) -> OutputsError:
        kind = OutputsAway if exc.errno in _PASSING else OutputsError
        return kind(
            f"Cannot {verb} {path} ({exc.strerror or exc}): "
            f"make the outputs folder {self.address} writable, free some space, then run it again."
        )


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk: a row may say "done" only of a picture that outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
