"""Which campaigns may have a worker: the rules that refuse one, each a function."""

from collections import Counter
from collections.abc import Callable

from farm.cost import CHUNK_S, PARTS, seconds_per_render
from farm.scheduling.allocation import Allocation
from storage.rows import ANY_CLASS, OpenCampaign


def may_use(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Whether a worker may have one more chunk of a campaign."""
    return not any(refuses(allocation, campaign, worker) for refuses in _REFUSALS)


def _is_exhausted(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """It had no chunk for this worker in this round."""
    return (campaign.id, worker) in allocation.exhausted


def _is_of_another_class(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Its pixels are of a numerics class that the worker is not of."""
    return allocation.pins[campaign.id] not in (None, ANY_CLASS, allocation.class_of[worker])


def _is_over_budget(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:  # noqa: ARG001
    """What it has been given, and what is assigned, spends its budget."""
    return allocation.affordable_s[campaign.id] <= 0


def _is_over_quota(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Its project has all the workers that its quota allows, and this is another one."""
    quota = allocation.quotas.get(campaign.project)
    users = allocation.users_of_project[campaign.project]
    return quota is not None and worker not in users and len(users) >= quota


def _has_its_workers(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """It has all the workers that it may have (`max_workers`), and this is another one."""
    most, users = campaign.max_workers, allocation.users[campaign.id]
    return most is not None and worker not in users and len(users) >= most


def _would_delay_it(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Its other workers, faster ones among them, would finish all of it before this one finishes
    one chunk.
    """
    mine = allocation.speed(campaign, allocation.class_of[worker])
    if mine == 1:
        return False
    others = Counter(
        allocation.class_of[other]
        for other in allocation.users[campaign.id] - {worker}
        if other in allocation.class_of
    )
    speeds = {name: allocation.speed(campaign, name) for name in others}
    if max(speeds.values(), default=0.0) <= mine:
        return False
    left_s = campaign.left * seconds_per_render(campaign)
    next_chunk_s = max(seconds_per_render(campaign), min(CHUNK_S, left_s / PARTS))
    return (allocation.chunks[worker] + 1) * next_chunk_s / mine > left_s / sum(
        count * speeds[name] for name, count in others.items()
    )


_REFUSALS: tuple[Callable[[Allocation, OpenCampaign, str], bool], ...] = (
    _is_exhausted,
    _is_of_another_class,
    _is_over_budget,
    _is_over_quota,
    _has_its_workers,
    _would_delay_it,
)
