"""Whether a project's quota has room for a campaign."""

from dataclasses import replace

from storage.errors import Conflict, NotFound
from storage.projects import Projects, Quota, Usage, Within


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

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def check(self, project: str, more: int) -> None:
        """Raise Conflict if the project's quota has no room for so many more renders now."""
        try:
            quota = self._projects.get(project).quota
        except NotFound:
            return  # no quota was set
        if quota.limits_more:
            _check(project, quota, self._projects.usage(project), more)

    def within(self, project: str, more: int, *, are_counted: bool = False) -> Within:
        """The same in the transaction that writes them: of two at once, the second is refused.
        `are_counted` says that they are there already when it asks.
        """

        def check(quota: Quota, usage: Usage) -> None:
            others = usage.queued - more if are_counted else usage.queued
            _check(project, quota, replace(usage, queued=others), more)

        return self._projects.within(project, check)


def _check(project: str, quota: Quota, usage: Usage, more: int) -> None:
    if reasons := over_quota(quota, usage, more):
        raise Conflict(
            f"The project {project} has no room for this. {' '.join(reasons)} An admin changes"
            f" quotas with `farm projects set {project}`.",
            code="over-quota",
        )
