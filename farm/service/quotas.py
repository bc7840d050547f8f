"""Whether a project's quota has room for a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from farm.scheduling.values import NO_QUOTAS
from storage.errors import Conflict, NotFound
from storage.months import MonthUse
from storage.projects import Growing, Projects, Quota, Usage, Within


@dataclass(frozen=True, kw_only=True)
class Room:
    """The room that a project's quota leaves to one more campaign; None is no limit."""

    workers: int | None = None
    month: MonthUse | None = None
    refusals: tuple[str, ...] = ()
    """Why the campaign would be refused."""


def over_quota(quota: Quota, usage: Usage, more: int) -> list[str]:
    """Why a project may not have `more` renders beside those it has: a sentence for each limit
    that is in the way, none if it may.
    """
    reasons: list[str] = []
    if more <= 0:
        return reasons
    if quota.queued is not None and usage.queued + more > quota.queued:
        reasons.append(
            f"It would have {usage.queued + more:,} renders that wait, {more:,} of them new; its"
            f" quota is {quota.queued:,}."
        )
    if reason := over_storage(quota, usage, 1):
        reasons.append(reason)
    return reasons


def over_storage(quota: Quota, usage: Usage, more: int) -> str | None:
    """Why a project may not have so many more bytes beside those it has; None if it may."""
    if quota.stored_bytes is None or usage.stored_bytes + more <= quota.stored_bytes:
        return None
    return (
        f"Its pictures and files have {usage.stored_bytes:,} bytes; its quota is"
        f" {quota.stored_bytes:,}. `farm prune --with-pictures` makes room."
    )


class ProjectRoom:
    """The room that projects have."""

    def __init__(self, projects: Projects, workers: Mapping[str, int] = NO_QUOTAS) -> None:
        """`workers` are the most that projects may have at a time."""
        self._projects = projects
        self._workers = workers

    def check(self, project: str, more: int) -> None:
        """Raise Conflict if the project's quota has no room for so many more renders now."""
        _raise_for(project, self._refusals(project, more))

    def of(self, project: str, more: int) -> Room:
        """The room that the project's quota leaves to so many more renders."""
        return Room(
            workers=self._workers.get(project),
            month=self._projects.months().get(project),
            refusals=tuple(self._refusals(project, more)),
        )

    def _refusals(self, project: str, more: int) -> list[str]:
        try:
            quota = self._projects.get(project).quota
        except NotFound:
            return []  # no quota was set
        return over_quota(quota, self._projects.usage(project), more) if quota.limits_more else []

    def within(self, project: str, more: int, *, are_counted: bool = False) -> Within:
        """The same in the transaction that writes them: of two at once, the second is refused.
        `are_counted` says that they are there already when it asks.
        """

        def check(quota: Quota, usage: Usage) -> None:
            others = usage.queued - more if are_counted else usage.queued
            _raise_for(project, over_quota(quota, replace(usage, queued=others), more))

        return self._projects.within(project, check)

    def growing(self, project: str) -> Growing:
        """The same for renders that only that transaction will have counted."""

        def check(more: int, quota: Quota, usage: Usage) -> None:
            _raise_for(project, over_quota(quota, usage, more))

        return self._projects.growing(project, check)


def _raise_for(project: str, refusals: Sequence[str]) -> None:
    if refusals:
        raise Conflict(no_room(project, refusals), code="over-quota")


def no_room(project: str, refusals: Sequence[str]) -> str:
    """Refusals of a project's quota, and who can change it."""
    return (
        f"The project {project} has no room for this. {' '.join(refusals)} An admin changes quotas"
        f" with `farm projects set {project}`."
    )
