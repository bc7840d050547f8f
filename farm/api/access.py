"""The API's routes about tokens, roles and projects."""

from typing import Any

from fastapi import APIRouter, Request

from farm.api.access_bodies import (
    InPath,
    NewProject,
    NewToken,
    ProjectChange,
    RolesChange,
    Rotation,
    TokenId,
)
from farm.api.needs import access_of, needs
from farm.api.routing import api_router, shows
from farm.documents.document import DocumentError, Problem
from farm.service.access import Deed, Role
from farm.service.access_views import (
    NewTokenView,
    ProjectView,
    Roles,
    TokenView,
    Usages,
    WhoAmI,
)
from farm.service.local_files import LocalFiles
from farm.service.projects import ProjectService
from farm.service.tokens import TokenService
from storage.projects import Quota

Json = dict[str, Any]


def token_routes(tokens: TokenService, files: LocalFiles) -> APIRouter:
    """`files` are those of this machine that campaigns may name."""
    routes = api_router("access")

    @routes.get("/whoami", **shows(WhoAmI))
    @needs(Deed.KNOW)
    def whoami(request: Request) -> Json:
        access = access_of(request)
        names_paths = not files.are_limited
        told = {"person": access.person, "token": access.token, "names_paths": names_paths}
        return {**told, "roles": dict(access.roles)}

    @routes.get("/tokens", **shows(list[TokenView]))
    @needs(Deed.KNOW)
    def all_tokens(request: Request) -> list[Json]:
        """Every token, for an admin; one's own for others."""
        return tokens.all(access_of(request))

    @routes.post("/tokens", status_code=201, **shows(NewTokenView))
    @needs(Deed.ADMINISTER, tells_secret=True)
    def create(body: NewToken) -> Json:
        if body.role is Role.ADMIN and body.project is not None:
            raise DocumentError([Problem(("project",), _ADMIN)])
        if body.role is None and body.project is not None:
            raise DocumentError([Problem(("role",), "say which role they get in the project.")])
        return tokens.create(
            body.person, role=body.role, project=body.project, expires_in_s=body.expires_in_s
        )

    @routes.post("/tokens/{token}/revoke", **shows(TokenView))
    @needs(Deed.KNOW)
    def revoke(token: TokenId, request: Request) -> Json:
        """One's own token; an admin may revoke any."""
        return tokens.revoke(access_of(request), token)

    @routes.post("/tokens/{token}/rotate", status_code=201, **shows(NewTokenView))
    @needs(Deed.KNOW, tells_secret=True)
    def rotate(token: TokenId, body: Rotation, request: Request) -> Json:
        """Ends a token, and makes another for the same person."""
        return tokens.rotate(access_of(request), token, body.expires_in_s)

    return routes


def project_routes(projects: ProjectService) -> APIRouter:
    routes = api_router("access")

    @routes.get("/projects", **shows(list[ProjectView]))
    @needs(Deed.KNOW)
    def all_projects(request: Request) -> list[Json]:
        """Those in which whoever asks has a role."""
        return projects.all(access_of(request))

    @routes.post("/projects", status_code=201, **shows(ProjectView))
    @needs(Deed.ADMINISTER)
    def create(body: NewProject) -> Json:
        _check_roles(body)
        given = {person: role for person, role in body.roles.items() if role is not None}
        return projects.create(body.name, Quota(**body.limits()), given)

    @routes.get("/projects/{project}", **shows(ProjectView))
    @needs(Deed.LOOK)
    def show(project: InPath) -> Json:
        return projects.show(project)

    @routes.post("/projects/{project}", **shows(ProjectView))
    @needs(Deed.ADMINISTER)
    def change(project: InPath, body: ProjectChange) -> Json:
        _check_roles(body)
        return projects.change(project, body.limits(), body.roles)

    @routes.get("/usage", **shows(Usages))
    @needs(Deed.LOOK, across=True)
    def usage(request: Request) -> Json:
        """What projects have of that which quotas limit, of those in which one may look."""
        return projects.usage(access_of(request))

    @routes.get("/roles", **shows(Roles))
    @needs(Deed.ADMINISTER)
    def roles() -> Json:
        """The roles that people have in all projects."""
        return projects.roles()

    @routes.post("/roles", **shows(Roles))
    @needs(Deed.ADMINISTER)
    def give(body: RolesChange) -> Json:
        return projects.give(body.roles)

    return routes


_ADMIN = "an admin is one of the whole farm: give this role in all projects."


def _check_roles(body: ProjectChange) -> None:
    """Raise DocumentError for admins of one project: there are none."""
    wrong = [person for person, role in body.roles.items() if role is Role.ADMIN]
    if wrong:
        raise DocumentError([Problem(("roles", person), _ADMIN) for person in wrong])
