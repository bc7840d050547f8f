"""The series that show the farm as the job database has it. One process at a time serves them, so
that no sum counts twice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm.api.metrics.labels import FewTogether, Names
from farm.api.metrics.near import NOTHING_NEAR, cost_family, near_families
from farm.api.metrics.queue import Place, Waits, budget_used, places, review_wait_s
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.margins import Near
from storage.metering import Leadership, Moment
from storage.states import WorkerState


class FarmWide(Collector):
    """Shows the moment that it was given last; nothing while another process serves these."""

    def __init__(self, names: Names, prices: Prices = NO_PRICES) -> None:
        self._names = names
        self._prices = prices
        self._near = Near()
        self._together = FewTogether()
        self._waits = Waits()
        self._queue: dict[tuple[str, str], Counter[Place]] = {}
        self._oldest: dict[tuple[str, str], float] = {}
        self._held: Counter[str] = Counter()
        self._workers: Counter[tuple[str, str]] = Counter()
        self._pools: dict[str, set[str]] = {}
        self._serving: dict[str, set[str]] = {}
        self._spent: dict[str, float] = {}
        self._reviews: dict[str, float] = {}
        self._silent_s: float | None = None
        self._is_shown = False

    def show(self, moment: Moment, leadership: Leadership, near: Near = NOTHING_NEAR) -> None:
        self._near = near
        self._queue = {pair: Counter() for pair in self._queue}  # so that no series ends
        self._oldest = dict.fromkeys(self._queue, 0.0)
        waits = self._waits.look(moment.campaigns, moment.now)
        for campaign in moment.campaigns:
            pair = self._pair(campaign.project, campaign.model, campaign.model_digest)
            self._queue.setdefault(pair, Counter()).update(places(campaign, moment.now))
            longest = max(self._oldest.get(pair, 0.0), waits.get(campaign.id, 0.0))
            self._oldest[pair] = longest
        projects = {self._names.project(campaign.project) for campaign in moment.campaigns}
        self._held = Counter(dict.fromkeys({*self._held, *projects}, 0))
        for project, count in moment.held.items():
            self._held[self._names.project(project)] += count
        self._count_workers(moment)
        self._look_at_projects(moment)
        self._silent_s = leadership.silent_s
        self._is_shown = True

    def hide(self) -> None:
        self._is_shown = False

    def _count_workers(self, moment: Moment) -> None:
        self._workers = Counter(dict.fromkeys(self._workers, 0))
        classes: dict[str, set[str]] = defaultdict(set)
        for few in moment.workers:
            pool = self._names.pool(few.pool)
            self._workers[pool, few.state] += few.count
            if few.numerics_class is not None:
                classes[pool].add(few.numerics_class)
        self._pools = {pool: classes[pool] for pool, _ in self._workers}

    def _look_at_projects(self, moment: Moment) -> None:
        self._serving = {project: set() for project in self._serving}
        self._spent = dict.fromkeys(self._serving, 0.0)
        self._reviews = dict.fromkeys(self._serving, 0.0)
        for campaign in moment.campaigns:
            project = self._names.project(campaign.project)
            self._serving.setdefault(project, set()).update(campaign.workers)
            self._spent[project] = max(self._spent.get(project, 0.0), budget_used(campaign))
            waited = review_wait_s(campaign, moment.now)
            self._reviews[project] = max(self._reviews.get(project, 0.0), waited)

    def _pair(self, project: str, name: str, digest: str) -> tuple[str, str]:
        return self._together((self._names.project(project), self._names.model(name, digest)))

    def collect(self) -> Iterator[Metric]:
        if not self._is_shown:
            return
        yield from self._queue_families()
        yield from self._worker_families()
        held = GaugeMetricFamily(
            "farm_held_renders", "Renders that are held for a person.", labels=["project"]
        )
        for project, count in self._held.items():
            held.add_metric([project], count)
        yield held
        yield from self._project_families()
        yield from near_families(self._near, self._names, self._serving)
        yield cost_family(self._workers, self._prices)
        silent = GaugeMetricFamily(
            "farm_dispatcher_heartbeat_age_seconds",
            "Time since the dispatcher that leads, or led last, was heard.",
        )
        if self._silent_s is not None:
            silent.add_metric([], self._silent_s)
        yield silent

    def _queue_families(self) -> Iterator[Metric]:
        queue = GaugeMetricFamily(
            "farm_queue_renders",
            "Renders of open campaigns, by where they are.",
            labels=["project", "model", "state"],
        )
        oldest = GaugeMetricFamily(
            "farm_queue_wait_seconds",
            "For how long nothing was painted of the campaign that has waited longest.",
            labels=["project", "model"],
        )
        for pair, counts in self._queue.items():
            oldest.add_metric(pair, self._oldest.get(pair, 0.0))
            for place in Place:
                queue.add_metric([*pair, place.value], counts[place])
        yield queue
        yield oldest

    def _project_families(self) -> Iterator[Metric]:
        workers = GaugeMetricFamily(
            "farm_project_workers", "Workers that have a chunk of a project.", labels=["project"]
        )
        budgets = GaugeMetricFamily(
            "farm_budget_used_ratio",
            "The part of its budget that a project's open campaign has used that has the least"
            " left.",
            labels=["project"],
        )
        reviews = GaugeMetricFamily(
            "farm_review_wait_seconds",
            "Time since all proofs ended, of the campaign that has waited longest for a decision.",
            labels=["project"],
        )
        for project, names in self._serving.items():
            reviews.add_metric([project], self._reviews[project])
            workers.add_metric([project], len(names))
            budgets.add_metric([project], self._spent[project])
        yield workers
        yield budgets
        yield reviews

    def _worker_families(self) -> Iterator[Metric]:
        workers = GaugeMetricFamily(
            "farm_workers", "Workers by pool and state.", labels=["pool", "state"]
        )
        classes = GaugeMetricFamily(
            "farm_numerics_classes",
            "How many classes of numerics the workers of a pool have.",
            labels=["pool"],
        )
        for pool, found in self._pools.items():
            classes.add_metric([pool], len(found))
            for state in WorkerState:
                workers.add_metric([pool, state.value], self._workers[pool, state.value])
        yield workers
        yield classes
