"""The device time that work takes: a render, a chunk, and the rest of a budget. All seconds are
those of one device.
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
    """How many batches a chunk has, when `left` batches of the campaign are left and each takes
    `batch_s`.
    """
    return int(max(1, min(CHUNK_S / batch_s, left / PARTS, MAX_BATCHES)))


def seconds_per_render(campaign: OpenCampaign | CampaignRow) -> float:
    """The device time of one render: measured, or estimated from its size."""
    if campaign.ended and campaign.device_s:
        return campaign.device_s / campaign.ended
    return (
        campaign.megapixel_steps
        / max(1, campaign.left + campaign.ended)
        * SECONDS_PER_MEGAPIXEL_STEP
    )


def budget_left_s(campaign: OpenCampaign | CampaignRow) -> float:
    """The device time that its budget leaves for renders that are not begun. Those under way
    count with the time that they are expected to take.
    """
    limits = [math.inf]
    if campaign.budget_s is not None:
        limits.append(campaign.budget_s - campaign.device_s)
    if campaign.budget_money is not None:
        limits.append(money_left_s(campaign))
    return min(limits) - campaign.running * seconds_per_render(campaign)


def money_left_s(campaign: OpenCampaign | CampaignRow) -> float:
    """The device time for which its budget of money pays, at the price of the dearest pool if that
    is known, or else at what its own attempts have cost.
    """
    if isinstance(campaign, OpenCampaign) and campaign.money_left_s is not None:
        return campaign.money_left_s
    spent = campaign.money or 0.0
    left = (campaign.budget_money or 0.0) - spent
    if left <= 0:
        return 0.0
    return left * campaign.device_s / spent if spent and campaign.device_s else math.inf


def is_by_money(campaign: OpenCampaign | CampaignRow) -> bool:
    """Whether its money is spent before its device time is."""
    if campaign.budget_money is None:
        return False
    if campaign.budget_s is None:
        return True
    return money_left_s(campaign) <= campaign.budget_s - campaign.device_s


def would_be_late(campaign: OpenCampaign, now: float, fleet_size: int) -> bool:
    """Whether it would miss its deadline even if every worker that it may have began on it now."""
    if campaign.deadline is None:
        return False
    workers = min(fleet_size, campaign.max_workers or fleet_size)
    return now + campaign.left * seconds_per_render(campaign) / max(1, workers) > campaign.deadline


def chunk_s(campaign: OpenCampaign) -> float:
    """The device time, in seconds, that its next chunk takes."""
    return min(CHUNK_S, campaign.left * seconds_per_render(campaign))
