"""Who is painted next, where, and what follows from a failure. Pure functions of values: no clock, no I/O, no chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.jobs import Failure, FailureKind
from storage.rows import Chunk, OpenCampaign
from storage.states import Reason

CHUNKS_PER_WORKER = 2  # one being painted and the next one waiting, so that a device never waits for the dispatcher
MAX_FAILURES = 3
MAX_LOSSES = 5


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Room for one chunk of a campaign on a worker."""

    campaign_id: int
    worker: str


@dataclass(frozen=True, kw_only=True)
class FreeWorker:
    """A ready worker: how many chunks it holds, and the digest of the model it has warm."""

    name: str
    held: int
    warm: str | None = None


def assign(campaigns: Sequence[OpenCampaign], workers: Sequence[FreeWorker]) -> list[Seat]:
    """Fill the workers' free places, the emptiest first, each with the waiting campaign of the highest priority.

    Among equals the one that the fewest other workers serve comes first, so that workers are shared evenly; then one whose
    model is warm on the worker, so that it stays with what it has; then the oldest.
    """
    waiting = [campaign for campaign in campaigns if campaign.waiting]
    users = {campaign.id: set(campaign.workers) for campaign in waiting}
    held = {worker.name: worker.held for worker in workers}
    seats: list[Seat] = []
    for depth in range(CHUNKS_PER_WORKER):
        for worker in sorted(workers, key=lambda w: w.name):
            if held[worker.name] > depth:
                continue
            choice = [c for c in waiting if _may_use(c, worker.name, users[c.id])]
            if not choice:
                continue
            best = min(choice, key=lambda c: (-c.priority, len(users[c.id] - {worker.name}), c.model_digest != worker.warm, c.id))
            seats.append(Seat(campaign_id=best.id, worker=worker.name))
            users[best.id].add(worker.name)
            held[worker.name] += 1
    return seats


def _may_use(campaign: OpenCampaign, worker: str, users: set[str]) -> bool:
    return campaign.max_workers is None or worker in users or len(users) < campaign.max_workers


@dataclass(frozen=True, kw_only=True)
class Again:
    """Back into the queue, with these counts."""

    failures: int
    losses: int


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """Every render of the chunk has failed, for this reason."""

    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Back into the queue, and nothing more of the campaign until a person has acted."""


def after_failure(failure: Failure, chunk: Chunk) -> Again | GiveUp | Halt:
    """What follows from a failed attempt at a chunk."""
    match failure.kind:
        case FailureKind.BAD_REQUEST:
            return GiveUp(reason=Reason.BAD_REQUEST)
        case FailureKind.OUTPUTS | FailureKind.BAD_SPEC:
            return Halt()
        case FailureKind.OUT_OF_MEMORY:
            # The batch shape is part of the recipe: a smaller one would be another picture.
            return GiveUp(reason=Reason.OUT_OF_MEMORY)
        case FailureKind.WORKER_LOST:
            # Free of charge, but not for ever: a chunk may be what kills its workers.
            lost = chunk.losses + 1
            return Again(failures=chunk.failures, losses=lost) if lost < MAX_LOSSES else GiveUp(reason=Reason.WORKER_LOST)
        case FailureKind.UNKNOWN:
            failed = chunk.failures + 1
            return Again(failures=failed, losses=chunk.losses) if failed < MAX_FAILURES else GiveUp(reason=Reason.UNKNOWN)


def workers_to_start(*, wanted: int, alive: int, starting: int, waiting_chunks: int, pending_limit: int) -> int:
    """How many workers to ask for now: no more than the fleet's size or than there are chunks for, few at a time."""
    return max(0, min(wanted - alive - starting, waiting_chunks - starting, pending_limit - starting))
