"""Copies the pictures of an export, many at a time, each compared with its hash."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import PurePosixPath

from actors.pictures import files as encode
from actors.recipes.encoding import Format
from farm.client.ahead import worked_ahead
from farm.client.client import Client
from farm.results.delivery import Delivery, delivered, is_delivered
from farm.results.line import ExportedLine
from storage.errors import NotFound, WorkError
from storage.store import Outputs

AT_ONCE = 16
AHEAD = (
    4 * AT_ONCE
)  # pictures that are asked for before the oldest of them is done: all that is in memory


class _Changed(WorkError):
    """A file does not hold what the farm painted."""


def thumbnail_of(path: str) -> str | None:
    """The path of a picture's small copy, which browsers can show; None if most of them can show
    the picture's own format.
    """
    return (
        f"{PurePosixPath(path).with_suffix('')}.small.webp"
        if path.endswith(f".{Format.JXL}")
        else None
    )


def copy_all(
    client: Client,
    lines: Iterable[ExportedLine],
    destination: Outputs,
    delivery: Delivery,
    on_progress: Callable[[int], None],
) -> tuple[int, list[str]]:
    """Copy the pictures of a manifest whose lines have a `path`, each also as it is
    delivered at its `size_paths`. Returns the number of new copies, and a sentence for each
    picture that could not be copied.
    """
    copied, wrong = 0, []

    def copy(line: ExportedLine) -> bool:
        return _copy(client, line, destination, delivery)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export") as pool:
        pictures = (line for line in lines if line["path"])
        copying = worked_ahead(pool, copy, pictures, AHEAD)
        for done, (_, future) in enumerate(copying, start=1):
            try:
                copied += future.result()
            except (NotFound, _Changed) as exc:
                wrong.append(str(exc))
            on_progress(done)
    return copied, wrong


def _copy(
    client: Client,
    line: ExportedLine,
    destination: Outputs,
    delivery: Delivery,
) -> bool:
    """Copy one picture with all that belongs beside it, as far as that is not there; one that is
    not what the manifest says is refused.
    """
    path, key = line["path"], line["key"]
    assert path is not None
    assert key is not None  # a line has both, or neither
    there = _read(destination, path)
    is_there = there is not None and _is_whole(there, line)
    data = there if is_there else client.output(key)
    assert data is not None
    if not is_there and not _is_whole(data, line):
        raise _Changed(
            f"The file {key} does not hold what the farm painted: it was changed since."
        )
    for preview, place in zip(
        line["previews"], line["preview_paths"], strict=False
    ):  # no paths if they are not wanted
        if not is_there or not _is_picture(destination, place):
            destination.put(place, client.output(preview))
    picture = _Unpacked(data)
    small = thumbnail_of(path)
    if small is not None and (not is_there or not _is_picture(destination, small)):
        destination.put(small, encode.preview(picture.whole.pixels))
    for size, place in zip(delivery.sizes, line["size_paths"], strict=True):
        if not is_there or not is_delivered(_read(destination, place), delivery.profile):
            destination.put(place, delivered(picture.whole, size, delivery.profile))
    if not is_there:
        destination.put(path, data)  # last: its presence says that all of it is there
    return not is_there


class _Unpacked:
    """A file whose hash is right, unpacked if that is needed."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def whole(self) -> encode.Picture:
        picture = encode.read(self._data)
        assert picture is not None
        return picture


def _read(destination: Outputs, place: str) -> bytes | None:
    try:
        with destination.open(place) as file:
            return file.read()
    except NotFound:
        return None


def _is_picture(destination: Outputs, place: str) -> bool:
    data = _read(destination, place)
    return data is not None and encode.read(data) is not None


def _is_whole(data: bytes, line: ExportedLine) -> bool:
    """Whether a file is the one that was written, or if its hash was not kept, whether it has the
    same pixels.
    """
    if sha256 := line.get("sha256"):
        return bool(hashlib.sha256(data).hexdigest() == sha256)
    return bool(encode.file_pixels_digest(data) == line["pixels"])
