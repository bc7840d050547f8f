"""Projects: made known, with their quotas, and with the people who have a role in them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from farm.service.access import Access, Deed, Role, no_project
from storage.errors import NotFound
from storage.everywhere import EVERYWHERE
from storage.projects import ProjectRow, Projects, Quota

Json = dict[str, Any]


class ProjectService:
    """The projects of a farm."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def all(self, access: Access) -> list[Json]:
        """Those in which whoever asks has a role, by name."""
        rows = {row.name: row for row in self._projects.all()}
        mine = access.projects(Deed.LOOK)
        names = rows.keys() if mine is None else mine
        return [self._shown(name, rows.get(name)) for name in sorted(names)]

    def usage(self, access: Access) -> Json:
        """What each project has of its quota, of those in which whoever asks may look."""
        found = self._projects.usages(access.projects(Deed.LOOK))
        return {"projects": {name: asdict(usage) for name, usage in found.items()}}

    def show(self, name: str) -> Json:
        """A project in which anybody has a role need not have been made known: it has no quota
        then. Raises NotFound.
        """
        row = next((row for row in self._projects.all() if row.name == name), None)
        if row is None and not self._projects.roles(name):
            raise NotFound(no_project(name))
        return self._shown(name, row)

    def unknown(self, name: str) -> Json:
        """A project that is used and was not made known."""
        return self._shown(name, None)

    def _shown(self, name: str, row: ProjectRow | None) -> Json:
        return _json(name, row) if row is not None else _unknown(name, self._projects.roles(name))

    def create(self, name: str, quota: Quota, roles: Mapping[str, Role]) -> Json:
        """Raises AlreadyThere."""
        return _json(name, self._projects.create(name, quota, roles))

    def change(
        self, name: str, quota: Mapping[str, float | None], roles: Mapping[str, Role | None]
    ) -> Json:
        """Change limits and roles, None takes one away. Raises NotFound."""
        return _json(name, self._projects.change(name, quota, roles))

    def roles(self) -> Json:
        """The roles that people have in all projects."""
        return {"roles": self._projects.everywhere()}

    def give(self, roles: Mapping[str, Role | None]) -> Json:
        """Give people roles in all projects, or with None take them away."""
        return {"roles": self._projects.give(roles, project=EVERYWHERE)}


def _json(name: str, row: ProjectRow) -> Json:
    return {
        "project": name,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "quota": vars(row.quota),
        "roles": dict(row.roles),
    }


def _unknown(name: str, roles: Json) -> Json:
    """A project that was not made known."""
    about = {"created_at": None, "created_by": None, "quota": vars(Quota())}
    return {"project": name, **about, "roles": roles}
