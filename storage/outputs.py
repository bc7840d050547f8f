"""Outputs in a folder, the embedded default; and the outputs at any address."""

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO
from uuid import uuid4

from storage.errors import BadKey, NotFound, OutputsAway, OutputsError, OutputsForbidden
from storage.store import PIECE, SCHEME, Outputs, is_text, refuse_larger

OUTPUTS_FOLDER = "the outputs folder"
LEFT_BEHIND_S = 86_400.0  # nothing takes a day to be written: its writer has died

# Errors that may pass without anybody changing a setting: a full disk, a network folder that does
# not answer.
_PASSING = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
    }
    | {errno.EMFILE, errno.ENFILE}
)
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_UNFIT = frozenset(
    {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
)  # errors for names that no file can have
_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_PART = re.compile(r"\.[0-9a-f]{32}\.part")


def open_outputs(address: str, *, s3_style: str = "auto", called: str = OUTPUTS_FOLDER) -> Outputs:
    """The store at an address: a bucket for s3://bucket/prefix, else a folder, which sentences
    about it name as `called`.

    `s3_style` is how buckets are named in requests.
    """
    if address.startswith(SCHEME):
        # boto3 takes half a second to import: only who has a bucket pays for it.
        from storage.s3 import S3Outputs  # noqa: PLC0415

        return S3Outputs(address, style=s3_style)
    return FolderOutputs(Path(address), called=called)


class FolderOutputs:
    """Outputs in a folder. Files are written beside their place and renamed into it, so that a key
    never holds half a file.
    """

    def __init__(self, root: Path, *, called: str = OUTPUTS_FOLDER) -> None:
        self._root = root.absolute()
        self._called = called
        self.address = str(self._root)

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        path = self._path(key)
        with self._telling("write", key):
            _write(path, BytesIO(data) if isinstance(data, bytes) else data)

    def copy(self, source: str, key: str) -> None:
        path = self._path(key)
        with self.open(source) as file, self._telling("write", key):
            _write(path, _Source(file, partial(self._telling, "read", source)))

    def open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        with self._telling("read", key):
            try:
                # A folder is not a file, a pipe would never end, and a file that is still being
                # written is not there yet.
                if stat.S_ISREG(path.stat().st_mode) and not _PART.fullmatch(path.name):
                    return path.open("rb")
            except OSError as exc:
                if exc.errno in _UNFIT:
                    raise BadKey(
                        f"The key {_short(key)!r} cannot be a file in {self._called}"
                        f" ({exc.strerror})."
                    ) from exc
                if exc.errno not in _NOWHERE:
                    raise
            raise NotFound(f"There is no {key or 'file without a name'} in {self._called}.")

    def read(self, key: str, limit: int) -> bytes:
        with self.open(key) as file, self._telling("read", key):
            refuse_larger(os.fstat(file.fileno()).st_size, limit)
            return file.read()

    def part(self, key: str, start: int, stop: int) -> bytes:
        return b"".join(self.pieces(key, start, stop))

    def pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        with self.open(key) as file, self._telling("read", key):
            while data := os.pread(file.fileno(), min(PIECE, stop - start), start):
                start += len(data)
                yield data

    def has(self, key: str) -> bool:
        try:
            self.open(key).close()
        except NotFound:
            return False
        return True

    def size(self, key: str) -> int:
        with self.open(key) as file, self._telling("read", key):
            return os.fstat(file.fileno()).st_size

    def address_of(self, key: str, seconds: int) -> str | None:  # noqa: ARG002  # of every store
        self._path(key)
        return None

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._telling("delete", key), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        for folder in path.parents:  # those that it leaves empty go with it
            if folder == self._root or not _removed(folder):
                return

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with a folder's name, in no particular order; files still being
        written are not among them.
        """
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                if not name.startswith(".") and is_text(name):
                    yield (Path(folder) / name).relative_to(self._root).as_posix()

    def sweep(self, older_than_s: float) -> int:
        swept, before = 0, time.time() - older_than_s
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if _PART.fullmatch(name)):
                with self._telling("delete", path.name), suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        swept += 1
        return swept

    def clock_skew_s(self) -> float:
        return 0.0  # nobody looks at the clock for a file

    def _path(self, key: str) -> Path:
        path = Path(os.path.normpath(self._root / key))
        if not is_text(key):
            raise BadKey(f"The key {key!r} has characters that no file's name can have.")
        if not path.is_relative_to(self._root):
            raise BadKey(f"The key {key!r} leads out of {self._called}.")
        return path

    @contextmanager
    def _telling(self, verb: str, key: str) -> Iterator[None]:
        """Turn an error of the system into a sentence with the operation, the key and a remedy."""
        try:
            yield
        except OSError as exc:
            kind = (
                OutputsAway
                if exc.errno in _PASSING
                else OutputsForbidden
                if exc.errno in _FORBIDDEN
                else OutputsError
            )
            raise kind(
                f"Cannot {verb} {key} in {self._called} ({exc.strerror or type(exc).__name__}):"
                f" {self._remedy(verb, exc)}"
            ) from exc

    def _remedy(self, verb: str, exc: OSError) -> str:
        if exc.errno in (errno.EMFILE, errno.ENFILE):
            return "raise the limit of open files (`ulimit -n`), then start the farm again."
        if verb == "read":
            return f"make {self._called} readable, and look at its disk or server."
        if verb == "delete":
            return f"make {self._called} writable, then run it again."
        return f"make {self._called} writable, free some space, then run it again."


class _Source:
    """The file that a copy is made of. Its errors are reported as failed reads: advice about space
    would be wrong.
    """

    def __init__(
        self, file: IO[bytes], telling: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._file, self._telling = file, telling

    def read(self, size: int = -1) -> bytes:
        with self._telling():
            return self._file.read(size)


def _short(key: str) -> str:
    return key if len(key) <= 80 else f"{key[:77]}..."


def _write(path: Path, data: IO[bytes] | _Source) -> None:
    """Write a hidden file beside a path and, once it is on the disk, give it its place."""
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with _opened(part) as file:
            shutil.copyfileobj(data, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _opened(part: Path) -> IO[bytes]:
    """A new file, in a folder that is made for it, and again if it was empty and somebody has
    removed it meanwhile. If that happens while the folder is made, Python says that it exists.
    """
    for _ in range(10):
        with suppress(FileNotFoundError, FileExistsError):
            part.parent.mkdir(parents=True, exist_ok=True)
            return part.open("xb")
    part.parent.mkdir(parents=True, exist_ok=True)
    return part.open("xb")


def _removed(folder: Path) -> bool:
    """Remove a folder, if nothing is in it."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk: a row may say "done" only of a picture that
    outlives a power cut.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
