"""A farm without workers or a database: the dispatcher's own decisions on a virtual clock.

These are the functions that the farm itself runs: who is next (`farm.scheduling.assignment`), how
chunks are cut (`farm.cost`), what follows from a failure (`farm.scheduling.retry`), and how many
workers there are (`farm.scheduling.scaling`). Only painting is replaced, by a number of seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from actors.recipes.jobs import FailureKind
from farm.scheduling.assignment import fill
from farm.scheduling.ledger import Attempt, Ledger, account, with_open, with_workers
from farm.scheduling.needs import rooms_of
from farm.scheduling.situation import Claimed, Situation
from farm.scheduling.trust import Record
from farm.scheduling.values import Assignment, Pool
from farm.simulation.clock import Clock
from farm.simulation.fleet import Fleet, Worker
from farm.simulation.mishaps import Mishaps
from farm.simulation.queue import CampaignQueue, SimulatedChunk, chunks_waiting
from farm.simulation.tally import Tally
from farm.simulation.trace import Report, Trace
from storage.queue import HEARTBEAT_S
from storage.rows import OpenCampaign


def simulate(trace: Trace) -> Report:
    """What would come of a trace. Raises ValueError if work is left that no worker will paint."""
    return Simulation(trace).run()


def what_if(trace: Trace, counts: Sequence[int]) -> Iterator[tuple[int, Report]]:
    """The same trace with each of the counts as the most workers."""
    for count in counts:
        yield count, simulate(replace(trace, limits=replace(trace.limits, ceiling=count)))


class Simulation:
    """One run of a trace, from its first campaign until all have ended."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._clock = Clock()
        self._fleet = Fleet(trace)
        self._mishaps = Mishaps(trace)
        self._tally = Tally(trace)
        self._campaigns: dict[int, CampaignQueue] = {}
        """Those that have arrived and not ended, by id."""
        self._ledger = Ledger()
        self._next_scaling = 0.0
        for number, work in enumerate(trace.works, 1):
            campaign = CampaignQueue(number, work, work.renders)
            self._clock.at(work.arrives_s, partial(self._arrive, campaign))

    def run(self) -> Report:
        """Raises ValueError if work is left that no worker will paint."""
        while len(self._tally.finished) < len(self._trace.works):
            for happen in self._clock.due():
                happen()
            if self._clock.now >= self._next_scaling:
                self._scale()
            self._dispatch()
            if self._clock.is_empty and self._fleet.is_hopeless:
                raise ValueError("No pool gives a worker: nothing of what is left can be painted.")
            self._clock.advance(self._next_scaling)
        end = max(self._tally.finished.values())
        return self._tally.report(self._fleet.paid(end), self._fleet.most_workers)

    # --- events ---

    def _arrive(self, campaign: CampaignQueue) -> None:
        self._campaigns[campaign.id] = campaign
        self._tally.arrive(campaign.work.project, self._clock.now)
        self._next_scaling = self._clock.now

    def _at(self, time: float, worker: Worker, happen: Callable[[Worker], None]) -> None:
        """Have something happen to a worker, unless it has left by then."""

        def happen_if_there() -> None:
            if worker.name in self._fleet.workers:
                happen(worker)

        self._clock.at(time, happen_if_there)

    def _become_ready(self, worker: Worker) -> None:
        now = self._clock.now
        worker.is_ready, worker.idle_since = True, now
        if (seconds := self._mishaps.lost_after_s(worker.pool)) is not None:
            self._at(now + seconds, worker, self._lose)

    def _lose(self, worker: Worker) -> None:
        self._tally.counts["lost"] += 1
        self._leave(worker)

    def _finish_chunk(self, worker: Worker) -> None:
        chunk = worker.assigned.popleft()
        campaign = self._release(worker, chunk)
        failed = worker.is_faulty or self._mishaps.is_failure()
        self._account(worker, campaign, self._seconds(worker, chunk), failed=failed)
        if failed:
            self._fail(campaign, chunk, FailureKind.UNKNOWN, worker)
        else:
            self._end(campaign, chunk.renders)
        self._begin(worker)

    # --- what follows from a chunk's end ---

    def _account(
        self, worker: Worker, campaign: CampaignQueue, seconds: float, *, failed: bool
    ) -> None:
        """Count the seconds that painting a chunk took, and what it shows of the worker."""
        work, before = campaign.work, self._ledger.records.get(worker.name, Record())
        load_s = worker.load_s or 0.0
        campaign.device_s += seconds + load_s
        self._tally.paint(work.project, seconds)
        facts = {
            "batch_s": (seconds,),
            "megapixel_steps": seconds * self._trace.speed(worker.pool, work.model),
            "numerics_class": worker.numerics_class,
            "shape": "",
            "loads": int(worker.load_s is not None),
            "load_s": load_s,
        }
        attempt = Attempt(
            campaign_id=campaign.id,
            project=work.project,
            model=work.model,
            worker=worker.name,
            device_s=seconds + load_s,
            facts=facts,
            failed=failed,
        )
        weights, now = self._trace.weights, self._clock.now
        self._ledger = account(self._ledger, attempt, weights=weights, now=now)
        after = self._ledger.records.get(worker.name, Record())
        quarantined = after.quarantined_until != before.quarantined_until
        self._tally.counts["quarantined"] += quarantined

    def _fail(
        self, campaign: CampaignQueue, chunk: SimulatedChunk, kind: FailureKind, worker: Worker
    ) -> None:
        if not campaign.retry(chunk, kind, worker.name):
            self._tally.counts["failed"] += chunk.renders
            self._end(campaign, chunk.renders)

    def _end(self, campaign: CampaignQueue, renders: int) -> None:
        campaign.ended += renders
        if not campaign.left:
            del self._campaigns[campaign.id]
            open_projects = {other.work.project for other in self._campaigns.values()}
            self._tally.finish(campaign.work, self._clock.now, open_projects)

    # --- assignment ---

    def _dispatch(self) -> None:
        """Assign chunks until no worker can have another one."""
        rows = self._rows()
        self._ledger = with_open(self._ledger, rows)
        workers = self._fleet.usable(self._ledger.records, self._clock.now)
        situation = Situation(
            now=self._clock.now,
            campaigns=rows,
            workers=[worker.as_free() for worker in workers],
            fleet_size=self._trace.limits.ceiling,
            ledger=self._ledger,
            weights=self._trace.weights,
            quotas=self._trace.quotas,
        )
        fill(situation, self._serve)

    def _serve(self, assignments: Sequence[Assignment]) -> list[Claimed]:
        claimed = ((assignment, self._assign(assignment)) for assignment in assignments)
        return [
            Claimed(assignment=assignment, key=chunk.key, renders=chunk.renders)
            for assignment, chunk in claimed
            if chunk is not None
        ]

    def _assign(self, assignment: Assignment) -> SimulatedChunk | None:
        """The chunk that the worker gets; None if the campaign has none for it."""
        worker = self._fleet.workers[assignment.worker]
        campaign = self._campaigns[assignment.campaign_id]
        others = self._fleet.has_others(worker, of_any_class=campaign.work.any_class)
        chunk = campaign.take(worker.name, alone=not others)
        if chunk is None:
            return None
        if assignment.instead_of is not None:
            recalled = next(c for c in worker.assigned if c.key == assignment.instead_of)
            worker.assigned.remove(recalled)
            self._release(worker, recalled).returned.append(recalled)
        campaign.assign(chunk, worker.name, worker.numerics_class)
        worker.assigned.append(chunk)
        worker.has_changed()
        self._tally.counts["chunks"] += 1
        if len(worker.assigned) == 1:
            self._begin(worker)
        return chunk

    def _release(self, worker: Worker, chunk: SimulatedChunk) -> CampaignQueue:
        """Count a chunk as one that its worker no longer has, and return its campaign."""
        campaign = self._campaigns[chunk.campaign]
        campaign.release(chunk, worker.name)
        worker.has_changed()
        return campaign

    def _begin(self, worker: Worker) -> None:
        """Have a worker paint its first chunk, after loading the model if it is not loaded."""
        worker.has_changed()
        if not worker.assigned:
            worker.idle_since = self._clock.now
            return
        worker.idle_since = None
        work = self._campaigns[worker.assigned[0].campaign].work
        worker.load_s = work.load_s if worker.use(work.model) else None
        if worker.load_s is not None:
            self._tally.counts["loads"] += 1
        seconds = (worker.load_s or 0.0) + self._seconds(worker, worker.assigned[0])
        self._at(self._clock.now + seconds, worker, self._finish_chunk)

    def _seconds(self, worker: Worker, chunk: SimulatedChunk) -> float:
        """How long a worker paints a chunk."""
        work = self._campaigns[chunk.campaign].work
        return work.seconds_of(chunk.renders) / self._trace.speed(worker.pool, work.model)

    # --- scaling ---

    def _scale(self) -> None:
        self._next_scaling = self._clock.now + HEARTBEAT_S
        rows, ceiling = self._rows(), self._trace.limits.ceiling
        rooms = rooms_of(rows, self._trace.quotas, ceiling)
        waiting = chunks_waiting(self._campaigns.values(), rooms, ceiling)
        change = self._fleet.next_change(rows, waiting, self._ledger.history, self._clock.now)
        for name in (*change.withdraw, *change.end):
            self._leave(self._fleet.workers[name])
        for name in change.start:
            self._start(self._fleet.pool(name))

    def _start(self, pool: Pool) -> None:
        now = self._clock.now
        worker = self._fleet.start(pool, now, is_faulty=self._mishaps.is_faulty(pool))
        if pool.name not in self._trace.missing:
            self._at(now + pool.start_s, worker, self._become_ready)

    def _leave(self, worker: Worker) -> None:
        """Remove a worker and queue its chunks again. Only the one that it painted counts a
        loss.
        """
        self._fleet.remove(worker, self._clock.now)
        self._ledger = with_workers(self._ledger, self._fleet.workers)
        for place, chunk in enumerate(worker.assigned):
            campaign = self._release(worker, chunk)
            kind = FailureKind.WORKER_LOST if place == 0 else FailureKind.PREEMPTED
            self._fail(campaign, chunk, kind, worker)

    def _rows(self) -> list[OpenCampaign]:
        return [campaign.row() for campaign in self._campaigns.values()]
