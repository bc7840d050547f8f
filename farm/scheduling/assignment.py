"""Which campaign each worker serves next: decided from values alone, with no clock and no I/O.

A round goes like this:

1. Workers with no chunk are filled first, then those with one (CHUNKS_PER_WORKER).
2. For each, the campaigns are taken that wait and may have it (`farm.scheduling.eligibility`).
3. Of these the ranking chooses one (`farm.scheduling.ranking`).
4. A campaign without a worker may take the place of a chunk that waits behind another one
   (`farm.scheduling.recall`).
5. Each campaign of which more waits is told why (`farm.scheduling.explanation`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from farm.scheduling.allocation import Allocation
from farm.scheduling.eligibility import usable_by
from farm.scheduling.explanation import refusals
from farm.scheduling.ranking import next_of
from farm.scheduling.recall import recalls
from farm.scheduling.refusal import Refusal
from farm.scheduling.situation import Claimed, Situation, after_claims
from farm.scheduling.values import CHUNKS_PER_WORKER, Assignment
from storage.rows import OpenCampaign


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a round has decided."""

    assignments: tuple[Assignment, ...]
    _allocation: Allocation = field(repr=False, compare=False)

    @cached_property
    def refusals(self) -> Mapping[int, Refusal]:
        """For each campaign of which more waits, by its id, the first refusal. It is worked out
        when it is asked for: with very many workers that takes longer than assigning.
        """
        return refusals(self._allocation)


def assign(situation: Situation) -> Decision:
    """Fill the workers' free places, the emptiest first."""
    allocation = Allocation(situation)
    assignments: list[Assignment] = []
    names = sorted(worker.name for worker in situation.workers)
    for depth in range(CHUNKS_PER_WORKER):
        for name in names:
            if allocation.chunks[name] <= depth and (best := _best_for(allocation, name)):
                allocation.assign(best, name)
                assignments.append(Assignment(campaign_id=best.id, worker=name))
    assignments += recalls(allocation, situation.workers)
    return Decision(assignments=tuple(assignments), _allocation=allocation)


def fill(
    situation: Situation, claim: Callable[[Sequence[Assignment]], Sequence[Claimed]]
) -> tuple[Situation, Decision]:
    """Decide, and claim what is decided from the queue, until the queue has a chunk for all that
    is decided. Returns the situation in the end, and the last decision.
    """
    while (decision := assign(situation)).assignments:
        claimed = claim(decision.assignments)
        situation = after_claims(situation, decision.assignments, claimed)
        if len(claimed) == len(decision.assignments):
            break
    return situation, decision


def _best_for(allocation: Allocation, worker: str) -> OpenCampaign | None:
    """The campaign that a worker serves next; None if none may have it."""
    return next_of(allocation, usable_by(allocation, worker), worker)
