"""Which campaign each worker serves next: decided from values alone, with no clock and no I/O."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from farm.scheduling.allocation import Allocation
from farm.scheduling.eligibility import may_use
from farm.scheduling.head_start import head_start_s, is_due, project_head_start_s
from farm.scheduling.history import History
from farm.scheduling.recall import recalls
from farm.scheduling.share import Shares
from farm.scheduling.values import NO_HISTORY, NO_QUOTAS, NO_WORKERS, Assignment, FreeWorker
from storage.rows import OpenCampaign

# one being painted and the next one waiting, so that a device never waits for the dispatcher
CHUNKS_PER_WORKER = 2


def assign(
    campaigns: Sequence[OpenCampaign],
    workers: Sequence[FreeWorker],
    shares: Shares,
    *,
    weights: Mapping[str, float],
    now: float,
    fleet_size: int,
    exhausted: Collection[tuple[int, str]] = (),
    history: History = NO_HISTORY,
    quotas: Mapping[str, int] = NO_QUOTAS,
    closing: Mapping[str, Collection[str]] = NO_WORKERS,
) -> list[Assignment]:
    """Fill the workers' free places, the emptiest first.

    `exhausted` names the campaigns that had no chunk for a worker in this round (campaign id,
    worker). `history` has the times that loading and painting take. `quotas` are the most workers
    that projects may have. `closing` are the workers, by project, that still have chunks of its
    campaigns that are not open.

    1. The highest tier goes first.
    2. In it projects, and in a project campaigns, are served by who has been given least.
    3. Those within their head start of that one (`farm.scheduling.head_start`) are equal to it.
       Of these a new campaign that is due comes first, then one whose model is warm, then one
       whose model no other worker has loaded, then one that the worker is better at than others.
    4. A campaign without a worker takes the place of a chunk that waits behind another one, if it
       is new and due, or if the campaign of that chunk is further ahead than its head start.
    5. A campaign gets nothing more once its budget is spent, with what is under way counted as far
       as it can be foreseen. So a budget is overspent by at most the chunks under way then.
    """
    allocation = Allocation(
        campaigns, workers, shares, weights=weights, now=now, fleet_size=fleet_size,
        exhausted=exhausted, history=history, quotas=quotas, closing=closing,
    )  # fmt: skip
    assignments: list[Assignment] = []
    names = sorted(worker.name for worker in workers)
    for depth in range(CHUNKS_PER_WORKER):
        for name in names:
            if allocation.chunks[name] <= depth and (best := _best_for(allocation, name)):
                allocation.assign(best, name)
                assignments.append(Assignment(campaign_id=best.id, worker=name))
    return assignments + recalls(allocation, workers)


def _best_for(allocation: Allocation, worker: str) -> OpenCampaign | None:
    """The campaign that a worker serves next; None if none may have it."""
    choice = [
        campaign
        for campaign in allocation.campaigns.values()
        if campaign.waiting and may_use(allocation, campaign, worker)
    ]
    if not choice:
        return None
    return _best_suited(allocation, _first_in_line(allocation, choice), worker)


def _first_in_line(allocation: Allocation, choice: list[OpenCampaign]) -> list[OpenCampaign]:
    """The campaigns of the highest tier that have been given least, or are within their head start
    of those.
    """
    top = max(map(allocation.tier, choice))
    choice = [campaign for campaign in choice if allocation.tier(campaign) == top]
    least = min(map(allocation.project_level, choice))
    choice = [
        campaign
        for campaign in choice
        if allocation.project_level(campaign) <= least + project_head_start_s(allocation, campaign)
    ]
    lowest: dict[str, float] = {}
    for campaign in choice:
        lowest[campaign.project] = min(
            allocation.level(campaign), lowest.get(campaign.project, math.inf)
        )
    return [
        campaign
        for campaign in choice
        if allocation.level(campaign)
        <= lowest[campaign.project] + head_start_s(allocation, campaign)
    ]


def _best_suited(allocation: Allocation, choice: list[OpenCampaign], worker: str) -> OpenCampaign:
    warm, numerics_class = allocation.warm[worker], allocation.class_of[worker]
    choice = _preferred(choice, lambda c: is_due(allocation, c, worker))
    choice = _preferred(choice, lambda c: c.model_digest in warm)
    choice = _preferred(choice, lambda c: c.model_digest in warm or not allocation.users[c.id])
    return min(
        choice,
        key=lambda c: (
            -round(allocation.speed(c, numerics_class), 1), *allocation.levels(c), c.id
        ),
    )  # fmt: skip


def _preferred(
    choice: list[OpenCampaign], wish: Callable[[OpenCampaign], bool]
) -> list[OpenCampaign]:
    """Those of a choice that a wish is true of; all of them if it is true of none."""
    return [campaign for campaign in choice if wish(campaign)] or choice
