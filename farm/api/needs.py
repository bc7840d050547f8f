"""What routes need of whoever asks: each declares a deed, and every request is held against it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from farm.service.access import OF_THE_FARM, Access, CampaignLink, Deed, check
from storage.errors import NotAllowed

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "farm_needs"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a route needs. With `deed` None, anybody may ask, and need not be known. With `across`,
    a request that names no project is about all those in which whoever asks may do the deed: the
    route keeps to `access_of(request).projects(deed)`.
    """

    deed: Deed | None
    across: bool = False
    tells_secret: bool = False
    """Its answer is shown once and kept nowhere, for an order that is sent again neither."""
    in_links: bool = False
    """Whether a link to the campaign that the path names opens it."""
    takes_bytes: bool = False
    """Its body is a file, which its function reads by itself."""

    @property
    def text(self) -> str:
        return "nothing" if self.deed is None else self.deed.value


UNDECLARED = Need(deed=Deed.ADMINISTER)
"""What a route needs that declares nothing: a test fails for it, and meanwhile only admins use
it.
"""


def needs(
    deed: Deed,
    *,
    across: bool = False,
    tells_secret: bool = False,
    in_links: bool = False,
    takes_bytes: bool = False,
) -> Callable[[F], F]:
    """Declares the deed of a route's function; stands below the route's own decorator."""
    need = Need(
        deed=deed, across=across, tells_secret=tells_secret, in_links=in_links,
        takes_bytes=takes_bytes,
    )  # fmt: skip
    return _declared(need)


def open_to_all(endpoint: F) -> F:
    """Declares that anybody may ask."""
    return _declared(Need(deed=None))(endpoint)


def _declared(need: Need) -> Callable[[F], F]:
    def declare(endpoint: F) -> F:
        setattr(endpoint, _ATTRIBUTE, need)
        return endpoint

    return declare


def declared_need(endpoint: Callable[..., Any]) -> Need | None:
    """What a route's function declares; None if it declares nothing."""
    return getattr(endpoint, _ATTRIBUTE, None)


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What a request was let in for: it must hold for as long as its answer takes."""

    need: Need
    projects: tuple[str | None, ...]
    across: frozenset[str] | None
    """Of a request about several projects: those; None for all."""

    def holds_for(self, access: Access | None) -> bool:
        """Whether whoever asked may still have the answer; None is somebody who is not known any
        more.
        """
        deed = self.need.deed
        if deed is None:
            return True
        if access is None:
            return False
        now = access.projects(deed)
        is_within = now is None or (self.across is not None and self.across <= now)
        return all(access.may(deed, name) for name in self.projects) and (
            bool(self.projects) or not self.need.across or is_within
        )


def admit(request: Request, need: Need, projects: Iterable[str | None]) -> None:
    """Let a request in that is about some projects, None for all. Raises NotFound for one that
    whoever asks has no role in, NotAllowed for a role that is too low.
    """
    if need.deed is None:
        return
    access, asked = access_of(request), tuple(projects)
    if access.link is not None:
        _check_link(access.link, need, asked, request.path_params.get("name"))
    for project in asked:
        check(access, need.deed, project)
    across = access.projects(need.deed)
    request.state.admitted = Admitted(need=need, projects=asked, across=across)


def _check_link(
    link: CampaignLink, need: Need, asked: tuple[str | None, ...], name: str | None
) -> None:
    """Raise NotAllowed, in the same words for whatever else there is or is not."""
    is_its_own = asked == (link.project,) and name == link.campaign
    if not need.in_links or not (is_its_own or need.deed is Deed.KNOW):
        raise NotAllowed(beyond_link(link))


def beyond_link(link: CampaignLink) -> str:
    return f"Your link shows the campaign {link.campaign} alone: ask whoever sent it for more."


def access_of(request: Request) -> Access:
    """Whoever asks, as the guard has found them."""
    found = request.state.access
    assert isinstance(found, Access)
    return found


def is_of_the_farm(need: Need) -> bool:
    """Whether no project decides about a request."""
    return need.deed is None or need.deed in OF_THE_FARM or need.deed is Deed.KNOW
