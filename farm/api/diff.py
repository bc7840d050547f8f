"""The API's routes that compare two versions of a campaign, or two campaigns of a project."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from farm.api.bodies import Name, Project, Version
from farm.api.needs import needs
from farm.api.routing import LINES, answers_with, api_router
from farm.results.diff_sheet import MAX_PAIRS
from farm.service.access import Deed
from farm.service.diff import Diffs

Against = Annotated[
    str | None,
    Query(
        max_length=100,
        description=(
            "What it is compared with: NAME or NAME@NUMBER. If not given, the version before."
        ),
    ),
]
_FIRST = 200


def diff_routes(diffs: Diffs) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get("/campaigns/{name}/diff", **answers_with(LINES))
    @needs(Deed.LOOK)
    def diff(
        name: Name,
        project: Project = "default",
        version: Version = None,
        against: Against = None,
        limit: Annotated[
            int | None, Query(ge=0, lt=2**53, description="The most lines before the counts.")
        ] = None,
    ) -> StreamingResponse:
        """A line for each render that changed, is new or was retired, and a last one, of the kind
        `counts`, with the counts of all.
        """
        return StreamingResponse(
            diffs.lines(project, name, version, against, limit), media_type=LINES
        )

    @routes.get("/campaigns/{name}/diff/sheet", **answers_with("image/png"))
    @needs(Deed.LOOK)
    def sheet(
        name: Name,
        project: Project = "default",
        version: Version = None,
        against: Against = None,
        limit: Annotated[
            int,
            Query(
                ge=1,
                lt=2**53,
                description=f"The most changed cells that are drawn, up to {MAX_PAIRS:,}.",
            ),
        ] = _FIRST,
    ) -> Response:
        """Changed cells side by side, the old ones on the left."""
        return Response(
            diffs.picture(project, name, version, against, limit), media_type="image/png"
        )

    return routes
