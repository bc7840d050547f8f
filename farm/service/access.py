"""Who may do what: roles, deeds, and the one table that joins them. Pure.

A role is had in a project, or in all of them (`*`). Deeds about a project ask for a role in it;
deeds about the farm itself ask for one in all projects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

from storage.errors import NotAllowed, NotFound
from storage.everywhere import EVERYWHERE


class Role(StrEnum):
    """From the one that may least; each may also what those before it may."""

    VIEWER = auto()
    SUBMITTER = auto()
    REVIEWER = auto()
    OPERATOR = auto()
    ADMIN = auto()
    """In all projects alone: of the farm."""

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Deed(StrEnum):
    """What a request does. Each route of the API declares one."""

    KNOW = auto()
    """What everybody may know who has a token: who they are."""

    # About a project.
    LOOK = auto()
    """Campaigns, pictures, manifests, sheets, reviews and brand packs."""
    SUBMIT = auto()
    """Submit, plan and update campaigns, add brand packs, upload files."""
    CONTROL = auto()
    """Pause, resume, cancel, retry, set priorities, paint again."""
    REVIEW = auto()
    """Approve, reject, take decisions back, and redo."""
    SHARE = auto()
    """Make links to a campaign for people outside, list and revoke them."""
    OPERATE = auto()
    """Remove campaigns, pictures and previews, and repair files."""

    # About the farm.
    SEE_FLEET = auto()
    """Workers, orders to the fleet, and metrics."""
    LEARN = auto()
    """Record measurements of a model, which count for all projects."""
    REGISTER = auto()
    """Add and remove models and adapters, which all projects may use."""
    ORDER_FLEET = auto()
    """Scale and drain."""
    ADMINISTER = auto()
    """Tokens, roles, projects and quotas."""


LOWEST: Mapping[Deed, Role | None] = {
    Deed.KNOW: None,
    Deed.LOOK: Role.VIEWER,
    Deed.SUBMIT: Role.SUBMITTER,
    Deed.CONTROL: Role.SUBMITTER,
    Deed.REVIEW: Role.REVIEWER,
    Deed.SHARE: Role.REVIEWER,
    Deed.OPERATE: Role.OPERATOR,
    Deed.SEE_FLEET: Role.VIEWER,
    Deed.LEARN: Role.OPERATOR,
    Deed.REGISTER: Role.OPERATOR,
    Deed.ORDER_FLEET: Role.OPERATOR,
    Deed.ADMINISTER: Role.ADMIN,
}
"""The lowest role that may do each deed; None for everybody who is known."""

OF_THE_FARM = frozenset(
    {Deed.SEE_FLEET, Deed.LEARN, Deed.REGISTER, Deed.ORDER_FLEET, Deed.ADMINISTER}
)
"""The deeds that ask for a role in all projects."""


OPENID = "openid:"  # as no token's id begins


@dataclass(frozen=True, kw_only=True)
class CampaignLink:
    """A link to one campaign that somebody has opened."""

    id: str
    project: str
    campaign: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who asks, and the roles that they have at this moment."""

    person: str
    roles: Mapping[str, Role]
    """By project; `*` stands for all."""
    token: str | None = None
    """The id of the token that was shown, if it is one that can be revoked. Of whoever logged in
    by an OpenID provider, OPENID and their name.
    """
    link: CampaignLink | None = None
    """The link that was opened: then the roles count for its campaign alone."""

    @property
    def everywhere(self) -> Role | None:
        """The role in all projects."""
        return self.roles.get(EVERYWHERE)

    @property
    def is_admin(self) -> bool:
        return self.everywhere is Role.ADMIN

    def role_in(self, project: str | None) -> Role | None:
        """The role in a project, with None that in all projects."""
        own = None if project is None else self.roles.get(project)
        found = [role for role in (own, self.everywhere) if role is not None]
        return max(found, key=lambda role: role.rank, default=None)

    def may(self, deed: Deed, project: str | None = None) -> bool:
        """Whether the deed may be done, in a project or with None in all of them."""
        lowest = LOWEST[deed]
        if lowest is None:
            return True
        role = self.role_in(None if deed in OF_THE_FARM else project)
        return role is not None and role.rank >= lowest.rank

    def projects(self, deed: Deed) -> frozenset[str] | None:
        """The projects in which the deed may be done; None for all."""
        if self.may(deed):
            return None
        return frozenset(name for name in self.roles if self.may(deed, name))


def check(access: Access, deed: Deed, project: str | None = None) -> None:
    """Raise NotAllowed for what may not be done. Of a project in which somebody has no role they
    are not told whether it is there: NotFound says the same of both, and nobody looks.
    """
    if access.may(deed, project):
        return
    lowest = LOWEST[deed]
    assert lowest is not None
    if deed in OF_THE_FARM or project is None:
        raise NotAllowed(
            f"{access.person} may not do this: it needs the role {lowest} in all projects. Ask an"
            " admin of the farm for it."
        )
    role = access.role_in(project)
    if role is None:
        raise NotFound(no_project(project))
    raise NotAllowed(
        f"{access.person} may not do this in the project {project}: it needs the role {lowest},"
        f" and theirs is {role}. Ask an admin of the farm for it."
    )


def no_project(name: str) -> str:
    """The same words for a project that is not there and for one that is somebody else's."""
    return (
        f"There is no project {name}, or you have no role in it: `farm projects list` shows those"
        " in which you have one."
    )


def roles_from(stored: Mapping[str, str]) -> dict[str, Role]:
    """Roles as the job database has them. One that a later version has given counts for
    nothing.
    """
    known = set(Role)
    return {project: Role(role) for project, role in stored.items() if role in known}
