"""The API's route to contact sheets."""

from collections.abc import Iterator
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from farm.api.bodies import AtStage, Name, Project, Version
from farm.api.needs import needs
from farm.api.routing import api_router
from farm.service.access import Deed
from farm.service.sheets import MAX_PDF_PAGES, SheetChoice, Sheets
from storage.errors import RequestError
from storage.states import Stage

PAGES = "Farm-Pages"
"""The header that says how many pages a sheet has."""
_PIECE = 1 << 20  # bytes

Axes = Annotated[
    str, Query(max_length=2_000, description="Names of axes with commas between them.")
]
Span = Annotated[
    str | None,
    Query(
        pattern=r"^[1-9]\d{0,8}(-[1-9]\d{0,8})?$",
        description=f"A page from 1, or for a PDF up to {MAX_PDF_PAGES} of them, like 3-7.",
    ),
]


def sheet_routes(sheets: Sheets) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get(
        "/campaigns/{name}/sheet",
        response_class=Response,
        responses={200: {"content": {"image/png": {}, "application/pdf": {}}}},
    )
    @needs(Deed.LOOK)
    def sheet(
        name: Name,
        project: Project = "default",
        where: Annotated[str, Query(max_length=10_000)] = "",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        rows: Axes = "",
        columns: Axes = "",
        page: Span = None,
        kind: Annotated[Literal["png", "pdf"], Query(alias="format")] = "png",
    ) -> Response:
        """The contact sheet: one page as PNG, whose header `Farm-Pages` says how many there are,
        or pages as one PDF. `where` has conditions like `product=mug`, one a line. `rows` and
        `columns` lay axes out as a matrix; `seed` is one too.
        """
        choice = SheetChoice(
            version=version,
            stage=stage,
            where=where.splitlines(),
            rows=rows,
            columns=columns,
        )
        span = None if page is None else _span(page)
        if kind == "pdf":
            file = sheets.pdf(project, name, choice, span)
            return StreamingResponse(_pieces(file), media_type="application/pdf")
        if span is not None and span[0] != span[1]:
            raise RequestError("page: a PNG has one page: name one, or ask for a PDF.")
        picture, count = sheets.png(project, name, choice, None if span is None else span[0])
        return Response(picture, media_type="image/png", headers={PAGES: str(count)})

    return routes


def _span(page: str) -> tuple[int, int]:
    first, _, last = page.partition("-")
    return int(first), int(last or first)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
