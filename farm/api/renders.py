"""The API's routes about single renders: all that is known of one, and the pictures that belong to
it. Those are served so that they can be nothing else: by their contents, sandboxed, and for the
farm's own pages.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from farm.api.bodies import AtStage, Name, Project, Version
from farm.api.needs import needs
from farm.api.routing import answers_with, api_router, shows
from farm.service.access import Deed
from farm.service.looks import Looks, Shown
from farm.service.render_reading import RenderReading
from farm.service.render_views import RenderDetails, StepLooks
from farm.service.steps import StepReading
from storage.campaigns import Campaigns
from storage.reviews import Reviews
from storage.states import Stage
from storage.store import Outputs

Json = dict[str, Any]
Number = Annotated[int, Path(ge=0, lt=2**53)]
Step = Annotated[int, Path(ge=1, lt=100_000)]
_YAML = "application/yaml"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ANSWERS: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"image/webp": {}}}, 304: {"description": "It is as it was."}},
}


def render_routers(
    campaigns: Campaigns, reviews: Reviews, outputs: Outputs, steps: StepReading
) -> tuple[APIRouter, APIRouter]:
    reading = RenderReading(campaigns=campaigns, reviews=reviews)
    looks = Looks(campaigns=campaigns, reviews=reviews, outputs=outputs)
    return render_routes(reading, steps), look_routes(looks)


def render_routes(reading: RenderReading, steps: StepReading) -> APIRouter:
    routes = api_router("renders")

    @routes.get("/campaigns/{name}/renders/{number}/details", **shows(RenderDetails))
    @needs(Deed.LOOK, in_links=True)
    def details(
        name: Name, number: Number, project: Project = "default", version: Version = None
    ) -> Json:
        """All that is known of a render, whether it has ended or not, and those around it."""
        return reading.details(project, name, number, version)

    @routes.get("/campaigns/{name}/renders/{number}/campaign", **answers_with(_YAML))
    @needs(Deed.LOOK)
    def campaign_file(
        name: Name, number: Number, project: Project = "default", version: Version = None
    ) -> Response:
        """A campaign file whose only render is this one."""
        text = reading.campaign_file(project, name, number, version)
        return Response(text, media_type=_YAML)

    @routes.get("/campaigns/{name}/renders/{number}/steps", **shows(StepLooks))
    @needs(Deed.LOOK, in_links=True)
    def looks(
        name: Name, number: Number, project: Project = "default", version: Version = None
    ) -> Json:
        """The steps of a render that are kept, with their drift from its anchor."""
        return steps.looks(project, name, number, version)

    return routes


def look_routes(looks: Looks) -> APIRouter:
    routes = api_router("renders")

    @routes.get("/campaigns/{name}/renders/{number}/reference", **_ANSWERS)
    @needs(Deed.LOOK, in_links=True)
    def reference(
        request: Request, name: Name, number: Number, project: Project = "default"
    ) -> Response:
        """The picture that a render begins from."""
        return _picture(request, looks.reference(project, name, number), f"{name}-reference")

    @routes.get("/campaigns/{name}/renders/{number}/steps/{step}", **_ANSWERS)
    @needs(Deed.LOOK, in_links=True)
    def step(
        request: Request,
        name: Name,
        number: Number,
        step: Step,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Response:
        """The look at a render after one of its steps."""
        shown = looks.step(project, name, number, stage, step, version)
        return _picture(request, shown, f"{name}-{number}-step-{step}")

    return routes


def _picture(request: Request, shown: Shown, name: str) -> Response:
    tag = f'"{shown.version}"'
    headers = {**_HEADERS, "Cache-Control": "private, no-cache", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    ending = shown.kind.partition("/")[2]
    headers["Content-Disposition"] = f'inline; filename="{name}.{ending}"'
    return Response(shown.data, media_type=shown.kind, headers=headers)
