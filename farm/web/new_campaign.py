"""The page on which people write campaigns."""

from fastapi import APIRouter, Request, Response

from farm.api.bodies import Project
from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.web.rendering import Renderer
from farm.web.routing import page_router

START = """\
name: my-campaign
model: seedling
prompt: "a {color} mug on a {place}"
vary:
  color: [red, blue]
  place: [beach, desk, shelf]
seeds: {count: 2}
settings:
  steps: 20
"""
"""The text that somebody begins with."""


def new_campaign_routes(renderer: Renderer) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/new")
    @needs(Deed.SUBMIT, across=True)
    def new(request: Request, project: Project | None = None) -> Response:
        mine = access_of(request).projects(Deed.SUBMIT)
        projects = None if mine is None else sorted(mine)
        chosen = project or (projects[0] if projects else "default")
        return renderer.page(
            request, "new.html", page="new", start=START, projects=projects, project=chosen
        )

    return routes
