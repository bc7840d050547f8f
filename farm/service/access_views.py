"""Views of tokens, roles and projects."""

from farm.service.access import Role
from farm.service.views import View


class WhoAmI(View):
    """Whoever asks: their name, the id of the token that they showed, and their role in each
    project; `*` stands for all projects.
    """

    person: str
    token: str | None
    names_paths: bool = True
    """Whether their campaigns may name any file of the farm's machine."""
    roles: dict[str, Role]


class TokenView(View):
    """A token without its secret. Times are seconds since 1970."""

    id: str
    person: str
    state: str
    """`valid`, `expired` or `revoked`."""
    created_at: float
    created_by: str | None
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    last_used_from: str | None


class NewTokenView(TokenView):
    """A token that was made just now, with its secret, which is shown this once."""

    secret: str


class LinkView(View):
    """A link to a campaign for people outside, without its secret. Times are seconds since
    1970.
    """

    id: str
    project: str
    campaign: str
    name: str
    """Whom it is for. The log and reviews call them `link:` and this."""
    may_review: bool
    has_passphrase: bool
    state: str
    """`valid`, `expired` or `revoked`."""
    created_at: float
    created_by: str | None
    expires_at: float
    revoked_at: float | None
    opened_at: float | None


class NewLinkView(LinkView):
    """A link that was made just now. Its path has the secret, which is shown this once."""

    path: str


class Limits(View):
    """The most that a project may have; null is no limit."""

    workers: int | None
    queued: int | None
    stored_bytes: int | None
    device_hours: float | None


class ProjectView(View):
    """A project with its quota, and the roles that people have in it."""

    project: str
    created_at: float | None
    created_by: str | None
    quota: Limits
    roles: dict[str, str]


class Roles(View):
    """The roles that people have in all projects."""

    roles: dict[str, str]


class UsageView(View):
    """What a project has now: campaigns, renders that have not ended, bytes of pictures, workers
    that have a chunk of it, and the hours for which workers had one in this month.
    """

    campaigns: int
    queued: int
    stored_bytes: int
    workers: int
    device_hours: float


class Usages(View):
    """The use of each project that has campaigns."""

    projects: dict[str, UsageView]
