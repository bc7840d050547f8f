"""The pages of projects, with their quotas and people, and of tokens."""

from typing import Any

from fastapi import APIRouter, Request, Response

from farm.api.needs import access_of, needs
from farm.service.access import Access, Deed, Role
from farm.service.projects import ProjectService
from farm.service.tokens import TokenService
from farm.web.rendering import Renderer
from farm.web.routing import page_router

Json = dict[str, Any]
LIMITS = (
    ("workers", "Workers at a time", "workers"),
    ("queued", "Renders that wait", "queued"),
    ("stored_bytes", "Bytes of pictures", "stored"),
    ("device_hours", "Device hours this month", "hours"),
)
"""Each limit of a quota: its key, its words, and its name in a form."""
NO_USE = {"campaigns": 0, "queued": 0, "stored_bytes": 0, "workers": 0, "device_hours": 0}


def project_page_routes(renderer: Renderer, projects: ProjectService) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/projects")
    @needs(Deed.LOOK, across=True)
    def show(request: Request) -> Response:
        access = access_of(request)
        is_admin = access.may(Deed.ADMINISTER)
        return renderer.page(
            request,
            "projects.html",
            page="projects",
            projects=_shown(projects, access),
            limits=LIMITS,
            everywhere=projects.roles()["roles"] if is_admin else None,
            may_change=is_admin,
            roles=list(Role),
        )

    return routes


def token_page_routes(
    renderer: Renderer, tokens: TokenService, projects: ProjectService
) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/tokens")
    @needs(Deed.KNOW)
    def show(request: Request) -> Response:
        access = access_of(request)
        rows = tokens.all(access)
        is_admin = access.may(Deed.ADMINISTER)
        return renderer.page(
            request,
            "tokens.html",
            page="projects",
            tokens=sorted(rows, key=lambda row: (row["state"] != "valid", -row["created_at"])),
            has_any=bool(rows),
            own=access.token,
            may_create=is_admin,
            roles=list(Role),
            projects=[one["project"] for one in _shown(projects, access)] if is_admin else [],
        )

    return routes


def _shown(projects: ProjectService, access: Access) -> list[Json]:
    """The projects of whoever asks with their use; also those that were not made known, if they
    have campaigns.
    """
    usage = projects.usage(access)["projects"]
    known = {row["project"]: row for row in projects.all(access)}
    return [
        {
            **(known.get(name) or projects.unknown(name)),
            "usage": usage.get(name, NO_USE),
        }
        for name in sorted({*known, *usage})
    ]
