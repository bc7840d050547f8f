"""Which chunks that wait on a worker give their place to a campaign that has no worker."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from farm.scheduling.allocation import Allocation
from farm.scheduling.eligibility import may_use
from farm.scheduling.head_start import (
    due_at_s,
    head_start_s,
    is_due,
    is_new,
    project_head_start_s,
)
from farm.scheduling.values import AFFINITY_S, Assignment, FreeWorker, Key
from storage.rows import OpenCampaign


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A chunk that waits on a worker behind the one that it paints."""

    worker: str
    campaign_id: int
    key: Key


def recalls(allocation: Allocation, workers: Sequence[FreeWorker]) -> list[Assignment]:
    """One assignment for each waiting campaign without a worker that may displace a chunk."""
    claimants = _claimants(allocation, workers)
    if not claimants:
        return []
    places = _places(workers)
    painted = {worker.holds[0][0] for worker in workers if worker.holds}
    recalled = []
    for campaign in claimants:
        place = _place_for(allocation, campaign, places, painted)
        if place is not None:
            places[place.campaign_id].remove(place)
            allocation.assign(campaign, place.worker)
            recalled.append(
                Assignment(campaign_id=campaign.id, worker=place.worker, instead_of=place.key)
            )
    return recalled


def _claimants(allocation: Allocation, workers: Sequence[FreeWorker]) -> list[OpenCampaign]:
    """The waiting campaigns without a worker, the one with the best claim first. Those that have
    not begun, and are not due on any worker, have a claim on lower tiers alone.
    """
    some = [c for c in allocation.campaigns.values() if c.waiting and not allocation.users[c.id]]
    if not some:
        return []
    held = {number for worker in workers for number, _ in worker.holds[1:]}
    open_held = [allocation.campaigns[number] for number in held & allocation.campaigns.keys()]
    lowest = min(map(allocation.tier, open_held), default=0) if len(open_held) == len(held) else -1
    begun = {number for worker in workers for number, _ in worker.holds}
    warm = {c.model_digest for c in allocation.campaigns.values() if c.id in begun}
    warm = warm.union(*{worker.warm for worker in workers})
    some = [
        campaign
        for campaign in some
        if allocation.tier(campaign) > lowest
        or not is_new(allocation, campaign)
        or campaign.model_digest in warm
        or allocation.furthest_ahead_s(campaign) >= due_at_s(allocation, campaign)
    ]
    return sorted(some, key=lambda c: (-allocation.tier(c), allocation.levels(c), c.id))


def _places(workers: Sequence[FreeWorker]) -> dict[int, list[_Place]]:
    """The chunks that wait behind others, by campaign."""
    places: dict[int, list[_Place]] = defaultdict(list)
    for worker in workers:
        for campaign_id, key in worker.holds[1:]:
            place = _Place(worker=worker.name, campaign_id=campaign_id, key=key)
            places[campaign_id].append(place)
    return places


def _place_for(
    allocation: Allocation,
    campaign: OpenCampaign,
    places: Mapping[int, Sequence[_Place]],
    painted: Collection[int],
) -> _Place | None:
    """The place that a campaign without a worker may have: of the campaign that is furthest ahead
    of those that must give way to it.
    """
    must_give_way = [
        number
        for number in places
        if _may_displace(allocation, campaign, number, is_painted=number in painted)
    ]
    for number in sorted(must_give_way, key=lambda number: _standing(allocation, number)):
        other = allocation.campaigns.get(number)
        equal = other is not None and allocation.tier(other) == allocation.tier(campaign)
        must_be_due = equal and is_new(allocation, campaign)
        for place in places[number]:
            is_fair = not must_be_due or is_due(allocation, campaign, place.worker)
            if is_fair and may_use(allocation, campaign, place.worker):
                return place
    return None


def _standing(allocation: Allocation, campaign_id: int) -> tuple[int, float, float]:
    """The lower, the sooner a campaign's waiting chunk gives up its place."""
    campaign = allocation.campaigns.get(campaign_id)
    if campaign is None:
        return -1, 0.0, 0.0  # paused or stopped meanwhile
    project_level, level = allocation.levels(campaign)
    return allocation.tier(campaign), -project_level, -level


def _may_displace(
    allocation: Allocation, campaign: OpenCampaign, number: int, *, is_painted: bool
) -> bool:
    """Whether a waiting chunk of another campaign must give way to a campaign without a worker.
    `is_painted` says whether any worker paints that other one now. A campaign that has not begun
    must be due, too.
    """
    other = allocation.campaigns.get(number)
    if other is None or allocation.tier(campaign) > allocation.tier(other):
        return True
    if allocation.tier(campaign) < allocation.tier(other) or not is_painted:
        return False
    ahead_s = allocation.project_level(other) - allocation.project_level(campaign)
    if is_new(allocation, campaign):
        return ahead_s >= -AFFINITY_S
    if campaign.project != other.project:
        return ahead_s > project_head_start_s(allocation, other)
    return allocation.level(other) - allocation.level(campaign) > head_start_s(allocation, other)
