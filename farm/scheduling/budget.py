"""Sentences about a campaign's budget. `farm.scheduling.assignment` decides which chunks may begin
under it.
"""

from farm.cost import SECONDS_PER_MEGAPIXEL_STEP, budget_left_s, is_by_money
from farm.scheduling.money_text import money_text
from storage.rows import CampaignRow, OpenCampaign

_REMEDY = "raise `budget` in the file, or take it out, and submit the file with --update."


def is_spent(campaign: OpenCampaign | CampaignRow) -> bool:
    """Whether its device time or its money has reached its budget; chunks under way do not
    count.
    """
    if campaign.budget_s is not None and campaign.device_s >= campaign.budget_s:
        return True
    return campaign.budget_money is not None and (
        (campaign.money or 0.0) >= campaign.budget_money or _is_without_prices(campaign)
    )


def _is_without_prices(campaign: OpenCampaign | CampaignRow) -> bool:
    """Whether nobody can say what it spends any more, as the fleet file has no prices."""
    return (
        isinstance(campaign, OpenCampaign)
        and campaign.money_left_s == 0
        and campaign.money < (campaign.budget_money or 0.0)
    )


def spent_sentence(campaign: OpenCampaign | CampaignRow) -> str:
    """Why nothing more is begun of a campaign whose budget is spent, and what to do."""
    if _is_without_prices(campaign):
        return (
            "Its budget is money, and no pool of the fleet file has a price: write price_per_hour"
            f" there, or {_REMEDY}"
        )
    return (
        f"It has spent {_figures(campaign)} with {campaign.left:,} of"
        f" {campaign.left + campaign.ended:,} renders left: {_REMEDY}"
    )


def nearly_spent_sentence(campaign: CampaignRow) -> str | None:
    """Why nothing more is begun while chunks under way may take the rest; None if the budget has
    room, or is spent.
    """
    if is_spent(campaign) or budget_left_s(campaign) > 0:
        return None
    return (
        f"It has spent {_figures(campaign)}, and what is under way may take the rest: more is"
        f" begun only where that leaves some. For all of it, {_REMEDY}"
    )


def estimate_sentence(estimate_s: float, budget_s: float, *, is_assumed: bool) -> str:
    """How much of its budget a campaign would take, in seconds of device time. `is_assumed`: the
    estimate is not from renders of its model.
    """
    assumed = (
        f", at {SECONDS_PER_MEGAPIXEL_STEP:g} s a megapixel-step as its model has no history here"
    )
    pace = assumed if is_assumed else ""
    if estimate_s <= budget_s:
        return f"It would take about {spent_of(estimate_s, budget_s)}{pace}."
    return (
        f"It would take about {gpu_hours(estimate_s)} GPU hours, more than its budget of"
        f" {gpu_hours(budget_s)}{pace}: it would be stopped on the way. Raise `budget` in the"
        " file, or ask for less."
    )


def spent_of(device_s: float, budget_s: float) -> str:
    return f"{gpu_hours(device_s)} of its budget of {gpu_hours(budget_s)} GPU hours"


def _figures(campaign: OpenCampaign | CampaignRow) -> str:
    if campaign.budget_money is not None and (is_by_money(campaign) or campaign.budget_s is None):
        return money_of(campaign.money or 0.0, campaign.budget_money)
    assert campaign.budget_s is not None
    return spent_of(campaign.device_s, campaign.budget_s)


def money_of(money: float, budget: float) -> str:
    return f"{money_text(money)} of its budget of {money_text(budget)}"


def gpu_hours(seconds: float) -> str:
    """Device time as a person reads it: to a few seconds where it is hours, exactly where it is a
    trial's.
    """
    hours = seconds / 3600
    text = f"{hours:,.3f}" if hours >= 1 else f"{hours:.6f}"
    return text.rstrip("0").rstrip(".")
