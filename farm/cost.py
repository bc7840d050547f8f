"""What work costs: how much of it a chunk is, what a render takes, what a budget leaves. Seconds
are those of one device.
"""

import math

from storage.rows import CampaignRow, OpenCampaign

CHUNK_S = 60.0
MAX_BATCHES = 64
# A chunk is no larger than this part of what is left, so that several workers share a campaign to
# its end and finish together (guided self-scheduling: Polychronopoulos and Kuck, 1987).
PARTS = 16
# Until a model has a history. Seedling takes 0.85 s a megapixel-step on one CPU core; a GPU is
# tens of times as fast, and its first campaign is cut finer than need be.
SECONDS_PER_MEGAPIXEL_STEP = 1.0


def batches_of_chunk(batch_s: float, left: int) -> int:
    """How many batches of so many seconds a chunk has, when so many are left of the campaign."""
    return int(max(1, min(CHUNK_S / batch_s, left / PARTS, MAX_BATCHES)))


def seconds_per_render(campaign: OpenCampaign | CampaignRow) -> float:
    """What a render of it costs a device: as it has shown, or as its size lets expect."""
    if campaign.ended and campaign.device_s:
        return campaign.device_s / campaign.ended
    return (
        campaign.megapixel_steps
        / max(1, campaign.left + campaign.ended)
        * SECONDS_PER_MEGAPIXEL_STEP
    )


def budget_left_s(campaign: OpenCampaign | CampaignRow) -> float:
    """The device time that its budget leaves for what is not begun: what is under way counts as
    what it will come to.
    """
    if campaign.budget_s is None:
        return math.inf
    return campaign.budget_s - campaign.device_s - campaign.running * seconds_per_render(campaign)


def would_be_late(campaign: OpenCampaign, now: float, size: int) -> bool:
    """Whether it would miss its deadline even if every worker that it may have began on it now."""
    if campaign.deadline is None:
        return False
    workers = min(size, campaign.max_workers or size)
    return now + campaign.left * seconds_per_render(campaign) / max(1, workers) > campaign.deadline


def chunk_s(campaign: OpenCampaign) -> float:
    """The device time, in seconds, that its next chunk takes."""
    return min(CHUNK_S, campaign.left * seconds_per_render(campaign))
