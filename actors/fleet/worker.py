"""A worker as its dispatcher knows it: its phase, and the chunks that it is assigned. Pure:
`actors.fleet.fleet` makes the calls to its actor.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from actors.recipes.jobs import ChunkResult, Health
from storage.rows import WorkerRow
from storage.states import WorkerState

_IDLE_ANSWERS = 2  # one alone may fall between two chunks


class Phase(Enum):
    """Where a worker is in its life. Draining and quarantine are not phases: they can be taken
    back, and the dispatcher decides on them anew in each round.
    """

    STARTING = auto()
    """This dispatcher asked for it, and it has not answered yet."""
    ADOPTED = auto()
    """An earlier dispatcher started it, and it has not answered this one yet."""
    IDLE = auto()
    """It has answered, and is assigned no chunk."""
    PAINTING = auto()
    """It has answered, and is assigned chunks."""
    RETIRED = auto()
    """It was ended because it is not needed."""
    LOST = auto()
    """It was given up: its process or node died, it hung, or it did not answer."""

    @property
    def is_ready(self) -> bool:
        return self in (Phase.IDLE, Phase.PAINTING)


TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.STARTING: frozenset({Phase.IDLE, Phase.RETIRED, Phase.LOST}),
    Phase.ADOPTED: frozenset({Phase.IDLE, Phase.PAINTING, Phase.RETIRED, Phase.LOST}),
    Phase.IDLE: frozenset({Phase.PAINTING, Phase.RETIRED, Phase.LOST}),
    # A worker that has chunks is never retired: nobody would hear of them again.
    Phase.PAINTING: frozenset({Phase.IDLE, Phase.LOST}),
    Phase.RETIRED: frozenset(),
    Phase.LOST: frozenset(),
}


def moved(phase: Phase, to: Phase) -> Phase:
    """The phase after a step, which must be a legal one."""
    assert to in TRANSITIONS[phase], f"a worker cannot go from {phase.name} to {to.name}"
    return to


class Proof(Enum):
    """How sure it is that a worker never received an inherited chunk of which it has no result."""

    NONE = auto()
    LATER_CHUNK_RETURNED = auto()
    """A chunk that this dispatcher assigned later has come back, so the worker has passed all
    that it received before.
    """
    ASKED_SINCE = auto()
    """Its health was asked for after that: the answer has every result from before."""


@dataclass(frozen=True)
class AssignedChunk:
    """A chunk that a worker has."""

    chunk_id: int
    campaign_id: int
    lease: int

    @property
    def key(self) -> tuple[int, int]:
        return self.chunk_id, self.lease


@dataclass
class Worker:
    """One actor, its phase, and its chunks."""

    name: str
    handle: Any
    pending_health: Any
    asked_at: float
    pool: str
    since: float
    """When it was asked for, or found."""
    phase: Phase = Phase.STARTING
    health: Health | None = None
    jobs: dict[Any, AssignedChunk] = field(default_factory=dict)
    """Chunks assigned to it, by the reference to their results, in the order in which it takes
    them.
    """
    inherited: dict[tuple[int, int], AssignedChunk] = field(default_factory=dict)
    """Chunks that an earlier dispatcher assigned to it: their results come through its mailbox."""
    proof: Proof = Proof.NONE
    idle_answers: int = 0
    began_at: float | None = None
    """When it began with the first of its chunks; None if an earlier dispatcher knew."""
    next_needs: tuple[str, ...] | None = None
    """The digest of the model that the last chunk assigned to it needs, and the manifests of all
    that is registered of that chunk.
    """

    @property
    def is_ready(self) -> bool:
        return self.phase.is_ready

    @property
    def assigned(self) -> list[AssignedChunk]:
        """All that it has, in the order in which it paints them."""
        return [*self.inherited.values(), *self.jobs.values()]

    # --- chunks ---

    def assign(self, ref: Any, chunk: AssignedChunk, now: float = 0.0) -> None:
        assert self.is_ready, f"{self.name} has not answered yet"
        if not self.assigned:
            self.began_at = now
        self.jobs[ref] = chunk
        self._paint_or_idle()

    def inherit(self, chunk: AssignedChunk) -> None:
        """Expect the result of a chunk that an earlier dispatcher assigned."""
        self.inherited[chunk.key] = chunk
        if self.is_ready:
            self._paint_or_idle()

    def drop(self, ref: Any) -> AssignedChunk:
        """Take a chunk away that has ended for this worker, with a result or without."""
        chunk = self.jobs.pop(ref)
        self._paint_or_idle()
        return chunk

    def returned(self, ref: Any, now: float = 0.0) -> None:
        """A chunk's result has come: it begins with the next one."""
        self.drop(ref)
        self.began_at = now
        if self.proof is Proof.NONE:
            self.proof = Proof.LATER_CHUNK_RETURNED

    def painted_for_s(self, now: float) -> float:
        """Seconds for which it has had the first of its chunks, as far as is known."""
        return 0.0 if self.began_at is None or not self.assigned else now - self.began_at

    # --- health ---

    def asked(self, ref: Any, now: float) -> None:
        """Its health was asked for; the answer will come by this reference."""
        self.pending_health, self.asked_at = ref, now
        if self.proof is Proof.LATER_CHUNK_RETURNED:
            self.proof = Proof.ASKED_SINCE

    def is_overdue(self, now: float, patience_s: float) -> bool:
        """Whether it owes an answer for too long. Starting may take any time: its actor waits for
        a node.
        """
        return self.phase is not Phase.STARTING and now - self.asked_at > patience_s

    def answered(self, health: Health) -> None:
        self.pending_health, self.health = None, health
        self._paint_or_idle()

    def take_mail(self, health: Health) -> list[ChunkResult]:
        """The results of inherited chunks that came with an answer."""
        results = [result for result in health.mailbox if self.inherited.pop(result.key, None)]
        is_idle = not (health.painting or results or self.jobs)
        self.idle_answers = self.idle_answers + 1 if is_idle else 0
        self._paint_or_idle()
        return results

    def take_unreceived(self) -> list[AssignedChunk]:
        """The inherited chunks that it never received: the earlier dispatcher died while it sent
        them.
        """
        if self.proof is not Proof.ASKED_SINCE and self.idle_answers < _IDLE_ANSWERS:
            return []
        chunks = list(self.inherited.values())
        self.inherited.clear()
        self._paint_or_idle()
        return chunks

    def leaves_in_s(self, now: float) -> float | None:
        """Seconds until its machine is taken away, if its cloud has given notice."""
        if self.health is None or self.health.leaves_in_s is None:
            return None
        return self.health.leaves_in_s - (now - self.asked_at)

    # --- ends ---

    def retire(self) -> None:
        self.phase = moved(self.phase, Phase.RETIRED)

    def lose(self) -> None:
        self.phase = moved(self.phase, Phase.LOST)

    def row(self) -> WorkerRow:
        """The worker as the job database shows it."""
        health = self.health
        if health is None:
            return WorkerRow(
                name=self.name,
                state=WorkerState.STARTING,
                pool=self.pool,
                node=None,
                device=None,
                numerics_class=None,
                warm=None,
            )
        return WorkerRow(
            name=self.name,
            state=WorkerState.PAINTING if self.phase is Phase.PAINTING else WorkerState.IDLE,
            pool=self.pool,
            node=health.node,
            node_id=health.node_id,
            device=health.device,
            numerics_class=health.numerics_class,
            warm=next(iter(health.pipelines), None),
            loaded=health.pipelines,
        )

    def _paint_or_idle(self) -> None:
        to = Phase.PAINTING if self.assigned else Phase.IDLE
        if to is not self.phase:
            self.phase = moved(self.phase, to)
