"""How near the farm is to what it has promised and to its limits: deadlines, quotas, and events
that have not been delivered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from farm.scheduling.eta import NO_OUTLOOK, Outlook
from farm.service.pacing import Pacing
from storage.campaigns import Campaigns
from storage.log_state import LogState
from storage.months import MonthUse
from storage.outbox import Backlog, Outbox
from storage.projects import ProjectRow, Projects, Usage
from storage.rows import CampaignRow
from storage.watching import Watching


@dataclass(frozen=True, kw_only=True)
class Near:
    """Seconds are negative for what is too late; ratios are above 1 for what is too much."""

    deadline_s: Mapping[str, float] = field(default_factory=dict)
    """By project: the time between the expected end and the deadline of the campaign that has
    the least.
    """
    quota_used: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By project and limit: the part that is used, of `queued`, `stored_bytes` and
    `device_hours`.
    """
    worker_limits: Mapping[str, int] = field(default_factory=dict)
    """By project, the most workers at a time."""
    deliveries: Mapping[str, Backlog] = field(default_factory=dict)
    """By whom they are for: `webhook` or `notification`."""
    log: LogState = field(default_factory=LogState)
    """The write-ahead log of the job database."""


class Margins:
    """Looks at all that takes longer than a page of metrics may."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        projects: Projects,
        watching: Watching,
        outboxes: Mapping[str, Outbox],
        pacing: Pacing,
        quotas: Mapping[str, int],
        look_at_log: Callable[[], LogState] = LogState,
    ) -> None:
        self._campaigns = campaigns
        self._projects = projects
        self._watching = watching
        self._outboxes = outboxes
        self._pacing = pacing
        self._quotas = quotas
        self._look_at_log = look_at_log

    def look(self) -> Near:
        """Raises SeedbedError if the database cannot be used."""
        due = [row for row in self._campaigns.all(only_open=True) if row.deadline is not None]
        limited = [(row, self._projects.usage(row.name)) for row in self._limited()]
        return Near(
            deadline_s=(
                deadline_margins(due, self._pacing.outlooks(), self._watching.now()) if due else {}
            ),
            quota_used=quota_used(limited, self._projects.months()),
            worker_limits=dict(self._quotas.items()),
            deliveries={name: outbox.backlog() for name, outbox in self._outboxes.items()},
            log=self._look_at_log(),
        )

    def _limited(self) -> list[ProjectRow]:
        rows = self._projects.all()
        return [row for row in rows if row.quota.queued or row.quota.stored_bytes]


def deadline_margins(
    due: Iterable[CampaignRow], outlooks: Mapping[int, Outlook], now: float
) -> dict[str, float]:
    """By project, the least time between the expected end of a campaign and its deadline. One of
    which nothing tells its end cannot end before now.
    """
    found: dict[str, float] = {}
    for row in due:
        if row.deadline is None:
            continue
        eta = outlooks.get(row.id, NO_OUTLOOK).eta
        margin = row.deadline - max(now, eta or now)
        found[row.project] = min(margin, found.get(row.project, margin))
    return found


def quota_used(
    rows: Iterable[tuple[ProjectRow, Usage]], months: Mapping[str, MonthUse]
) -> dict[tuple[str, str], float]:
    """By project and limit, the part that is used of each that is set."""
    hours = {
        (name, "device_hours"): use.used_s / use.limit_s
        for name, use in months.items()
        if use.limit_s
    }
    return hours | {
        (row.name, limit): getattr(usage, limit) / most
        for row, usage in rows
        for limit in ("queued", "stored_bytes")
        if (most := getattr(row.quota, limit))
    }
