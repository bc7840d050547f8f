"""Why campaigns wait: for each, the first rule that refused it. It is asked of the same rules that
decide, in the state in which the round left them.
"""

from collections.abc import Iterable, Sequence

from farm.scheduling.allocation import Allocation
from farm.scheduling.eligibility import may_use, refusals_of
from farm.scheduling.ranking import standings
from farm.scheduling.refusal import Refusal, Rule
from farm.scheduling.values import CHUNKS_PER_WORKER
from storage.rows import OpenCampaign

WORKERS_LOOKED_AT = 64
"""The most workers that are asked for reasons, one of each kind first."""

Standing = tuple[int, Refusal | None]


def refusals(allocation: Allocation) -> dict[int, Refusal]:
    """By its id, why more of each campaign waits.

    1. If a worker has a free place, a rule has kept it from every campaign that waits. The worker
       that the fewest rules keep from this campaign gives the reason: the first of these rules.
    2. If none has, the next free place is what counts. The worker on which this campaign comes
       furthest in the ranking gives the reason: the rule that puts another one first.
    3. If the next place of a worker is this campaign's, all workers are busy.
    """
    waiting = [campaign for campaign in allocation.campaigns.values() if campaign.waiting]
    if not allocation.chunks:
        return {campaign.id: Refusal(rule=Rule.NO_WORKER) for campaign in waiting}
    free = [name for name, count in allocation.chunks.items() if count < CHUNKS_PER_WORKER]
    looked_at = _of_each_kind(allocation, free or allocation.chunks)
    found = {c.id: _kept_from(allocation, c, looked_at) for c in waiting}
    ranks = _ranks(allocation, looked_at) if None in found.values() else {}
    return {number: refusal or ranks[number] for number, refusal in found.items()}


def _of_each_kind(allocation: Allocation, names: Iterable[str]) -> list[str]:
    """Workers to be asked for reasons: first one of each numerics class and set of models."""
    first: dict[object, str] = {}
    others: list[str] = []
    for name in sorted(names):
        kind = allocation.class_of[name], allocation.warm(name)
        if first.setdefault(kind, name) is not name:
            others.append(name)
    return [*first.values(), *others][:WORKERS_LOOKED_AT]


def _kept_from(
    allocation: Allocation, campaign: OpenCampaign, workers: Sequence[str]
) -> Refusal | None:
    """The rule that keeps a campaign from all of these workers; None if it may have one."""
    fewest: list[Refusal] = []
    for worker in workers:
        found = refusals_of(allocation, campaign, worker)
        if not found:
            return None
        if not fewest or len(found) < len(fewest):
            fewest = found
    return fewest[0]


def _ranks(allocation: Allocation, workers: Sequence[str]) -> dict[int, Refusal]:
    """By its id, what each campaign is told that may have some of these workers."""
    best: dict[int, Standing] = {}
    usable: dict[int, int] = {}
    rivals = [campaign for campaign in allocation.campaigns.values() if campaign.waiting]
    for worker in workers:
        choice = [campaign for campaign in rivals if may_use(allocation, campaign, worker)]
        for number, standing in standings(allocation, choice, worker).items():
            usable[number] = usable.get(number, 0) + 1
            if number not in best or standing[0] > best[number][0]:
                best[number] = standing
    return {
        number: refusal or Refusal(rule=Rule.BUSY, has=usable[number])
        for number, (_, refusal) in best.items()
    }
