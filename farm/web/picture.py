"""The page of one picture."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from farm.api.bodies import Version
from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.explaining import Explaining
from farm.service.render_reading import RenderReading
from farm.web.rendering import Renderer
from farm.web.review import InPath
from farm.web.routing import page_router

Json = dict[str, Any]
WantedStage = Annotated[str, Query(pattern="^(proof|final|)$")]


def picture_page_routes(
    renderer: Renderer, renders: RenderReading, explaining: Explaining
) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/campaigns/{project}/{name}/renders/{number}")
    @needs(Deed.LOOK, in_links=True)
    def picture(
        request: Request,
        project: InPath,
        name: InPath,
        number: Annotated[int, Path(ge=0, lt=2**53)],
        version: Version = None,
        stage: WantedStage = "",
    ) -> Response:
        details = renders.details(project, name, number, version)
        return renderer.page(
            request,
            "picture.html",
            page="campaigns",
            project=project,
            name=name,
            details=details,
            render=details["render"],
            version=version,
            shown=shown_of(details["pictures"], stage),
            tokens=renders.tokens(project, name, number, version),
            why=explaining.why(project, name, number, version),
            campaign_file=renders.campaign_file(project, name, number, version),
            may_review=access_of(request).may(Deed.REVIEW, project),
        )

    return routes


def shown_of(pictures: Sequence[Json], stage: str = "") -> Json | None:
    """The picture that the page opens with: that of the stage, if there is one. Else the final, or
    the proof, or one that was stopped and has looks at its steps.
    """
    asked = [one for one in pictures if one["stage"] == stage]
    some = asked or [one for one in pictures if one["version"] is not None] or pictures
    return some[-1] if some else None
