"""What the API takes about tokens, roles and projects."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from farm.service.access import Role

_STRICT = ConfigDict(extra="forbid", strict=True)

TokenId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,16}$")]
InPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
ProjectName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Person = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]*$", max_length=80)]
"""Whoever holds a token: a person, or a program."""
Lasting = Annotated[float, Field(gt=0, le=1e10, allow_inf_nan=False)]
ARole = Annotated[Role, Field(strict=False)]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(_whole)]
Hours = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
FewWorkers = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]


class NewToken(BaseModel):
    """A token of a person. With `role` they get that role in `project`, or in all projects if that
    is null.
    """

    model_config = _STRICT

    person: Person
    role: ARole | None = None
    project: ProjectName | None = None
    expires_in_s: Lasting | None = None


class Rotation(BaseModel):
    """A token in the place of another; if it is not said how long it lasts, then as long as the
    other was made for.
    """

    model_config = _STRICT

    expires_in_s: Lasting | None = None


class NewLink(BaseModel):
    """A link to a campaign. It ends at `until`, in seconds since 1970, or after a week."""

    model_config = _STRICT

    name: Person | None = None
    may_review: bool = False
    until: Lasting | None = None
    passphrase: Annotated[str, Field(min_length=8, max_length=200)] | None = None


class ProjectChange(BaseModel):
    """Limits and roles to change. Those that are not named stay; null takes one away."""

    model_config = _STRICT

    workers: FewWorkers | None = None
    queued: Count | None = None
    stored_bytes: Count | None = None
    device_hours: Hours | None = None
    roles: Annotated[dict[Person, ARole | None], Field(max_length=1000)] = {}

    def limits(self) -> dict[str, Any]:
        """The limits that are named."""
        named = self.model_fields_set - {"roles", "name"}
        return {name: getattr(self, name) for name in named}


class NewProject(ProjectChange):
    """A project to make known."""

    name: ProjectName


class RolesChange(BaseModel):
    """Roles in all projects; null takes one away."""

    model_config = _STRICT

    roles: Annotated[dict[Person, ARole | None], Field(min_length=1, max_length=1000)]
