"""A campaign's queue in the simulator: chunks are cut and counted as in the job database, but
have no renders of their own.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from actors.recipes.jobs import Failure, FailureKind
from farm.cost import batches_of_chunk
from farm.scheduling.retry import Again, Split, after_failure, first_half
from farm.simulation.trace import Work
from storage.rows import ANY_CLASS, Chunk, OpenCampaign


@dataclass
class SimulatedChunk:
    """A chunk, with the counts that decide what becomes of it if it fails."""

    id: int
    campaign: int
    renders: int
    lease: int = 0
    failures: int = 0
    losses: int = 0
    refused_by: str | None = None
    """The worker on which it failed last."""

    @property
    def key(self) -> tuple[int, int]:
        return self.id, self.lease

    def as_row(self) -> Chunk:
        """The chunk as the retry policy sees it."""
        return Chunk(
            id=self.id, campaign_id=self.campaign, group_no=0, start=0, stop=self.renders,
            total=self.renders, lease=self.lease,
            failures=self.failures, losses=self.losses, worker="",
        )  # fmt: skip


@dataclass
class CampaignQueue:
    """The renders of a campaign that have not ended. Chunks are cut as workers ask for them."""

    id: int
    work: Work
    uncut: int
    returned: deque[SimulatedChunk] = field(default_factory=deque)
    """Chunks that were assigned before, and wait for another attempt."""
    ended: int = 0
    running: int = 0
    device_s: float = 0.0
    workers: Counter[str] = field(default_factory=Counter)
    """How many of its chunks each worker has."""
    numerics_class: str | None = None
    cut: int = 0
    """How many chunks were cut so far."""

    @property
    def left(self) -> int:
        return self.work.renders - self.ended

    @property
    def chunks_waiting(self) -> int:
        """An estimate: chunks get smaller towards the end of a campaign."""
        return len(self.returned) + (max(1, self.uncut // self._size()) if self.uncut else 0)

    def row(self) -> OpenCampaign:
        work = self.work
        return OpenCampaign(
            id=self.id, project=work.project, name=work.name, model_digest=work.model,
            priority=work.priority,
            max_workers=work.max_workers, deadline=work.deadline_s, left=self.left,
            ended=self.ended, running=self.running,
            device_s=self.device_s, megapixel_steps=work.seconds,
            waiting=bool(self.uncut or self.returned),
            workers=frozenset(self.workers),
            numerics_class=ANY_CLASS if work.any_class else self.numerics_class,
        )  # fmt: skip

    def take(self, worker: str, *, alone: bool) -> SimulatedChunk | None:
        """The next chunk for a worker, a returned one first. A chunk that failed on this worker is
        left for others, unless the worker is alone.
        """
        for chunk in self.returned:
            if alone or chunk.refused_by != worker:
                self.returned.remove(chunk)
                return chunk
        if not self.uncut:
            return None
        renders = min(self.uncut, self._size())
        self.uncut -= renders
        return self._cut(renders)

    def part(self, renders: int) -> SimulatedChunk:
        """A chunk that a worker has already."""
        return self._cut(renders)

    def assign(self, chunk: SimulatedChunk, worker: str, numerics_class: str) -> None:
        """Count a chunk as one that a worker has. The first worker settles the class."""
        chunk.lease += 1
        self.running += chunk.renders
        self.workers[worker] += 1
        self.numerics_class = self.numerics_class or numerics_class

    def release(self, chunk: SimulatedChunk, worker: str) -> None:
        """Count a chunk as one that a worker no longer has."""
        self.running -= chunk.renders
        self.workers[worker] -= 1
        self.workers += Counter()  # drops the workers that have none left

    def retry(self, chunk: SimulatedChunk, kind: FailureKind, worker: str) -> bool:
        """Queue a chunk that failed on a worker for another attempt, in halves if the policy says
        so. False if the policy gives it up.
        """
        verdict = after_failure(
            Failure(kind=kind, detail=""), chunk.as_row(), left=chunk.renders, backoffs=0
        )
        if not isinstance(verdict, Again):
            return False
        parts = [chunk.renders]
        if isinstance(verdict, Split):
            half = first_half(chunk.renders, self.work.batch)
            parts = [half, chunk.renders - half]
        for renders in parts:
            part = self._cut(renders)
            part.lease, part.failures, part.losses = (
                chunk.lease,
                verdict.failures,
                verdict.losses,
            )
            part.refused_by = worker if verdict.elsewhere else None
            self.returned.append(part)
        return True

    def _cut(self, renders: int) -> SimulatedChunk:
        self.cut += 1
        unique = self.id << 32 | self.cut  # among the chunks of all campaigns
        return SimulatedChunk(id=unique, campaign=self.id, renders=renders)

    def _size(self) -> int:
        """How many renders the next chunk has."""
        work = self.work
        return work.batch * batches_of_chunk(work.batch_s, self.uncut // work.batch)


def chunks_waiting(
    campaigns: Iterable[CampaignQueue], rooms: Sequence[tuple[Collection[int], int]], ceiling: int
) -> int:
    """The waiting chunks of all campaigns, counted up to `ceiling`. Each group of campaigns in
    `rooms` counts up to the number beside it.
    """
    waiting = Counter({campaign.id: campaign.chunks_waiting for campaign in campaigns})
    bounded = sum(min(room, sum(waiting.pop(number) for number in ids)) for ids, room in rooms)
    return min(waiting.total() + bounded, ceiling)
