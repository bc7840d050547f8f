"""The series of deadlines, quotas, deliveries, prices, and the log of the job database: how near
the farm is to its limits.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from farm.api.metrics.labels import Names
from farm.scheduling.spending import Prices
from farm.service.margins import Near
from storage.log_state import LogState

NOTHING_NEAR = Near()


def near_families(
    near: Near, names: Names, serving: Mapping[str, Collection[str]]
) -> Iterator[Metric]:
    """`serving` has the workers of each project now, by its label."""
    deadlines = GaugeMetricFamily(
        "farm_deadline_margin_seconds",
        "Between the expected end and the deadline of the campaign that has the least time.",
        labels=["project"],
    )
    margins: dict[str, float] = {}
    for project, seconds in near.deadline_s.items():
        label = names.project(project)
        margins[label] = min(seconds, margins.get(label, seconds))
    for label, seconds in margins.items():
        deadlines.add_metric([label], seconds)
    yield deadlines
    quotas = GaugeMetricFamily(
        "farm_quota_used_ratio",
        "The part of a project's quota that is used.",
        labels=["project", "limit"],
    )
    for labels, part in _quotas(near, names, serving).items():
        quotas.add_metric(labels, part)
    yield quotas
    deliveries = GaugeMetricFamily(
        "farm_deliveries",
        "Events that have not reached whom they are for.",
        labels=["to", "state"],
    )
    for to, backlog in near.deliveries.items():
        for state in ("waiting", "failing", "given_up"):
            deliveries.add_metric([to, state], getattr(backlog, state))
    yield deliveries
    yield from _log_families(near.log)


def _log_families(log: LogState) -> Iterator[Metric]:
    size = GaugeMetricFamily(
        "farm_database_wal_bytes", "The size of the job database's write-ahead log."
    )
    lag = GaugeMetricFamily(
        "farm_database_replication_lag_seconds",
        "By how much the slowest follower of the job database is behind.",
    )
    for family, value in ((size, log.size_bytes), (lag, log.lag_s)):
        if value is not None:
            family.add_metric([], value)
        yield family


def _quotas(
    near: Near, names: Names, serving: Mapping[str, Collection[str]]
) -> dict[tuple[str, str], float]:
    """Of projects that share a label, the part of the one that has the least left."""
    found: dict[tuple[str, str], float] = {}
    for (project, limit), part in near.quota_used.items():
        labels = names.project(project), limit
        found[labels] = max(part, found.get(labels, 0.0))
    for project, most in near.worker_limits.items():
        labels = names.project(project), "workers"
        used = len(serving.get(labels[0], ())) / most if most else 1.0
        found[labels] = max(used, found.get(labels, 0.0))
    return found


def cost_family(workers: Mapping[tuple[str, str], int], prices: Prices) -> Metric:
    """What the workers of each pool cost, whatever they do. Empty without prices."""
    family = GaugeMetricFamily(
        "farm_workers_cost_per_hour",
        "What the workers of a pool cost an hour, in the unit of the fleet file's prices.",
        labels=["pool"],
    )
    counts: Counter[str] = Counter()
    for (pool, _), count in workers.items():
        counts[pool] += count
    for pool, count in counts.items():
        price = prices.of(pool)
        if price is not None:
            family.add_metric([pool], count * price)
    return family
