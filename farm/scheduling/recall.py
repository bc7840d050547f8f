"""Which chunks that wait on a worker give their place to a campaign that has no worker."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from farm.scheduling.allocation import Allocation
from farm.scheduling.eligibility import may_use
from farm.scheduling.head_start import (
    AFFINITY_S,
    head_start_s,
    is_due,
    is_new,
    project_head_start_s,
)
from farm.scheduling.values import Assignment, FreeWorker, Key
from storage.rows import OpenCampaign


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A chunk that waits on a worker behind the one that it paints."""

    worker: str
    campaign_id: int
    key: Key


def recalls(allocation: Allocation, workers: Sequence[FreeWorker]) -> list[Assignment]:
    """One assignment for each waiting campaign without a worker that may displace a chunk."""
    places = [
        _Place(worker=worker.name, campaign_id=campaign_id, key=key)
        for worker in workers
        for campaign_id, key in worker.holds[1:]
    ]
    painted = Counter(worker.holds[0][0] for worker in workers if worker.holds)
    recalled = []
    for campaign in _by_claim(allocation):
        if allocation.users[campaign.id]:
            continue
        fair = [
            place
            for place in places
            if may_use(allocation, campaign, place.worker)
            and _may_displace(
                allocation, campaign, place, is_painted=painted[place.campaign_id] > 0
            )
        ]
        if fair:
            place = min(fair, key=lambda place: _standing(allocation, place.campaign_id))
            places.remove(place)
            allocation.assign(campaign, place.worker)
            recalled.append(
                Assignment(campaign_id=campaign.id, worker=place.worker, instead_of=place.key)
            )
    return recalled


def _by_claim(allocation: Allocation) -> list[OpenCampaign]:
    """The waiting campaigns, the one with the best claim first."""
    waiting = [campaign for campaign in allocation.campaigns.values() if campaign.waiting]
    return sorted(waiting, key=lambda c: (-allocation.tier(c), allocation.levels(c), c.id))


def _standing(allocation: Allocation, campaign_id: int) -> tuple[int, float, float]:
    """The lower, the sooner a campaign's waiting chunk gives up its place."""
    campaign = allocation.campaigns.get(campaign_id)
    if campaign is None:
        return -1, 0.0, 0.0  # paused or stopped meanwhile
    project_level, level = allocation.levels(campaign)
    return allocation.tier(campaign), -project_level, -level


def _may_displace(
    allocation: Allocation, campaign: OpenCampaign, place: _Place, *, is_painted: bool
) -> bool:
    """Whether a campaign without a worker may have the place of a waiting chunk. `is_painted` says
    whether any worker paints the campaign of that chunk now.
    """
    other = allocation.campaigns.get(place.campaign_id)
    if other is None or allocation.tier(campaign) > allocation.tier(other):
        return True
    if allocation.tier(campaign) < allocation.tier(other) or not is_painted:
        return False
    ahead_s = allocation.project_level(other) - allocation.project_level(campaign)
    if is_new(allocation, campaign):
        return ahead_s >= -AFFINITY_S and is_due(allocation, campaign, place.worker)
    if campaign.project != other.project:
        return ahead_s > project_head_start_s(allocation, other)
    return allocation.level(other) - allocation.level(campaign) > head_start_s(allocation, other)
