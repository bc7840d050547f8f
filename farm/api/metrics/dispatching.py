"""The series of what this process's own dispatcher has told of itself."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from farm.api.metrics.labels import OTHER, Names
from farm.api.metrics.timed_families import add_timed
from storage.figures import Figures
from storage.timings import Timed, Timings

_STEPS = ("look", "scale", "assign", "collect", "settle", "beat")
_DECISIONS = ("start", "withdraw", "end", "drain", "cool")
_OF_DEVICES = (
    ("farm_gpus", "GPUs whose driver tells of them.", "count"),
    ("farm_gpu_utilisation_ratio", "How busy they are, on average.", "utilisation"),
    ("farm_gpu_memory_used_bytes", "Their memory that is in use.", "used_bytes"),
    ("farm_gpu_memory_bytes", "Their memory in all.", "total_bytes"),
    ("farm_gpu_power_watts", "What they draw.", "watts"),
)


class Dispatching(Collector):
    """Keeps what the dispatcher told last: what it has counted stays true after another has taken
    over, what it wants does not.
    """

    def __init__(self, names: Names, of_workers: Timings) -> None:
        self._names = names
        self._is_last = False
        self.of_workers = of_workers
        """What its workers did with the outputs."""
        self.figures = Figures()

    def show(self, figures: Figures | None) -> None:
        """Show what the session has told that led last; None if it was another's."""
        self._is_last = figures is not None
        if figures is not None:
            self.figures = figures

    def collect(self) -> Iterator[Metric]:
        steps = HistogramMetricFamily(
            "farm_dispatch_step_seconds",
            "Time of each step of the dispatcher's rounds.",
            labels=["step"],
        )
        for step in _STEPS:
            add_timed(steps, [step], self.figures.steps.get(step, Timed()))
        yield steps
        decisions = CounterMetricFamily(
            "farm_scaling_decisions",
            "What was decided about workers.",
            labels=["pool", "decision"],
        )
        counts: Counter[tuple[str, str]] = Counter()
        for pool in sorted({*self.figures.wanted, *self.figures.decisions}):
            told = self.figures.decisions.get(pool, {})
            for decision in _DECISIONS:
                counts[self._names.pool(pool), decision] += told.get(decision, 0)
        for labels, count in counts.items():
            decisions.add_metric(labels, count)
        yield decisions
        yield CounterMetricFamily(
            "farm_failed_starts",
            "Workers that ended before they were ready.",
            self.figures.failed_starts,
        )
        yield from self._gauges(self.figures if self._is_last else Figures())

    def _gauges(self, figures: Figures) -> Iterator[Metric]:
        wanted = GaugeMetricFamily(
            "farm_workers_wanted", "How many workers a pool should have.", labels=["pool"]
        )
        wishes: Counter[str] = Counter()
        for pool, count in figures.wanted.items():
            wishes[self._names.pool(pool)] += count
        for name, wish in wishes.items():
            wanted.add_metric([name], wish)
        yield wanted
        for name, says, field in _OF_DEVICES:
            family = GaugeMetricFamily(name, says, labels=["pool"])
            for pool, devices in figures.devices.items():
                if (label := self._names.pool(pool)) != OTHER:  # a mean of means would say nothing
                    family.add_metric([label], getattr(devices, field))
            yield family
