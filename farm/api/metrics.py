"""Every Prometheus metric of the farm. Counters and histograms are fed from the attempts that the
job database records; gauges are read from it when somebody asks. No label is ever an id.
"""

from collections.abc import Iterator
from functools import partial
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm.api.connections import Connections
from storage.spent import AttemptRow
from storage.states import AttemptOutcome, RenderState, WorkerState
from storage.watching import Watching

Json = dict[str, Any]
# From a small picture on a GPU to a large batch on a CPU.
_PAINT_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_LOAD_BUCKETS = (0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Metrics:
    """The metrics of one API process, in a registry of their own."""

    def __init__(self, watching: Watching, connections: Connections | None = None) -> None:
        self.registry = CollectorRegistry()
        self._watching = watching
        self._seen = watching.last_attempt()
        self._lock = Lock()
        self._count_renders()
        self._time_work()
        self._count_pictures()
        self.registry.register(_DatabaseGauges(watching))
        self.registry.register(_ConnectionCounts(connections or Connections()))

    def _count_renders(self) -> None:
        counter = partial(Counter, labelnames=["model", "outcome"], registry=self.registry)
        self._renders = counter("farm_renders", "Renders that ended.")
        self._attempts = counter("farm_attempts", "Attempts at chunks.")

    def _time_work(self) -> None:
        by_model: Json = {"labelnames": ["model"], "registry": self.registry}
        self._paint = Histogram(
            "farm_paint_seconds",
            "Time of one batch on the device.",
            buckets=_PAINT_BUCKETS,
            **by_model,
        )
        self._load = Histogram(
            "farm_load_seconds", "Time to load a pipeline.", buckets=_LOAD_BUCKETS, **by_model
        )
        self._swaps = Counter(
            "farm_swaps", "Pipelines that gave way to one that was loaded.", **by_model
        )
        self._encode = Counter(
            "farm_encode_seconds",
            "Time spent encoding and writing pictures, over all threads.",
            **by_model,
        )

    def _count_pictures(self) -> None:
        counter = partial(Counter, labelnames=["model"], registry=self.registry)
        self._slots = counter("farm_batch_slots", "Places in painted batches, filled or padded.")
        self._filled = counter(
            "farm_batch_pictures", "Places in painted batches that held a picture."
        )
        self._fill = Gauge(
            "farm_batch_fill_ratio",
            "Filled places of all places, over the last chunk.",
            ["model"],
            registry=self.registry,
        )
        self._adopted = counter(
            "farm_adopted", "Pictures found whole in the outputs, and not painted again."
        )
        self._copied = counter(
            "farm_copied", "Pictures copied from renders of the same recipe, and not painted."
        )
        self._uploads = counter("farm_uploads", "Files written to the outputs.")
        self._upload_bytes = counter("farm_upload_bytes", "Bytes written to the outputs.")

    def text(self) -> bytes:
        """The exposition text, brought up to date first."""
        with self._lock:
            while rows := self._watching.attempts_after(self._seen):
                for row in rows:
                    self._count(row)
                    self._seen = row.id
        return generate_latest(self.registry)

    def _count(self, row: AttemptRow) -> None:
        model, facts = row.model, row.facts
        self._attempts.labels(model, row.outcome).inc()
        if row.outcome is AttemptOutcome.STALE:
            return
        self._renders.labels(model, RenderState.DONE).inc(row.done)
        self._renders.labels(model, RenderState.FAILED).inc(row.failed)
        self._renders.labels(model, RenderState.HELD).inc(row.held)
        for seconds in facts["batch_s"]:
            self._paint.labels(model).observe(seconds)
        if facts.get("loads"):
            self._load.labels(model).observe(facts["load_s"])
            self._swaps.labels(model).inc(facts["swaps"])
        self._encode.labels(model).inc(facts["encode_s"])
        self._slots.labels(model).inc(facts["slots"])
        self._filled.labels(model).inc(facts["pictures"])
        self._adopted.labels(model).inc(facts.get("adopted", 0))
        self._copied.labels(model).inc(facts.get("copied", 0))
        self._uploads.labels(model).inc(facts["uploads"])
        self._upload_bytes.labels(model).inc(facts["upload_bytes"])
        if facts["slots"]:
            self._fill.labels(model).set(facts["pictures"] / facts["slots"])


class _DatabaseGauges(Collector):
    """What the job database says at the moment of asking."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def collect(self) -> Iterator[GaugeMetricFamily]:
        queue = GaugeMetricFamily(
            "farm_queue_renders",
            "Renders that wait or are being painted, by where they are.",
            labels=["model", "state"],
        )
        for backlog in self._watching.backlog():
            queue.add_metric([backlog.model, RenderState.QUEUED], backlog.queued)
            queue.add_metric([backlog.model, RenderState.RUNNING], backlog.running)
        yield queue
        workers = GaugeMetricFamily("farm_workers", "Workers by state.", labels=["state"])
        seen = [worker.state for worker in self._watching.workers()]
        for state in WorkerState:
            workers.add_metric([state], seen.count(state))
        yield workers


class _ConnectionCounts(Collector):
    """What the API's connections are at the moment of asking."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "farm_connections", "Open connections of clients.", self._connections.open
        )
        yield GaugeMetricFamily(
            "farm_connections_allowed",
            "The most connections that the API may have.",
            self._connections.limit,
        )
        closed = CounterMetricFamily(
            "farm_connections_closed",
            "Connections that the farm ended, by why.",
            labels=["reason"],
        )
        for reason, count in self._connections.closed.items():
            closed.add_metric([reason], count)
        yield closed
