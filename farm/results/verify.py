"""Whether a campaign's files are what was recorded: a verdict on each file, and on renders that
were painted again.
"""

import hashlib
from collections.abc import Callable, Iterator

from actors.pictures import files as encode
from farm.results.line import Line, Repaint
from storage.errors import NotFound


def line_problems(line: Line, read: Callable[[str], bytes]) -> list[tuple[str, str]]:
    """The faults of the picture of a line of the manifest and of its previews: (key, sentence) for
    each file.

    `read` gives the bytes of a key, and raises NotFound for one that is not there.
    """

    def judge(key: str, data: bytes) -> str | None:
        return file_problem(line, data) if key == line["key"] else preview_problem(data)

    return [(key, problem) for key in keys_of(line) if (problem := _judged(key, judge, read))]


def keys_of(line: Line) -> list[str]:
    """The keys of a render's picture and its previews; none if it has no picture."""
    return [] if line["key"] is None else [line["key"], *line["previews"]]


def _judged(
    key: str, judge: Callable[[str, bytes], str | None], read: Callable[[str], bytes]
) -> str | None:
    try:
        return judge(key, read(key))
    except NotFound:
        return "it is missing."


def file_problem(line: Line, data: bytes) -> str | None:
    """The fault of the file of a line of the manifest; None if the file is as it was written."""
    sha256 = line.get("sha256")
    if sha256 is not None and hashlib.sha256(data).hexdigest() == sha256:
        return None
    pixels = encode.file_pixels_digest(data)
    if pixels is None:
        return "it is not a picture any more, or not a whole one."
    if pixels != line["pixels"]:
        return "it was changed since it was painted: its bytes are not those that were recorded."
    return (
        None
        if sha256 is None
        else "it was written again since: its pixels are the same, its bytes are not."
    )


def preview_problem(data: bytes) -> str | None:
    """The fault of the file of a preview. No hash of previews is recorded, so a whole picture
    counts as right.
    """
    return (
        None
        if encode.read(data) is not None
        else "it is not a picture any more, or not a whole one."
    )


def repaint_problem(was: Repaint, now: Repaint | None) -> str | None:
    """The fault of a render, whose line of the manifest is `was`. Its line in the campaign that
    painted it again is `now`.
    """
    if now is None or now["pixels"] is None:
        return f"it could not be painted again: {now['detail'] if now else 'nothing came of it.'}"
    if was["digest"] != now["digest"]:
        return (
            "its recipe is another one now: a file that it is made from has changed, or this"
            " version reads the campaign otherwise."
        )
    if was["pixels"] == now["pixels"]:
        return None
    there, here = was["numerics_class"], now["numerics_class"]
    if there != here:
        return (
            f"painted again it has other pixels, in another numerics class: {there} there, {here}"
            " here."
        )
    return f"painted again it has other pixels, in the same numerics class ({here})."


def sampled(total: int, count: int) -> Iterator[int]:
    """`count` places spread evenly over `total`, always the same ones; all of them if there are
    no more.
    """
    count = min(count, total)
    return ((2 * k + 1) * total // (2 * count) for k in range(count))
