"""What has come of a trace so far, and the report that is made of it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from farm.scheduling.values import Pool
from farm.simulation.trace import Report, Trace, Work, lower_bound


class Tally:
    """The counts of one run, when each campaign ended, and how much each project was given."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.counts: Counter[str] = Counter()
        self.finished: dict[str, float] = {}
        self._device_s: dict[str, float] = defaultdict(float)
        self._painted_s = 0.0
        self._fairness: float | None = None

    def paint(self, project: str, seconds: float) -> None:
        self._painted_s += seconds
        self._device_s[project] += seconds

    def finish(self, work: Work, now: float, open_projects: Collection[str]) -> None:
        """A campaign has ended. Fairness is measured when the first project has none left: from
        then on the others share what that project leaves.
        """
        self.finished[work.name] = now
        if self._fairness is None and work.project not in open_projects:
            self._fairness = self._fairness_of({*open_projects, work.project})

    def report(self, paid: Sequence[tuple[Pool, float]], most_workers: int) -> Report:
        """`paid` has the seconds of each worker that was ready."""
        paid_s = sum(seconds for _, seconds in paid)
        return Report(
            makespan=max(self.finished.values()),
            bound=lower_bound(self._trace),
            busy=self._painted_s / paid_s if paid_s else 0.0,
            fairness=1.0 if self._fairness is None else self._fairness,
            loads=self.counts["loads"],
            lost=self.counts["lost"],
            quarantined=self.counts["quarantined"],
            failed=self.counts["failed"],
            chunks=self.counts["chunks"],
            renders=sum(work.renders for work in self._trace.works),
            most_workers=most_workers,
            cost=sum(seconds / 3600 * pool.price for pool, seconds in paid),
            finished=self.finished,
        )

    def _fairness_of(self, projects: Collection[str]) -> float:
        """Jain's index of the device time that projects were given, by their weights. They are
        added up in one order, so that every process reports the same last digit.
        """
        weights = self._trace.weights
        given = [self._device_s[name] / weights.get(name, 1.0) for name in sorted(projects)]
        return sum(given) ** 2 / (len(given) * sum(value**2 for value in given))
