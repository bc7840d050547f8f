"""The part of the client that is about tokens, roles and projects."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.access_views import (
    NewTokenView,
    ProjectView,
    Roles,
    TokenView,
    Usages,
    UsageView,
    WhoAmI,
)

Json = dict[str, Any]


class AccessCalls:
    """Calls about access, for a class that has the transport."""

    _http: Transport

    def whoami(self) -> WhoAmI:
        """Who the farm takes this client for, with the roles that it has."""
        return self._http.get(WhoAmI, "whoami")

    def tokens(self) -> list[TokenView]:
        """Every token, for an admin; one's own for others."""
        return self._http.get(list[TokenView], "tokens")

    def create_token(
        self,
        person: str,
        *,
        role: str | None = None,
        project: str | None = None,
        expires_in_s: float | None = None,
    ) -> NewTokenView:
        """A token of a person, whose `secret` is in this answer and nowhere else. With `role` they
        get that role in the project, with None in all of them.
        """
        body = {"person": person, "role": role, "project": project, "expires_in_s": expires_in_s}
        return self._secret("tokens", body)

    def revoke_token(self, token: str) -> TokenView:
        """End a token, by its id; answers under way to it are broken off."""
        return self._http.post(TokenView, f"tokens/{quote(token, safe='')}/revoke")

    def rotate_token(self, token: str, *, expires_in_s: float | None = None) -> NewTokenView:
        """End a token, and make another for the same person."""
        path = f"tokens/{quote(token, safe='')}/rotate"
        return self._secret(path, {"expires_in_s": expires_in_s})

    def _secret(self, path: str, body: Json) -> NewTokenView:
        """The farm keeps no secret, and so cannot answer alike twice: this is sent once."""
        return self._http.read(NewTokenView, self._http.request("POST", path, body=body, tries=1))

    def projects(self) -> list[ProjectView]:
        """Those in which one has a role."""
        return self._http.get(list[ProjectView], "projects")

    def usage(self) -> dict[str, UsageView]:
        """What each project with campaigns has of that which quotas limit."""
        return self._http.get(Usages, "usage").projects

    def project_of(self, name: str) -> ProjectView:
        """A project with its quota and the roles of people in it."""
        return self._http.get(ProjectView, f"projects/{quote(name, safe='')}")

    def create_project(
        self,
        name: str,
        *,
        limits: Mapping[str, float | None] | None = None,
        roles: Mapping[str, str | None] | None = None,
    ) -> ProjectView:
        """Make a project known. `limits` are by the names in `ProjectView.quota`."""
        body = {"name": name, **(limits or {}), "roles": dict(roles or {})}
        return self._http.post(ProjectView, "projects", body)

    def set_project(
        self,
        name: str,
        *,
        limits: Mapping[str, float | None] | None = None,
        roles: Mapping[str, str | None] | None = None,
    ) -> ProjectView:
        """Change limits and roles; None takes one away, those that are not named stay."""
        body = {**(limits or {}), "roles": dict(roles or {})}
        return self._http.post(ProjectView, f"projects/{quote(name, safe='')}", body)

    def roles(self) -> dict[str, str]:
        """The roles that people have in all projects."""
        return self._http.get(Roles, "roles").roles

    def set_roles(self, roles: Mapping[str, str | None]) -> dict[str, str]:
        """Give people roles in all projects, or with None take them away."""
        return self._http.post(Roles, "roles", {"roles": dict(roles)}).roles
