"""What a person has to look at of an open campaign, or of a project's month. Pure."""

from farm.documents.counting import counted
from storage.concerns import Concern
from storage.event_kinds import EventKind
from storage.months import MonthUse
from storage.rows import CampaignRow
from storage.states import CampaignState
from storage.telling import BUDGET_NEARLY_SPENT

PASSING = frozenset({EventKind.CAMPAIGN_AWAITING_REVIEW})
"""Concerns that end, and are told again if they come back. Of a deadline people hear once."""


def concerns_of(campaign: CampaignRow, eta: float | None) -> list[Concern]:
    """The concerns about a campaign, of which `eta` says when it will be done, in seconds since
    1970; None if nothing tells it.
    """
    found = []
    if campaign.state is CampaignState.AWAITING_REVIEW:
        undecided = {"undecided": campaign.undecided}
        found.append(Concern(kind=EventKind.CAMPAIGN_AWAITING_REVIEW, data=undecided))
    if (why := _risk(campaign, eta)) is not None:
        data = {"deadline": campaign.deadline, "eta": eta, "left": campaign.left, "why": why}
        about = f"{campaign.deadline}"
        found.append(Concern(kind=EventKind.CAMPAIGN_DEADLINE_AT_RISK, about=about, data=data))
    return found


def month_concern(use: MonthUse) -> Concern | None:
    """The concern about the device time that a project may use in a month; None if most of it is
    left. With another limit or in another month it is another one.
    """
    if use.used_s < BUDGET_NEARLY_SPENT * use.limit_s:
        return None
    kind = EventKind.PROJECT_MONTH_SPENT if use.is_spent else EventKind.PROJECT_MONTH_LOW
    data = {"used_s": round(use.used_s, 3), "limit_s": use.limit_s}
    return Concern(kind=kind, about=f"{use.since:.0f} {use.limit_s:g}", data=data)


def _risk(campaign: CampaignRow, eta: float | None) -> str | None:
    """Why a deadline is at risk; None if it is not, or if nothing tells."""
    if campaign.deadline is None:
        return None
    if campaign.deadline <= campaign.now:
        return f"Its deadline has passed, with {counted(campaign.left, 'render')} left."
    if eta is None or eta <= campaign.deadline:
        return None
    late = (eta - campaign.deadline) / 60
    return (
        f"It will be done about {counted(max(1, round(late)), 'minute')} after its deadline, with"
        f" {counted(campaign.left, 'render')} left: give it a higher priority, or the farm"
        " more workers."
    )
