"""The API's routes to files of the outputs: whole or a part, and their addresses at a store that
hands files out itself.

A picture is shown under its own kind; everything else is saved, never opened. What a browser is
given runs nothing and asks for nothing, whatever the file holds.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from farm.api.errors import refusal
from farm.api.needs import needs
from farm.api.routing import answers_with, api_router, shows
from farm.service.access import Deed
from farm.service.list_views import Address
from farm.service.output_files import OutputFile, OutputFiles

PICTURES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "jxl": "image/jxl",
}
"""The kinds of files that a browser may show, by their endings."""
_OTHERS = {"jsonl": "application/x-ndjson", "pdf": "application/pdf", "csv": "text/csv"}
_ANY = "application/octet-stream"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PIECE = 1 << 18  # bytes
IfNoneMatch = Annotated[str | None, Header(max_length=8_000)]
Range = Annotated[
    str | None, Header(description="One range of bytes; several are answered with the whole file.")
]


def output_routes(outputs: OutputFiles) -> APIRouter:
    routes = api_router("files")

    @routes.get("/outputs/{key:path}", **_answers())
    @needs(Deed.LOOK)
    def output(
        key: str,
        if_none_match: IfNoneMatch = None,
        if_range: Annotated[str | None, Header()] = None,
        range_: Annotated[Range, Header(alias="range")] = None,
    ) -> Response:
        """A file of the outputs. `ETag` is a digest of its bytes."""
        found = outputs.file(key)
        headers = {**_SAFE, **_named(key), "ETag": f'"{found.sha256}"'}
        if _is_known(found, if_none_match):
            found.file.close()
            return Response(status_code=304, headers=headers)
        is_asked = range_ is not None and if_range in (None, headers["ETag"])
        part = _part(range_ or "", found.size) if is_asked else None
        if part is not None and not part:
            found.file.close()
            sentence = f"The file has {found.size:,} bytes: none of them is in this range."
            unmet = {"Content-Range": f"bytes */{found.size}"}
            return refusal(416, "bad-range", sentence, headers=unmet)
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{found.size}"
        sent = range(found.size) if part is None else part
        headers["Content-Length"] = str(len(sent))
        status = 200 if part is None else 206
        return _Sent(found.file, sent, status, headers)

    @routes.get("/addresses/{key:path}", **shows(Address))
    @needs(Deed.LOOK)
    def address(
        key: str, seconds: Annotated[int, Query(ge=1, le=3_600)] = 300
    ) -> dict[str, object]:
        """An address at which anybody can read a file of a bucket for some seconds."""
        return outputs.address(key, seconds)

    return routes


def _answers() -> dict[str, Any]:
    described = answers_with(_ANY)
    described["responses"] |= {
        200: {"content": {kind: {} for kind in (_ANY, *PICTURES.values(), *_OTHERS.values())}},
        206: {"description": "The range that was asked for."},
        304: {"description": "The file is the one that is known already."},
    }
    return described


def _named(key: str) -> dict[str, str]:
    """What a file is called and of which kind it is, by its ending alone."""
    name = key.rpartition("/")[2]
    ending = PurePosixPath(name).suffix[1:].lower()
    if ending in PICTURES:
        return {"Content-Type": PICTURES[ending]}
    kind = _OTHERS.get(ending, _ANY)
    return {
        "Content-Type": kind,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }


def _is_known(found: OutputFile, if_none_match: str | None) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or f'"{found.sha256}"' in tags


def _part(asked: str, size: int) -> range | None:
    """The range of bytes that is asked for, empty if the file has none of them. None stands for
    the whole file: no range, or several. Those may overlap, and ask for more than the file has.
    """
    found = _ONE_RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        return range(max(size - int(found[2]), 0), size)
    first = int(found[1])
    last = int(found[2]) if found[2] else max(first, size)
    return None if last < first else range(first, min(last + 1, size))


class _Sent(StreamingResponse):
    """A part of a file, which is closed however the answer ends: whoever asked may leave before
    the first piece.
    """

    def __init__(self, file: IO[bytes], part: range, status: int, headers: dict[str, str]) -> None:
        super().__init__(_pieces(file, part), status, headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _pieces(file: IO[bytes], part: range) -> Iterator[bytes]:
    file.seek(part.start)
    left = len(part)
    while left and (piece := file.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece
