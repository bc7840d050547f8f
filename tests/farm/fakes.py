"""A fleet that does as it is told, for tests of the dispatcher: no Ray, no clock."""

from concurrent.futures import Executor, Future

from actors.fleet.worker import AssignedChunk, Worker
from actors.recipes.jobs import ChunkResult, Facts, Health
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from tests.campaigns import data

NOW = 1000.0


class AtOnce(Executor):
    """Does at once what a thread would do beside."""

    def submit(self, work, /, *arguments, **named):
        work(*arguments, **named)
        return Future()


class FakeWorker(Worker):
    """A worker as the fleet has it, with no actor behind it."""

    def __init__(self, name, ready=True, pool="worker"):
        super().__init__(
            name=name, handle=None, pending_health=None, asked_at=0.0, pool=pool, since=0.0
        )
        if ready:
            self.answered(health(name))


def health(name, **changes):
    return Health(name=name, node="n", device="cpu", numerics_class="c", **changes)


def _node_of(worker):
    return worker.health.node_id if worker.health else None


class Reference:
    """Stands for the result of a job, as Ray's references do."""

    def __init__(self, job):
        self.job = job


class FakeFleet:
    """Keeps what it is given until a test says what became of it."""

    def __init__(self, size=2):
        self.size = size
        self.workers, self.results, self.acknowledged, self.failed_starts, self.ended = (
            {},
            [],
            [],
            [],
            False,
        )
        self.stopped, self.retired, self.drained, self.notices = [], [], [], {}

    def start(self, now, pool="worker", labels=None):
        name = f"w{len(self.workers) + len(self.failed_starts)}"
        self.workers[name] = FakeWorker(name, ready=False, pool=pool)
        return name

    def submit(self, worker, job):
        self.workers[worker].assign(
            Reference(job), AssignedChunk(job.chunk_id, job.campaign_id, job.lease)
        )

    def inherit(self, worker, chunk_id, campaign_id, lease):
        self.workers[worker].inherit(AssignedChunk(chunk_id, campaign_id, lease))

    def stop(self, worker, key, *, at_step=False):
        self.stopped.append(key)

    def leaving(self, now):
        drained = {w.name: None for w in self.workers.values() if _node_of(w) in self.drained}
        return drained | {n: left_s for n, left_s in self.notices.items() if n in self.workers}

    def drain(self, node_id):
        self.drained.append(node_id)

    def retire(self, worker):
        self.workers[worker].retire()
        self.retired.append(worker)
        del self.workers[worker]

    def collect(self, timeout_s):
        for worker in self.workers.values():
            if not worker.is_ready:
                worker.answered(health(worker.name))
        results, self.results = self.results, []
        return results

    def ask_health(self, now):
        return []

    def take_failed_starts(self):
        failed, self.failed_starts = self.failed_starts, []
        return failed

    def acknowledge(self, results):
        self.acknowledged += [result.key for result in results]

    def rows(self):
        return [worker.row() for worker in self.workers.values()]

    def end(self):
        self.ended = True
        self.workers.clear()

    def jobs(self):
        return [reference.job for worker in self.workers.values() for reference in worker.jobs]

    def take(self):
        """Every job under way, with its worker's name; they are under way no more."""
        taken = [
            (reference.job, worker.name)
            for worker in self.workers.values()
            for reference in worker.jobs
        ]
        for worker in self.workers.values():
            for reference in list(worker.jobs):
                worker.returned(reference)
        return taken

    def paint(self, failure=None, **changes):
        """Answer every job that is under way."""
        self.results += [answer(job, worker, failure, **changes) for job, worker in self.take()]


def answer(job, worker, failure=None, *, bad=(), done=None, seconds=1.0, lost_s=0.0):
    """A worker's answer: all pictures painted, or with a failure those in `done`. One that is lost
    for `lost_s` has measured nothing.
    """
    seconds = 0.0 if lost_s else seconds
    painted = [
        p
        for p in job.pictures
        if p.number not in bad and (failure is None if done is None else p.number in done)
    ]
    outcomes = tuple(
        RenderOutcome(
            number=p.number,
            digest=job.recipe(p).digest,
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            key=p.key,
            pixels="x",
            bytes=1,
        )
        for p in painted
    )
    return ChunkResult(
        chunk_id=job.chunk_id,
        campaign_id=job.campaign_id,
        lease=job.lease,
        worker=worker,
        outcomes=outcomes,
        bad_outputs=tuple(p.number for p in job.pictures if p.number in bad),
        failure=failure,
        facts=Facts(
            pictures=len(outcomes),
            batch_s=(seconds,),
            kept_s=seconds * len(outcomes) / max(1, len(job.pictures)),
            chunk_s=seconds,
            lost_s=lost_s,
        ),
    )


def one_render(service, name="one", project="p"):
    return service.submit(
        project, data(name=name, vary={"product": ["mug"], "color": ["red"]}, seeds=[1])
    )[0]


def run(dispatcher, fleet, times=12, **how):
    for _ in range(times):
        dispatcher.tick(NOW)
        fleet.paint(**how)
    dispatcher.tick(NOW)
