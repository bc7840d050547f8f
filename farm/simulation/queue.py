"""A campaign's queue as the simulator has it: chunks cut and counted as in the job database,
without their renders.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from farm.cost import batches_of_chunk
from farm.simulation.trace import Work
from storage.rows import ANY_CLASS, OpenCampaign


@dataclass
class Piece:
    """A chunk, with the counts that decide what becomes of it when it fails."""

    id: int
    campaign: int
    renders: int
    lease: int = 0
    failures: int = 0
    losses: int = 0
    refused_by: str | None = None
    """The worker that it failed on last."""

    @property
    def key(self) -> tuple[int, int]:
        return self.id, self.lease


@dataclass
class CampaignQueue:
    """The rest of a campaign, cut into chunks as workers ask for them."""

    id: int
    work: Work
    uncut: int
    back: deque[Piece] = field(default_factory=deque)
    ended: int = 0
    running: int = 0
    device_s: float = 0.0
    holders: Counter[str] = field(default_factory=Counter)
    numerics_class: str | None = None
    cut: int = 0
    """How many chunks were cut so far."""

    @property
    def left(self) -> int:
        return self.work.renders - self.ended

    def row(self) -> OpenCampaign:
        work = self.work
        return OpenCampaign(
            id=self.id, project=work.project, name=work.name, model_digest=work.model,
            priority=work.priority,
            max_workers=work.max_workers, deadline=work.deadline_s, left=self.left,
            ended=self.ended, running=self.running,
            device_s=self.device_s, megapixel_steps=work.seconds,
            waiting=bool(self.uncut or self.back),
            workers=frozenset(self.holders),
            numerics_class=ANY_CLASS if work.any_class else self.numerics_class,
        )  # fmt: skip

    def take(self, worker: str, *, alone: bool) -> Piece | None:
        """The next chunk for a worker: one that has come back first, but none that failed on it,
        unless it is alone.
        """
        for piece in self.back:
            if alone or piece.refused_by != worker:
                self.back.remove(piece)
                return piece
        if not self.uncut:
            return None
        size = min(self.uncut, self._chunk())
        self.uncut -= size
        return self.piece(size)

    def piece(self, renders: int) -> Piece:
        self.cut += 1
        return Piece(
            id=self.id << 32 | self.cut, campaign=self.id, renders=renders
        )  # its own among those of all campaigns

    @property
    def chunks_waiting(self) -> int:
        """About as many as there are: towards the end they get smaller."""
        return len(self.back) + (max(1, self.uncut // self._chunk()) if self.uncut else 0)

    def _chunk(self) -> int:
        work = self.work
        return work.batch * batches_of_chunk(work.batch_s, self.uncut // work.batch)
