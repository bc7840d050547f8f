"""How far ahead of its fair share a campaign may come because its model is warm, and when one that
has not begun comes before all that.
"""

from farm.scheduling.allocation import Allocation
from storage.rows import OpenCampaign

# A campaign keeps its workers while it is ahead of its share by no more than its head start: this
# many seconds, or this many times the time that its model takes to load, for each of its workers.
# So loading is a small part of the work, and a campaign that has begun waits no longer than that
# for a fair share. A campaign that has not begun and whose model is cold waits until another one
# is AFFINITY_LOADS times its loading time ahead of it, over all the workers of that one: the more
# workers there are, the sooner one of them loads it.
AFFINITY_S = 120.0
AFFINITY_LOADS = 20.0


def head_start_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    """How far ahead of the others of its project its workers may bring a campaign, in seconds."""
    return _per_worker_s(allocation, campaign) * max(1, len(allocation.users[campaign.id]))


def project_head_start_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    """How far ahead of the others its workers may bring a campaign's project, in seconds."""
    served = max(1, allocation.served[campaign.project])
    return _per_worker_s(allocation, campaign) * served / allocation.weight(campaign.project)


def is_new(allocation: Allocation, campaign: OpenCampaign) -> bool:
    """Whether none of its renders has been painted or assigned yet."""
    return campaign.id in allocation.new


def is_due(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Whether it has not begun and comes first: at once if its model is warm, or else once loading
    it is a small part of the work.
    """
    if not is_new(allocation, campaign):
        return False
    if campaign.model_digest in allocation.warm(worker):
        return True
    return allocation.furthest_ahead_s(campaign) >= due_at_s(allocation, campaign)


def due_at_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    """How far ahead of it another one must be, in seconds, until a campaign that has not begun and
    whose model is cold comes first.
    """
    return AFFINITY_LOADS * allocation.load_s[campaign.id]


def _per_worker_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    return max(AFFINITY_S, AFFINITY_LOADS * allocation.load_s[campaign.id])
