"""The device time that projects have used in a calendar month (UTC)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import Connection, func, select

from storage.clock import now
from storage.spent import USES
from storage.tables import attempts, campaigns


@dataclass(frozen=True, kw_only=True)
class MonthUse:
    """Device seconds that a project has used in a month, and the most that it may use. The month
    began at `since`, in seconds since 1970.
    """

    used_s: float
    limit_s: float
    since: float

    @property
    def is_spent(self) -> bool:
        return self.used_s >= self.limit_s


NO_MONTHS: Mapping[str, MonthUse] = MappingProxyType({})


def month_start(at: float) -> float:
    """When the month of a time began, both in seconds since 1970."""
    month = datetime.fromtimestamp(at, UTC)
    return datetime(month.year, month.month, 1, tzinfo=UTC).timestamp()


def used_s(connection: Connection, names: Collection[str] | None = None) -> dict[str, float]:
    """The device seconds of this month, by project, of those named or of all. Attempts count when
    they end, whatever came of them, pruned campaigns included.
    """
    a = attempts.c
    given_s, since = func.sum(sum(a[use] for use in USES)), month_start(now(connection))
    # Attempts are numbered as they end: those of other months are not read.
    before = select(a.id).where(a.ended_at < since).order_by(a.id.desc()).limit(1)
    query = (
        select(campaigns.c.project, given_s.label("seconds"))
        .join(attempts, a.campaign_id == campaigns.c.id)
        .where(a.id > func.coalesce(before.scalar_subquery(), 0), a.ended_at >= since)
        .group_by(campaigns.c.project)
    )
    if names is not None:
        query = query.where(campaigns.c.project.in_(names))
    return {row.project: float(row.seconds) for row in connection.execute(query)}
