"""The series of times that several processes take: of the database and of the outputs, by this
process (`api`), by its own dispatcher, and by the workers of that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from farm.api.metrics.dispatching import Dispatching
from farm.api.metrics.timed_families import add_timed
from storage.timings import Timed, Timings

_OPERATIONS = ("copy", "delete", "look", "read", "write")
_KINDS = ("begin", "delete", "insert", "other", "select", "update")


@dataclass(frozen=True, kw_only=True)
class ApiMeters:
    """What a process of the API measures of itself."""

    database: Timings = field(default_factory=Timings)
    outputs: Timings = field(default_factory=Timings)
    connections: Callable[[], int] = lambda: 0
    """To the job database, in use."""


class Clocks(Collector):
    """Every operation is there from the first page on, so that its first error is an increase."""

    def __init__(self, meters: ApiMeters, dispatching: Dispatching) -> None:
        self._meters = meters
        self._dispatching = dispatching

    def collect(self) -> Iterator[Metric]:
        told = self._dispatching.figures
        yield from _families(
            "farm_outputs", "an operation on the outputs", "operation", _OPERATIONS,
            {
                "api": self._meters.outputs.all(),
                "dispatcher": told.outputs,
                "worker": self._dispatching.of_workers.all(),
            },
        )  # fmt: skip
        yield from _families(
            "farm_database", "a statement in the job database", "kind", _KINDS,
            {"api": self._meters.database.all(), "dispatcher": told.database},
        )  # fmt: skip
        in_use = GaugeMetricFamily(
            "farm_database_connections",
            "Connections to the job database that are in use.",
            labels=["process"],
        )
        in_use.add_metric(["api"], self._meters.connections())
        in_use.add_metric(["dispatcher"], told.connections)
        yield in_use


def _families(
    name: str,
    says: str,
    label: str,
    kinds: tuple[str, ...],
    by_process: Mapping[str, Mapping[str, Timed]],
) -> Iterator[Metric]:
    labels = ["process", label]
    seconds = HistogramMetricFamily(f"{name}_seconds", f"Time of {says}.", labels=labels)
    errors = CounterMetricFamily(f"{name}_errors", f"Errors of {says}.", labels=labels)
    for process, timed in by_process.items():
        for kind in kinds:
            one = timed.get(kind, Timed())
            add_timed(seconds, [process, kind], one)
            errors.add_metric([process, kind], one.errors)
    yield seconds
    yield errors
