"""A file of a model on its way from the outputs to the local disk: many parts at a time, hashed in
order while they come, and taken up again at the part at which an earlier try broke off.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from actors.models.manifests import StoredFile
from storage.keys import weights_key
from storage.store import Outputs

PART = 8 * 1024 * 1024
_AT_ONCE = 10  # both as boto3 has them
_HASHED_AT_ONCE = 1024 * 1024
_COUNT_BYTES = 8


def reserve(path: Path, file: StoredFile) -> None:
    """Make the file that the parts are written into, in its full size: a disk that has no room for
    it says so before anything is fetched. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size != file.bytes:
            os.ftruncate(descriptor, file.bytes)
            _note(path, 0)
        if file.bytes:
            os.posix_fallocate(descriptor, 0, file.bytes)
    finally:
        os.close(descriptor)


def fetch(outputs: Outputs, file: StoredFile, path: Path, on_part: Callable[[], None]) -> str:
    """Fetch a file into the place that was reserved for it; returns the sha256 of what is there
    now. `on_part` is called after each part.

    Raises OutputsError if the outputs cannot be read, NotFound if they have no such file.
    """
    total, had = hashlib.sha256(), _noted(path)
    descriptor = os.open(path, os.O_RDWR)
    try:
        for start, stop in _in_order(outputs, file, descriptor, had):
            _hash(descriptor, start, stop, total.update)
            if stop > had:
                _note(path, stop)
            on_part()
    finally:
        os.close(descriptor)
    with suppress(FileNotFoundError):
        _count(path).unlink()
    return total.hexdigest()


def _in_order(
    outputs: Outputs, file: StoredFile, descriptor: int, had: int
) -> Iterator[tuple[int, int]]:
    """Each part, as its beginning and its end, once it is on the disk. An earlier try has left
    those below `had` there; of the others a few are on their way at any time.
    """
    key = weights_key(file.sha256)

    def get(start: int) -> int:
        stop = min(start + PART, file.bytes)
        if stop > had:
            at = start
            for data in outputs.pieces(key, start, stop):
                at += os.pwrite(descriptor, data, at)
        return stop

    coming: deque[tuple[int, Future[int]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
        try:
            for start in range(0, file.bytes, PART):
                coming.append((start, pool.submit(get, start)))
                if len(coming) > _AT_ONCE:
                    first, future = coming.popleft()
                    yield first, future.result()
            while coming:
                first, future = coming.popleft()
                yield first, future.result()
        finally:
            for _, future in coming:
                future.cancel()


def _hash(descriptor: int, start: int, stop: int, update: Callable[[memoryview], None]) -> None:
    """Hash a part from the disk: it is in main memory still, and one buffer is enough for it."""
    buffer = memoryview(bytearray(min(_HASHED_AT_ONCE, stop - start)))
    while start < stop and (count := os.preadv(descriptor, [buffer[: stop - start]], start)):
        update(buffer[:count])
        start += count


def forget(path: Path) -> None:
    """Remove a file that is not whole, with the note of how far it came."""
    path.unlink(missing_ok=True)
    _count(path).unlink(missing_ok=True)


def _count(path: Path) -> Path:
    return path.with_suffix(".count")


def _noted(path: Path) -> int:
    """How many bytes from its beginning a file has."""
    with suppress(FileNotFoundError):
        return int.from_bytes(_count(path).read_bytes()[:_COUNT_BYTES], "little")
    return 0


def _note(path: Path, count: int) -> None:
    """In place: a reader finds either count, and both are true."""
    descriptor = os.open(_count(path), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, count.to_bytes(_COUNT_BYTES, "little"), 0)
    finally:
        os.close(descriptor)
