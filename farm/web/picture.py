"""The page of one picture."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.explaining import Explaining
from farm.service.render_reading import RenderReading
from farm.web.rendering import Renderer
from farm.web.review import InPath
from farm.web.routing import page_router

Json = dict[str, Any]


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
    ) -> Response:
        details = renders.details(project, name, number)
        return renderer.page(
            request,
            "picture.html",
            page="campaigns",
            project=project,
            name=name,
            details=details,
            render=details["render"],
            shown=_shown(details["pictures"]),
            tokens=renders.tokens(project, name, number),
            why=explaining.why(project, name, number),
            campaign_file=renders.campaign_file(project, name, number),
            may_review=access_of(request).may(Deed.REVIEW, project),
        )

    return routes


def _shown(pictures: list[Json]) -> Json | None:
    """The picture that the page opens with: the final, or else the proof, or one that was stopped
    and has looks at its steps.
    """
    with_file = [one for one in pictures if one["version"] is not None]
    some = with_file or pictures
    return some[-1] if some else None
