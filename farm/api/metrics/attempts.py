"""The series that count what this process's own dispatcher has settled, and what happened while it
led. They begin at zero with the process, as Prometheus expects.
"""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram

from farm.api.metrics.labels import FewTogether, Names
from storage.event_kinds import EventKind
from storage.spent import AttemptRow, Spent
from storage.states import AttemptOutcome, RenderState, Stage
from storage.timings import Timings, read_timed

# From a small picture on a GPU to a large batch on a CPU.
_PAINT_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LOAD_BUCKETS = (0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_FIRST_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)

ENDS = (RenderState.DONE, RenderState.FAILED, RenderState.HELD)
USES = ("painted", "padding", "load", "retries", "stopped", "lost", "idle")
"""The uses of a device's seconds, as `storage.spent` has them."""
_FAILURES = frozenset(AttemptOutcome) - {AttemptOutcome.PAINTED}
_KINDS = frozenset(kind.value for kind in EventKind)
_LONGEST_NAME = 80  # an exemplar may have 128 characters, its keys included


class AttemptSeries:
    """Counters and histograms, fed with attempts one by one."""

    def __init__(self, registry: CollectorRegistry, names: Names) -> None:
        self._names = names
        self.outputs = Timings()
        """What workers did with the outputs."""
        self._together = FewTogether()
        self._in_pools = FewTogether()
        self._announced: set[tuple[str, str, str]] = set()
        self._count_renders(registry)
        self._count_seconds(registry)
        self._time_work(registry)
        self._count_pictures(registry)
        self._events = Counter("farm_events", "Events, by kind.", ["kind"], registry=registry)
        for kind in EventKind:
            self._events.labels(kind.value)

    def _count_renders(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        by_campaigns = ["project", "model", "stage"]
        self._renders = counter("farm_renders", "Renders that ended.", [*by_campaigns, "outcome"])
        self._attempts = counter("farm_attempts", "Attempts at chunks.", ["model", "outcome"])
        self._steps = counter(
            "farm_megapixel_steps", "Megapixel-steps that were painted.", by_campaigns
        )
        self._first = Histogram(
            "farm_first_picture_seconds",
            "Time from a campaign's submission to its first picture.",
            ["project"],
            buckets=_FIRST_BUCKETS,
            registry=registry,
        )

    def _count_seconds(self, registry: CollectorRegistry) -> None:
        labels = ["project", "model", "pool", "use"]
        self._seconds = Counter(
            "farm_device_seconds",
            "Time for which workers had chunks, by use.",
            labels,
            registry=registry,
        )
        self._cost = Counter(
            "farm_cost",
            "What that time cost, in the unit of the fleet file's prices.",
            labels,
            registry=registry,
        )

    def _time_work(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, says: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, says, ["model"], buckets=buckets, registry=registry)

        self._paint = histogram(
            "farm_paint_seconds", "Time of one batch on the device.", _PAINT_BUCKETS
        )
        self._step = histogram(
            "farm_megapixel_step_seconds",
            "Time of one megapixel-step on the device, by batch: whatever their size and steps.",
            _STEP_BUCKETS,
        )
        self._load = histogram("farm_load_seconds", "Time to load a pipeline.", _LOAD_BUCKETS)

    def _count_pictures(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, labelnames=["model"], registry=registry)
        self._swaps = counter(
            "farm_swaps", "Pipelines that gave way, for want of memory, to one of this model."
        )
        self._warm = counter("farm_warm_hits", "Chunks whose pipeline was loaded already.")
        self._encode = counter(
            "farm_encode_seconds", "Time spent encoding and writing pictures, over all threads."
        )
        self._slots = counter("farm_batch_slots", "Places in painted batches, filled or padded.")
        self._filled = counter(
            "farm_batch_pictures", "Places in painted batches that held a picture."
        )
        self._stopped = counter(
            "farm_stopped_early", "Pictures that were not painted further, as they drifted."
        )
        self._adopted = counter(
            "farm_adopted", "Pictures found whole in the outputs, and not painted again."
        )
        self._copied = counter(
            "farm_copied", "Pictures copied from renders of the same recipe, and not painted."
        )
        self._uploads = counter("farm_uploads", "Files written to the outputs.")
        self._upload_bytes = counter("farm_upload_bytes", "Bytes written to the outputs.")

    # --- feeding ---

    def announce(self, project: str, name: str, digest: str, stage: Stage) -> bool:
        """Begin every series of a project's model at 0; whether that is new. A series that is born
        with its first failure shows no increase, so what counts must come with a later page.
        """
        pair = self._pair(project, name, digest)
        key = (*pair, stage.value)
        if key in self._announced:
            return False
        self._announced.add(key)
        model = pair[1]
        for state in ENDS:
            self._renders.labels(*key, state.value)
        self._steps.labels(*key)
        for outcome in AttemptOutcome:
            self._attempts.labels(model, outcome.value)
        for series in self._of_models():
            series(model)
        self._first.labels(pair[0])
        return True

    def _of_models(self) -> list[Callable[..., object]]:
        timed = (self._paint, self._step, self._load)
        counted = (
            self._swaps, self._warm, self._encode, self._slots, self._filled, self._stopped,
            self._adopted, self._copied, self._uploads, self._upload_bytes,
        )  # fmt: skip
        return [series.labels for series in (*timed, *counted)]

    def count(self, row: AttemptRow) -> None:
        project, model = self._pair(row.project, row.model, row.model_digest)
        exemplar = {"campaign": row.campaign[:_LONGEST_NAME], "chunk": str(row.chunk_id)}
        failed = exemplar if row.outcome in _FAILURES else None
        self._attempts.labels(model, row.outcome.value).inc(exemplar=failed)
        if row.outcome is AttemptOutcome.STALE:
            return
        for state, count in zip(ENDS, (row.done, row.failed, row.held), strict=True):
            counter = self._renders.labels(project, model, row.stage.value, state.value)
            counter.inc(count, exemplar if count and state is not RenderState.DONE else None)
        if row.first_picture_s is not None:
            self._first.labels(project).observe(row.first_picture_s, exemplar)
        self._count_spent(project, model, row)
        self._count_facts(model, row, exemplar)

    def count_events(self, counts: Mapping[str, int]) -> None:
        for kind, count in counts.items():
            if kind in _KINDS:  # a later version of the farm may write others
                self._events.labels(kind).inc(count)

    def _count_spent(self, project: str, model: str, row: AttemptRow) -> None:
        spent: Spent = row.spent
        self._steps.labels(project, model, row.stage.value).inc(spent.megapixel_steps)
        labels = self._in_pools((project, model, self._names.pool(spent.pool)))
        for use in USES:
            seconds = max(0.0, float(getattr(spent, f"{use}_s")))
            self._seconds.labels(*labels, use).inc(seconds)
            if spent.price is not None:
                self._cost.labels(*labels, use).inc(seconds * spent.price / 3600)

    def _count_facts(self, model: str, row: AttemptRow, exemplar: dict[str, str]) -> None:
        facts = row.facts
        batches = facts.get("batch_s", ())
        steps = facts.get("megapixel_steps", 0.0) / len(batches) if batches else 0.0
        for seconds in batches:
            self._paint.labels(model).observe(seconds, exemplar)
            if steps:
                self._step.labels(model).observe(seconds / steps, exemplar)
        if facts.get("loads"):
            self._load.labels(model).observe(facts["load_s"])
            self._swaps.labels(model).inc(facts["swaps"])
        elif batches:
            self._warm.labels(model).inc()
        self._encode.labels(model).inc(facts.get("encode_s", 0))
        self._slots.labels(model).inc(facts.get("slots", 0))
        self._filled.labels(model).inc(facts.get("pictures", 0))
        self._stopped.labels(model).inc(facts.get("stopped", 0))
        self._adopted.labels(model).inc(facts.get("adopted", 0))
        self._copied.labels(model).inc(facts.get("copied", 0))
        self._uploads.labels(model).inc(facts.get("uploads", 0))
        self._upload_bytes.labels(model).inc(facts.get("upload_bytes", 0))
        for operation, values in facts.get("outputs", {}).items():
            if timed := read_timed(values):
                self.outputs.add(operation, timed)

    def _pair(self, project: str, name: str, digest: str) -> tuple[str, str]:
        return self._together((self._names.project(project), self._names.model(name, digest)))
