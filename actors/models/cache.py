"""Registered models on the local disk of a node, fetched from the outputs when they are needed.
All workers of the node share them.

    blobs/SHA256         a file, whole; `.part` and `.count` beside it while it comes
    kept/MANIFEST/…      a model's folder, made of hard links to its files, last used at its mtime
    locks/NAME.lock      held by whoever fetches or removes NAME
    locks/MANIFEST.use   held, with others, by whoever uses that folder

A lock goes with the process that holds it. So whoever comes after one that was killed goes on with
what it has left.
"""

import errno
import fcntl
import os
import platform
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from actors.models.fetching import fetch, forget, reserve
from actors.models.manifests import MAX_BYTES, Manifest, StoredFile, read_manifest
from actors.models.models import file_digest
from actors.models.room import Disk, excess
from actors.recipes.errors import LoadFailed
from storage.errors import NotFound, RequestError
from storage.keys import weights_key
from storage.store import Outputs

_LOOK_S = 5.0
_TRIES = 2  # what came damaged is fetched once more


def _nothing() -> None:
    """For whoever need not hear of each part."""


class WeightsCache:
    """The registered models and adapters that one node has on its disk."""

    def __init__(self, folder: Path, outputs: Outputs, *, limit: int | None = None) -> None:
        """`limit` is how many bytes they may take; without it, all but a tenth of the disk."""
        self._blobs, self._kept, self._locks = (
            folder / name for name in ("blobs", "kept", "locks")
        )
        self._folder, self._outputs, self._limit = folder, outputs, limit

    @contextmanager
    def use(self, sha256: str, on_part: Callable[[], None] = _nothing) -> Iterator[Path]:
        """The folder of what has this manifest, which stays for as long as the block lasts. Files
        that are missing or damaged are fetched, by one process of the node while the others wait.
        `on_part` is called for each part that has come.

        Raises LoadFailed if the disk has no room for it or the outputs have not all of it,
        OutputsError if they cannot be read now.
        """
        with ExitStack() as held:
            with _reporting(self._folder):
                for made in (self._blobs, self._kept, self._locks):
                    made.mkdir(parents=True, exist_ok=True, mode=0o700)
                held.enter_context(self._flocked(sha256, fcntl.LOCK_SH))
                folder = self._kept / sha256
                manifest = self._manifest(sha256)
                if not _is_whole(folder, manifest):
                    with self._locked(sha256, on_part):
                        self._complete(manifest, folder, on_part)
                os.utime(folder)
            yield folder

    def _manifest(self, sha256: str) -> Manifest:
        try:
            return read_manifest(self._outputs.read(weights_key(sha256), MAX_BYTES), sha256)
        except NotFound as exc:
            raise LoadFailed("it is not in the outputs any more: add it again.") from exc
        except RequestError as exc:
            raise LoadFailed(str(exc)) from exc

    def _complete(self, manifest: Manifest, folder: Path, on_part: Callable[[], None]) -> None:
        """Make the folder whole, unless another process has done so meanwhile. Nobody sees it
        before it is.
        """
        if _is_whole(folder, manifest):
            return
        staging = self._kept / f".{manifest.sha256}"
        shutil.rmtree(staging, ignore_errors=True)
        for file in manifest.files:
            (staging / file.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # First those that are here: no file with a link here goes when room is made.
        missing = [file for file in manifest.files if not self._linked(file, staging, on_part)]
        self._make_room(missing)
        for file in missing:
            with self._locked(file.sha256, on_part):
                self._have(file, on_part)
                (staging / file.path).hardlink_to(self._blob(file))
        shutil.rmtree(folder, ignore_errors=True)  # one with a damaged file in it
        staging.rename(folder)
        self._sweep()

    def _linked(self, file: StoredFile, staging: Path, on_wait: Callable[[], None]) -> bool:
        """Link a file that is among the blobs as it should be; a damaged one is removed."""
        blob = self._blob(file)
        with self._locked(file.sha256, on_wait):
            if not _is_sound(blob, file):
                blob.unlink(missing_ok=True)
                return False
            (staging / file.path).hardlink_to(blob)
            return True

    def _have(self, file: StoredFile, on_part: Callable[[], None]) -> None:
        """Have a file among the blobs, unless another process has fetched it meanwhile."""
        blob = self._blob(file)
        part = blob.with_suffix(".part")
        if _is_sound(blob, file):
            return
        for _ in range(_TRIES):
            reserve(part, file)
            try:
                came = fetch(self._outputs, file, part, on_part)
            except NotFound as exc:
                raise LoadFailed(
                    f"its file {file.path} is not in the outputs any more: add it again."
                ) from exc
            if came == file.sha256:
                part.replace(blob)
                return
            forget(part)
        raise LoadFailed(f"its file {file.path} is damaged in the outputs: add it again.")

    def _blob(self, file: StoredFile) -> Path:
        return self._blobs / file.sha256

    # --- room ---

    def _make_room(self, coming: list[StoredFile]) -> None:
        """Remove what was not used for longest until these files have room, and reserve it."""
        parts = {self._blob(file).with_suffix(".part"): file for file in coming}
        with FileLock(self._locks / "room.lock"):
            needed = sum(file.bytes - _size(path) for path, file in parts.items())
            while (over := excess(self._disk(), needed, self._limit)) > 0:
                if not self._removed_one(parts):
                    raise LoadFailed(
                        f"it needs {needed:,} bytes more in {self._folder} on"
                        f" {platform.node()}, {over:,} more than there is room for while the"
                        " other models there are in use: free some space, or raise"
                        " FARM_CACHE_SIZE."
                    )
            for path, file in parts.items():
                reserve(path, file)

    def _disk(self) -> Disk:
        disk = shutil.disk_usage(self._folder)
        return Disk(
            used=sum(_size(path) for path in self._blobs.iterdir()),
            free=disk.free,
            size=disk.total,
        )

    def _removed_one(self, coming: Collection[Path]) -> bool:
        """Remove the folder that was not used for longest, or else what was left half done; False
        if all that is left is in use.
        """
        folders = [path for path in self._kept.iterdir() if not path.name.startswith(".")]
        for folder in sorted(folders, key=lambda path: path.stat().st_mtime):
            with suppress(BlockingIOError):
                with self._flocked(folder.name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    shutil.rmtree(folder)
                self._sweep()
                return True
        used = self._disk().used
        self._sweep()
        if self._disk().used < used:
            return True
        for path in self._blobs.glob("*.part"):
            with self._if_free(path.stem) as is_free:
                if is_free and path not in coming:
                    forget(path)
                    return True
        return False

    def _sweep(self) -> None:
        """Remove files that no folder has, and folders that were left half done; not what somebody
        fetches now.
        """
        for path in self._kept.glob(".*"):
            with self._if_free(path.name[1:]) as is_free:
                if is_free:
                    shutil.rmtree(path, ignore_errors=True)
        for path in self._blobs.iterdir():
            with self._if_free(path.stem) as is_free:
                if is_free and not path.suffix and path.exists() and path.stat().st_nlink == 1:
                    path.unlink()

    # --- locks ---

    @contextmanager
    def _flocked(self, sha256: str, how: int) -> Iterator[None]:
        """Hold the lock of those who use a folder. Raises BlockingIOError if it is not to be had
        and `how` says not to wait.
        """
        with (self._locks / f"{sha256}.use").open("w") as file:
            fcntl.flock(file, how)
            yield

    @contextmanager
    def _locked(self, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the lock of whoever fetches; `on_wait` is called now and then until it is free."""
        lock = self._lock(name)
        while not _acquired(lock, _LOOK_S):
            on_wait()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _if_free(self, name: str) -> Iterator[bool]:
        """Hold the lock of whoever fetches, if nobody has it."""
        lock = self._lock(name)
        is_free = _acquired(lock, 0)
        try:
            yield is_free
        finally:
            lock.release()

    def _lock(self, name: str) -> FileLock:
        return FileLock(self._locks / f"{name}.lock")


def _acquired(lock: FileLock, timeout_s: float) -> bool:
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        return False
    return True


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    return all(_is_sound(folder / file.path, file) for file in manifest.files)


def _is_sound(path: Path, file: StoredFile) -> bool:
    try:
        return path.stat().st_size == file.bytes and file_digest(path) == file.sha256
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    """In bytes; 0 of a file that is not there, or not any more."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


@contextmanager
def _reporting(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into a sentence."""
    try:
        yield
    except OSError as exc:
        remedy = (
            "free some space there, or name another folder as FARM_CACHE."
            if exc.errno in (errno.ENOSPC, errno.EDQUOT)
            else "make it writable, or name another folder as FARM_CACHE."
        )
        raise LoadFailed(
            f"it cannot be written to {folder} on {platform.node()}"
            f" ({exc.strerror or type(exc).__name__}): {remedy}"
        ) from exc
