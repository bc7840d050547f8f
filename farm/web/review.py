"""The page on which people decide about pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.reading import Reading
from farm.web.rendering import Renderer
from farm.web.routing import page_router
from storage.states import RejectReason

Json = dict[str, Any]
NAME = r"^[a-z0-9][a-z0-9-]*$"
InPath = Annotated[str, Path(pattern=NAME, max_length=80)]

KEYS = (
    ("P or A", "Approve, and go to the next undecided picture"),
    ("X or R", "Reject: then 1 to 6 for a reason, or X again for none"),
    ("N", "Reject, and paint the shot again with the next seed"),
    ("Shift + P", "Keep this one, and reject the other seeds of its shot"),
    ("U", "Take your last decision back"),
    ("Arrows, Home, End", "Another picture"),
    ("G, E, C", "Light table, one picture, compare"),
    ("Z, + and −", "Zoom: 1:1 and back, nearer, farther"),
    ("M", "Compare side by side, with a slider, or in turns"),
    ("B", "Compare with this picture from now on"),
    ("?", "This help"),
)


def review_routes(renderer: Renderer, reading: Reading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/campaigns/{project}/{name}/review")
    @needs(Deed.LOOK, in_links=True)
    def review(request: Request, project: InPath, name: InPath) -> Response:
        access = access_of(request)
        return renderer.page(
            request,
            "review.html",
            page="campaigns",
            row=reading.status(project, name),
            project=project,
            name=name,
            person=access.person,
            may_review=access.may(Deed.REVIEW, project),
            reasons=list(RejectReason),
            keys=KEYS,
        )

    return routes
