"""The workers of a fleet at one moment: which have answered, which may have work, and the rows in
which people see them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from actors.fleet.fleet import Fleet
from actors.fleet.worker import Worker
from farm.scheduling.trust import Record, has_others, usable
from farm.scheduling.values import FreeWorker, Key
from storage.moments import is_to_come
from storage.rows import WorkerRow
from storage.states import WorkerState


@dataclass(frozen=True, kw_only=True)
class Roster:
    """`classes` are the numerics classes of all workers, None for one that is still starting;
    `ready` names those that may have work.
    """

    classes: Mapping[str, str | None]
    ready: frozenset[str]
    records: Mapping[str, Record]
    fleet_size: int
    now: float

    @property
    def answered(self) -> dict[str, str]:
        """The numerics classes of the workers that have started."""
        return {name: known for name, known in self.classes.items() if known is not None}

    @property
    def ready_classes(self) -> dict[str, str]:
        """The numerics classes of the workers that may have work."""
        return {name: known for name, known in self.answered.items() if name in self.ready}

    def can_replace(self, worker: str) -> bool:
        """Whether another of its class can paint, now or later, what a distrusted worker may
        not.
        """
        return has_others(
            worker, self.classes, self.records, fleet_size=self.fleet_size, now=self.now
        )


def roster_of(
    fleet: Fleet, records: Mapping[str, Record], leaving: Collection[str], now: float
) -> Roster:
    """The roster now, by the database's clock. Workers that are `leaving` get no more work."""
    classes = {
        name: None if worker.health is None else worker.health.numerics_class
        for name, worker in fleet.workers.items()
    }
    started = [name for name, known in classes.items() if known is not None]
    return Roster(
        classes=classes,
        ready=frozenset(usable(started, records, now).difference(leaving)),
        records=records,
        fleet_size=fleet.size,
        now=now,
    )


def free_worker(worker: Worker, is_stopped: Callable[[Key], bool]) -> FreeWorker:
    """A worker that has started, as assignment sees it: without chunks that wait on it and that it
    was asked to leave.
    """
    health = worker.health
    assert health is not None
    holds = [(chunk.campaign_id, chunk.key) for chunk in worker.assigned]
    waiting = [held for held in holds[1:] if not is_stopped(held[1])]
    return FreeWorker(
        name=worker.name,
        holds=(*holds[:1], *waiting),
        warm=frozenset(health.pipelines),
        numerics_class=health.numerics_class,
    )


def published(
    fleet: Fleet, records: Mapping[str, Record], leaving: Collection[str], now: float
) -> list[WorkerRow]:
    """The workers' rows with their states for people, and their records for the next
    dispatcher.
    """
    return [
        _with_record(row, records.get(row.name, Record()), is_leaving=row.name in leaving, now=now)
        for row in fleet.rows()
    ]


def _with_record(row: WorkerRow, record: Record, *, is_leaving: bool, now: float) -> WorkerRow:
    quarantined = is_to_come(record.quarantined_until, now)
    state = WorkerState.DRAINING if is_leaving else row.state
    return replace(
        row,
        state=WorkerState.QUARANTINED if quarantined else state,
        blamed=record.blamed,
        quarantined_until=record.quarantined_until,
        quarantined_why=record.why if quarantined else None,
    )
