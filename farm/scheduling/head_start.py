"""How far ahead of its fair share a campaign may come because its model is warm, and when one that
has not begun comes before all that.
"""

from farm.scheduling.allocation import Allocation
from farm.scheduling.values import AFFINITY_LOADS
from storage.rows import OpenCampaign


def head_start_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    """How far ahead of the others of its project its workers may bring a campaign, in seconds."""
    return allocation.affinity_s[campaign.id] * max(1, len(allocation.users[campaign.id]))


def project_head_start_s(allocation: Allocation, campaign: OpenCampaign) -> float:
    """How far ahead of the others its workers may bring a campaign's project, in seconds."""
    served = max(1, allocation.served[campaign.project])
    return allocation.affinity_s[campaign.id] * served / allocation.weight(campaign.project)


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
