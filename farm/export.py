"""Exports: a campaign's pictures in another folder or bucket, each proven by its hash, with the manifest beside them."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from actors.encode import file_pixels_digest
from farm.client import Client
from storage.errors import NotFound, RequestError, WorkError
from storage.outputs import Outputs

Json = dict[str, Any]
MANIFEST, PARQUET = "manifest.jsonl", "manifest.parquet"
_AT_ONCE = 16
_AHEAD = 4 * _AT_ONCE  # pictures that are asked for before the oldest of them is done: all that is in memory
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What is at the destination now, and how many pictures of it are new there."""

    pictures: int
    copied: int
    manifest: str
    parquet: str | None


class _Changed(WorkError):
    """A file does not hold what the farm painted."""


def export(
    client: Client,
    campaign: str,
    destination: Outputs,
    *,
    parquet: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Copy what is done of a campaign. What is there already, whole, is not copied again, so that an export that broke off goes on.

    Raises WorkError where pictures are gone or were changed: all others are copied then, and no manifest is written, for a
    manifest says that all of its pictures are there.
    """
    write_parquet = _parquet_writer() if parquet else None
    with TemporaryFile() as manifest:
        total = _spool(client.manifest(campaign), manifest)
        copied, wrong = _copy_all(client, _lines(manifest), destination, lambda done: on_progress(done, total))
        if wrong:
            raise WorkError(
                f"{len(wrong)} of {total} pictures were left out, and no manifest was written to {destination.address}: "
                + " ".join(wrong[:_NAMED])
            )
        if write_parquet is not None:
            with TemporaryFile() as table:
                write_parquet(_lines(manifest), table)
                table.seek(0)
                destination.put(PARQUET, table)
        manifest.seek(0)
        destination.put(MANIFEST, manifest)
    return Exported(
        pictures=total,
        copied=copied,
        manifest=f"{destination.address}/{MANIFEST}",
        parquet=f"{destination.address}/{PARQUET}" if parquet else None,
    )


def _parquet_writer() -> Callable[[Iterable[Json], IO[bytes]], None]:
    try:
        # An extra: 150 MB installed, that only who asks for a table needs.
        from farm.parquet import write_parquet  # noqa: PLC0415
    except ImportError as exc:
        raise RequestError("A Parquet manifest needs pyarrow: pip install 'seedbed[parquet]'.") from exc
    return write_parquet


def _spool(lines: Iterable[Json], file: IO[bytes]) -> int:
    """Write a manifest down before anything is copied, since that may take hours; returns how many of its renders have a picture."""
    pictures = 0
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        pictures += bool(line["key"])
    return pictures


def _lines(file: IO[bytes]) -> Iterator[Json]:
    file.seek(0)
    return map(json.loads, file)


def _copy_all(client: Client, lines: Iterable[Json], destination: Outputs, on_progress: Callable[[int], None]) -> tuple[int, list[str]]:
    """Copy the pictures of a manifest, many at a time; returns how many were, and what is wrong with those that could not be."""
    copied, wrong = 0, []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="export") as pool:
        copying = (pool.submit(_copy, client, line, destination) for line in lines if line["key"])
        for done, future in enumerate(_ahead(copying), start=1):
            try:
                copied += future.result()
            except (NotFound, _Changed) as exc:
                wrong.append(str(exc))
            on_progress(done)
    return copied, wrong


def _ahead(futures: Iterable[Future[bool]]) -> Iterator[Future[bool]]:
    """The same futures in the same order, each once some more have been submitted."""
    waiting: deque[Future[bool]] = deque()
    for future in futures:
        waiting.append(future)
        if len(waiting) == _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _copy(client: Client, line: Json, destination: Outputs) -> bool:
    """Copy one picture with its previews, unless it is there; one that is not what the manifest says is refused."""
    place = _place(line["key"])
    if _is_there(destination, place, line):
        return False
    data = client.output(line["key"])
    if not _is_whole(data, line):
        raise _Changed(f"The file {line['key']} does not hold what the farm painted: it was changed since.")
    for key in line["previews"]:
        destination.put(_place(key), client.output(key))
    destination.put(place, data)  # last: its presence says that all of it is there
    return True


def _is_there(destination: Outputs, place: str, line: Json) -> bool:
    try:
        with destination.open(place) as file:
            return _is_whole(file.read(), line)
    except NotFound:
        return False


def _is_whole(data: bytes, line: Json) -> bool:
    """Whether a file is the one that was written, or where its hash was not kept, whether it has the same pixels."""
    if sha256 := line.get("sha256"):
        return bool(hashlib.sha256(data).hexdigest() == sha256)
    return bool(file_pixels_digest(data) == line["pixels"])


def _place(key: str) -> str:
    """Below the destination, without the project and campaign that it was exported for."""
    return "/".join(key.split("/")[2:])
