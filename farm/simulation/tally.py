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
        self._active_s: dict[str, float] = defaultdict(float)
        self._active_since: dict[str, float] = {}
        self._fairness: float | None = None

    def arrive(self, project: str, now: float) -> None:
        """A campaign of a project has come."""
        self._active_since.setdefault(project, now)

    def paint(self, project: str, seconds: float) -> None:
        self._painted_s += seconds
        self._device_s[project] += seconds

    def finish(self, work: Work, now: float, open_projects: Collection[str]) -> None:
        """A campaign has ended. Fairness is measured when the first project has none left: from
        then on the others share what that project leaves.
        """
        self.finished[work.name] = now
        if work.project in open_projects:
            return
        if self._fairness is None:
            self._fairness = self._fairness_of({*open_projects, work.project}, now)
        self._active_s[work.project] += now - self._active_since.pop(work.project)

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

    def _fairness_of(self, projects: Collection[str], now: float) -> float:
        """Jain's index of the device time that projects were given for each second in which they
        had work, by their weights. They are added up in one order, so that every process reports
        the same last digit.
        """
        begun = [name for name in sorted(projects) if self._active_s_of(name, now) > 0]
        given = [
            self._device_s[name]
            / self._trace.weights.get(name, 1.0)
            / self._active_s_of(name, now)
            for name in begun
        ]
        return sum(given) ** 2 / (len(given) * sum(value**2 for value in given))

    def _active_s_of(self, project: str, now: float) -> float:
        return self._active_s[project] + now - self._active_since[project]
