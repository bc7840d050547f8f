"""The simulated workers: those that are starting or ready, which of them may have work, and what
was paid for them.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from farm.scheduling.history import History
from farm.scheduling.scaling import COOL_OFF_S, classes_of, next_change
from farm.scheduling.trust import Record, usable
from farm.scheduling.values import Change, FreeWorker, Member, Pool
from farm.simulation.queue import SimulatedChunk
from farm.simulation.trace import Trace
from storage.rows import OpenCampaign

_CLASS = "simulated"  # the numerics class of pools for which a trace names none


@dataclass
class Worker:
    """A worker with its assigned chunks, the one that it paints first."""

    name: str
    pool: Pool
    since: float
    numerics_class: str
    is_faulty: bool
    most_models: int
    """How many models it can keep loaded at a time."""
    is_ready: bool = False
    assigned: deque[SimulatedChunk] = field(default_factory=deque)
    models: list[str] = field(default_factory=list)
    """The models that it has loaded, the one used last at the end."""
    idle_since: float | None = None
    load_s: float | None = None
    """How long it loads a model for its first chunk; None if that is loaded already."""
    _free: FreeWorker | None = None
    """What `as_free` answers, until its chunks or models change."""

    def as_free(self) -> FreeWorker:
        """The worker as assignment sees it."""
        if self._free is None:
            self._free = FreeWorker(
                name=self.name,
                holds=tuple((chunk.campaign, chunk.key) for chunk in self.assigned),
                warm=frozenset(self.models),
                numerics_class=self.numerics_class,
            )
        return self._free

    def as_member(self) -> Member:
        """The worker as scaling sees it."""
        return Member(
            name=self.name,
            pool=self.pool.name,
            since=self.since,
            is_ready=self.is_ready,
            idle_since=self.idle_since,
            numerics_class=self.numerics_class if self.is_ready else None,
        )

    def has_changed(self) -> None:
        """Its chunks or its models are different now."""
        self._free = None

    def use(self, model: str) -> bool:
        """Make a model the one used last, and say whether it had to be loaded for that. The
        models that were not used for longest make room for it.
        """
        is_loaded = model in self.models
        if is_loaded:
            self.models.remove(model)
        else:
            del self.models[: max(0, len(self.models) + 1 - self.most_models)]
        self.models.append(model)
        return not is_loaded


class Fleet:
    """All workers of one run, by name."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._pools = {pool.name: pool for pool in trace.pools}
        self.workers: dict[str, Worker] = {}
        self.most_workers = 0
        """The most that there were at a time."""
        self._started = 0
        self._paid: list[tuple[Pool, float]] = []
        self._cooling: dict[str, float] = {}
        self._classes: dict[str, set[str]] = {}

    @property
    def is_hopeless(self) -> bool:
        """Whether there is no worker, and no pool that may be asked for one."""
        return not self.workers and all(name in self._cooling for name in self._pools)

    def pool(self, name: str) -> Pool:
        return self._pools[name]

    def start(self, pool: Pool, now: float, *, is_faulty: bool) -> Worker:
        self._started += 1
        worker = Worker(
            name=f"worker-{self._started:08d}",
            pool=pool,
            since=now,
            numerics_class=self._trace.classes.get(pool.name, _CLASS),
            is_faulty=is_faulty,
            most_models=self._trace.warm.get(pool.name, 1),
        )
        self.workers[worker.name] = worker
        self.most_workers = max(self.most_workers, len(self.workers))
        return worker

    def remove(self, worker: Worker, now: float) -> None:
        del self.workers[worker.name]
        if worker.is_ready:
            self._paid.append((worker.pool, now - worker.since))

    def paid(self, now: float) -> list[tuple[Pool, float]]:
        """The pool and the seconds of each worker that was ready, the ones that are left last."""
        ready = (worker for worker in self.workers.values() if worker.is_ready)
        return [*self._paid, *((worker.pool, now - worker.since) for worker in ready)]

    def usable(self, records: Mapping[str, Record], now: float) -> list[Worker]:
        """The ready workers that may have work. `records` are those of workers that failed."""
        ready = {worker.name: worker for worker in self.workers.values() if worker.is_ready}
        if records:
            return [ready[name] for name in sorted(usable(ready, records, now))]
        return list(ready.values())

    def has_others(self, worker: Worker, *, of_any_class: bool) -> bool:
        """Whether another ready worker may paint the same campaign."""
        return any(
            other is not worker
            and other.is_ready
            and (of_any_class or other.numerics_class == worker.numerics_class)
            for other in self.workers.values()
        )

    def next_change(
        self,
        campaigns: Sequence[OpenCampaign],
        waiting_chunks: int,
        history: History,
        now: float,
    ) -> Change:
        """Which workers must start and which must go. Pools that give none cool off from now."""
        self._cooling = {name: until for name, until in self._cooling.items() if until > now}
        members = [worker.as_member() for worker in self.workers.values()]
        self._classes |= classes_of(members)
        change = next_change(
            campaigns, members, self._trace.pools, self._trace.limits,
            waiting_chunks=waiting_chunks, history=history, quotas=self._trace.quotas,
            classes=self._classes, cooling=self._cooling, now=now, db_now=now,
        )  # fmt: skip
        self._cooling |= dict.fromkeys(change.cool, now + COOL_OFF_S)
        return change
